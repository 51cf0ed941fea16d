"""The table of differences between the feeds of a district."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from roster_etl.canonical.sql_types import NUMBERED, JsonText, Timestamp

revision = "0007"
down_revision = "0006"

_OPEN = "closed_at IS NULL"


def upgrade() -> None:
    """Create the table and its indexes."""
    op.create_table(
        "reconciliation",
        sa.Column("difference_id", NUMBERED, sa.Identity(), nullable=False),
        sa.Column("district_id", sa.Text(), nullable=False),
        sa.Column("source_a", sa.Text(), nullable=False),
        sa.Column("source_b", sa.Text(), nullable=False),
        sa.Column("table_name", sa.Text(), nullable=False),
        sa.Column("key_a", JsonText()),
        sa.Column("key_b", JsonText()),
        sa.Column("organization_id", sa.Text()),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("field", sa.Text()),
        sa.Column("value_a", sa.Text()),
        sa.Column("value_b", sa.Text()),
        sa.Column("import_a", sa.BigInteger()),
        sa.Column("import_b", sa.BigInteger()),
        sa.Column("first_seen", Timestamp(), nullable=False),
        sa.Column("closed_at", Timestamp()),
        sa.Column("close_reason", sa.Text()),
        sa.Column("decision", sa.Text()),
        sa.Column("decided_by", sa.Text()),
        sa.Column("decided_at", Timestamp()),
        sa.Column("reason", sa.Text()),
        sa.PrimaryKeyConstraint("difference_id", name="pk_reconciliation"),
        sqlite_autoincrement=True,
    )
    on, where = ["district_id", "source_a", "source_b", "table_name"], sa.text(_OPEN)
    op.create_index("ix_reconciliation_open", "reconciliation", on, sqlite_where=where, postgresql_where=where)
    op.create_index("ix_reconciliation_district", "reconciliation", ["district_id", "difference_id"])
