"""Indexes by which the imports of a feed, of a file set, and with rows in the quarantine are found without looking at all of its imports."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"

_INDEXES = {
    "ix_imports_of_feed": ["district_id", "source", "import_id"],
    "ix_imports_of_set": ["district_id", "source", "file_set", "import_id"],
    "ix_imports_ended_of_set": ["district_id", "source", "file_set", "status", "import_id"],
    "ix_imports_quarantined": ["district_id", "source", "status", "quarantined", "import_id"],
}


_FINISHED = ["district_id", "source", "status", "finished_at", "import_id"]
_UNSIGNED, _UNDECIDED = ("ix_receipts_unsigned", "sha256"), ("ix_receipts_undecided", "undecided")


def upgrade() -> None:
    """Add the column, fill it, and create the indexes."""
    op.add_column("imports", sa.Column("quarantined", sa.Boolean(), nullable=False, server_default=sa.false()))
    has_rows = "EXISTS (SELECT 1 FROM rejected_rows WHERE rejected_rows.import_id = imports.import_id)"
    op.get_bind().exec_driver_sql(f"UPDATE imports SET quarantined = true WHERE {has_rows}")
    op.drop_index("ix_imports_finished", "imports")
    op.create_index("ix_imports_finished", "imports", [*_FINISHED, "kind"])
    for name, columns in _INDEXES.items():
        op.create_index(name, "imports", columns)
    _replace(*_UNSIGNED, "sha256 IS NULL", "sha256 IS NULL")
    _replace(*_UNDECIDED, "undecided = 1", "undecided")


def _replace(index: str, column: str, sqlite: str, postgresql: str) -> None:
    """Create an index of open receipts again, on the feed and another column."""
    op.drop_index(index, "receipts")
    columns = ["district_id", "source", column]
    op.create_index(index, "receipts", columns, sqlite_where=sa.text(sqlite), postgresql_where=sa.text(postgresql))
