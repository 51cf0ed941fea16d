"""The audit: an append-only table."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from roster_etl.canonical.sql_types import NUMBERED, JsonText, Timestamp

revision = "0003"
down_revision = "0002"

_SQLITE = (
    "CREATE TRIGGER audit_stays_as_it_is BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END",
    "CREATE TRIGGER audit_keeps_all BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END",
    (
        "CREATE TRIGGER audit_replaces_nothing BEFORE INSERT ON audit WHEN EXISTS (SELECT 1 FROM audit WHERE entry_id = NEW.entry_id) "
        "BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END"
    ),
)
_POSTGRESQL = (
    (
        "CREATE FUNCTION audit_is_append_only() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'the audit is append-only' USING ERRCODE = 'insufficient_privilege'; END $$"
    ),
    (
        "CREATE TRIGGER audit_stays_as_it_is BEFORE UPDATE OR DELETE OR TRUNCATE ON audit "
        "FOR EACH STATEMENT EXECUTE FUNCTION audit_is_append_only()"
    ),
)


def upgrade() -> None:
    """Create the table, and the triggers that reject changes to it."""
    op.create_table(
        "audit",
        sa.Column("entry_id", NUMBERED, sa.Identity(), nullable=False),
        sa.Column("at", Timestamp(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("who", sa.Text()),
        sa.Column("os_user", sa.Text(), nullable=False),
        sa.Column("via", sa.Text(), nullable=False),
        sa.Column("district_id", sa.Text()),
        sa.Column("source", sa.Text()),
        sa.Column("import_id", sa.BigInteger()),
        sa.Column("about", JsonText(), nullable=False),
        sa.PrimaryKeyConstraint("entry_id", name="pk_audit"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_audit_district_id", "audit", ["district_id", "entry_id"])
    for statement in _SQLITE if op.get_bind().dialect.name == "sqlite" else _POSTGRESQL:
        op.get_bind().exec_driver_sql(statement)
