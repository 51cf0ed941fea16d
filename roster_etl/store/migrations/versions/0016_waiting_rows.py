"""Tables of what the rows in the quarantine of delta formats wait for, so that an import tries only those that may apply now."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    """Create the tables, empty: the next import of each feed tries all its rows, and fills them."""
    op.create_table(
        "waiting_for",
        sa.Column("import_id", sa.BigInteger(), nullable=False),
        sa.Column("file", sa.Text(), nullable=False),
        sa.Column("row", sa.BigInteger(), nullable=False),
        sa.Column("awaits", sa.BigInteger(), nullable=False),
    )
    op.create_index("ix_waiting_for_awaits", "waiting_for", ["awaits"])
    op.create_index("ix_waiting_for_place", "waiting_for", ["import_id", "file", "row"])
    op.create_table(
        "waiting_feeds",
        sa.Column("district_id", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("import_id", sa.BigInteger(), nullable=False),
        sa.Column("basis", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("district_id", "source", name="pk_waiting_feeds"),
    )
