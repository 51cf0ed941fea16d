"""A table of how many imports each feed has of each status, so that monitoring does not count the ledger."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"

_FEED = ("district_id", "source", "kind", "status")


def upgrade() -> None:
    """Create the table, and count once."""
    op.create_table(
        "import_counts",
        *(sa.Column(name, sa.Text(), nullable=False) for name in _FEED),
        sa.Column("imports", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint(*_FEED, name="pk_import_counts"),
    )
    names = ", ".join(_FEED)
    op.get_bind().exec_driver_sql(
        f"INSERT INTO import_counts ({names}, imports) SELECT {names}, count(*) FROM imports GROUP BY {names}"
    )
