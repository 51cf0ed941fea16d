"""The append-only audit table: who decided what, one row per decision.

Belongs here: the table, the allowed values of its columns, and the triggers that reject updates and deletes.
``store.warehouse.audit`` writes the rows. A row holds no cell of an upload, and no ID of a person of a district.
"""

from __future__ import annotations

from typing import Final, Literal, get_args

import sqlalchemy as sa

from roster_etl.canonical.sql_types import METADATA, NUMBERED, JsonText, Timestamp

Action = Literal[
    "approve", "discard", "undo", "override_set", "override_clear", "renames_approve", "rerun", "rollback", "purge", "grant", "backup", "restore",
    "difference_accept", "difference_ignore", "difference_reopen", "person_link", "person_unlink",
    "district_add", "district_change", "district_pause", "district_resume", "district_remove", "destination_add", "destination_change", "destination_remove",
]  # fmt: skip
Outcome = Literal["done", "refused"]
ACTIONS: Final[tuple[str, ...]] = get_args(Action)

AUDIT: Final = sa.Table(
    "audit",
    METADATA,
    sa.Column("entry_id", NUMBERED, sa.Identity(), primary_key=True, comment="The number of this line"),
    sa.Column("at", Timestamp(), nullable=False, comment="When"),
    sa.Column("action", sa.Text(), nullable=False, comment="What was decided: a stable word"),
    sa.Column("outcome", sa.Text(), nullable=False, comment="done, or refused: it was tried, and changed nothing"),
    sa.Column("who", sa.Text(), comment="The name that the person gave, which nobody has checked; NULL: none was asked for"),
    sa.Column("os_user", sa.Text(), nullable=False, comment="The account of the operating system that the process ran as"),
    sa.Column("via", sa.Text(), nullable=False, comment="command, ui (a job of the Dagster UI), daemon, or program"),
    sa.Column("district_id", sa.Text(), comment="The district that it was about, if one"),
    sa.Column("source", sa.Text(), comment="The format of the feed that it was about, if one"),
    sa.Column("import_id", sa.BigInteger(), comment="The import that it was about, or that did it, if one"),
    sa.Column("about", JsonText(), nullable=False, comment="JSON object of more: never a cell, never an id of a person"),
    sa.Index("ix_audit_district_id", "district_id", "entry_id"),
    comment="Who decided what; lines are added, and never changed or removed",
    sqlite_autoincrement=True,
)

SQLITE_TRIGGERS: Final = (
    "CREATE TRIGGER audit_stays_as_it_is BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END",
    "CREATE TRIGGER audit_keeps_all BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END",
    # REPLACE deletes the old row without firing the trigger above.
    (
        "CREATE TRIGGER audit_replaces_nothing BEFORE INSERT ON audit WHEN EXISTS (SELECT 1 FROM audit WHERE entry_id = NEW.entry_id) "
        "BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END"
    ),
)
POSTGRESQL_TRIGGERS: Final = (
    (
        "CREATE FUNCTION audit_is_append_only() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'the audit is append-only' USING ERRCODE = 'insufficient_privilege'; END $$"
    ),
    (
        "CREATE TRIGGER audit_stays_as_it_is BEFORE UPDATE OR DELETE OR TRUNCATE ON audit "
        "FOR EACH STATEMENT EXECUTE FUNCTION audit_is_append_only()"
    ),
)


def _create_triggers(_: sa.Table, connection: sa.Connection, **__: object) -> None:
    for statement in SQLITE_TRIGGERS if connection.dialect.name == "sqlite" else POSTGRESQL_TRIGGERS:
        connection.exec_driver_sql(statement)


sa.event.listen(AUDIT, "after_create", _create_triggers)
