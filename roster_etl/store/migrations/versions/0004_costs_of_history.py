"""Indexes and columns that keep an import's cost apart from the length of the history.

Refused rows get a hash of feed, file and record, and the moment when their import began: the first of equal rows is found in an index.
Open holds, imports by district and status, the place of a refused row, and versions that nothing replaced get indexes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from roster_etl.canonical.sql_types import Timestamp

revision = "0004"
down_revision = "0003"

_HISTORIES = (
    "organizations", "terms", "term_dates", "users", "user_roles", "student_profiles", "contacts", "courses", "sections", "enrollments",
    "logins", "observers", "group_categories", "groups", "group_memberships", "attendance", "id_changes",
)  # fmt: skip
_GONE = "valid_to_import IS NOT NULL AND close_reason <> 'changed'"
_OPEN = "decision IS NULL"
_AT_ONCE = 10_000  # rows of the quarantine that are in memory at one time


def upgrade() -> None:
    """Add the columns, fill them, and create the indexes."""
    op.add_column("rejected_rows", sa.Column("record_hash", sa.Text()))
    op.add_column("rejected_rows", sa.Column("refused_at", Timestamp()))
    if op.get_bind().dialect.name == "sqlite":
        _fill_sqlite(op.get_bind())
    else:
        _fill_postgresql(op.get_bind())
    op.drop_index("ix_rejected_rows_import_id", "rejected_rows")
    op.create_index("ix_rejected_rows_place", "rejected_rows", ["import_id", "file", "row"])
    op.create_index("ix_rejected_rows_record", "rejected_rows", ["record_hash", "refused_at"])
    op.create_index("ix_holds_open", "holds", ["import_id"], sqlite_where=sa.text(_OPEN), postgresql_where=sa.text(_OPEN))
    op.create_index("ix_imports_district", "imports", ["district_id", "import_id"])
    op.create_index("ix_imports_status", "imports", ["status", "import_id"])
    for name in _HISTORIES:
        on, gone = ["district_id", "source", "version_id"], sa.text(_GONE)
        op.create_index(f"ix_{name}_history_gone", f"{name}_history", on, sqlite_where=gone, postgresql_where=gone)


def _fill_postgresql(connection: sa.Connection) -> None:
    connection.exec_driver_sql(
        "UPDATE rejected_rows AS r SET refused_at = i.started_at, record_hash = left(encode(sha256(convert_to("
        "i.district_id || chr(31) || i.source || chr(31) || r.file || chr(31) || r.record, 'UTF8')), 'hex'), 32) "
        "FROM imports AS i WHERE i.import_id = r.import_id"
    )


def _fill_sqlite(connection: sa.Connection) -> None:
    """Fill the columns in the order of the rows' numbers. SQLite has no hash of its own."""
    read = sa.text(
        "SELECT r.rowid, i.started_at, i.district_id, i.source, r.file, r.record FROM rejected_rows AS r "
        "JOIN imports AS i ON i.import_id = r.import_id WHERE r.rowid > :after ORDER BY r.rowid LIMIT :most"
    )
    write = sa.text("UPDATE rejected_rows SET record_hash = :hash, refused_at = :at WHERE rowid = :number")
    after = 0
    while found := connection.execute(read, {"after": after, "most": _AT_ONCE}).all():
        connection.execute(write, [{"number": row[0], "at": row[1], "hash": _hash(row[2:])} for row in found])
        after = found[-1][0]


def _hash(words: Sequence[str]) -> str:
    return hashlib.sha256("\x1f".join(words).encode()).hexdigest()[:32]
