"""Table of the rows that left the quarantine of delta formats, which come back if the import that took them out is undone."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from roster_etl.canonical.sql_types import Timestamp

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    """Create the table, empty: of rows that left before, nothing is known any more."""
    op.create_table(
        "left_quarantine",
        sa.Column("import_id", sa.BigInteger(), nullable=False),
        sa.Column("file", sa.Text(), nullable=False),
        sa.Column("row", sa.BigInteger(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("record", sa.Text(), nullable=False),
        sa.Column("record_hash", sa.Text(), nullable=True),
        sa.Column("refused_at", Timestamp(), nullable=True),
        sa.Column("by_import", sa.BigInteger(), nullable=False),
    )
    op.create_index("ix_left_quarantine_by", "left_quarantine", ["by_import"])
    op.create_index("ix_left_quarantine_place", "left_quarantine", ["import_id", "file", "row"])
