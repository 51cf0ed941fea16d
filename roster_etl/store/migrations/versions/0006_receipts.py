"""The table of receipts."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from roster_etl.canonical.sql_types import JsonText

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Create the table and its indexes."""
    op.create_table(
        "receipts",
        sa.Column("district_id", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("import_id", sa.BigInteger()),
        sa.Column("export_id", sa.BigInteger()),
        sa.Column("status", sa.Text()),
        sa.Column("undecided", sa.Boolean(), nullable=False),
        sa.Column("covered_to", sa.BigInteger(), nullable=False),
        sa.Column("roster_import", sa.BigInteger()),
        sa.Column("roster", JsonText()),
        sa.Column("keyid", sa.Text()),
        sa.Column("sha256", sa.Text()),
        sa.PrimaryKeyConstraint("district_id", "source", "number", name="pk_receipts"),
    )
    op.create_index("ix_receipts_import", "receipts", ["import_id"])
    for name, condition in (("unsigned", "sha256 IS NULL"), ("undecided", "undecided")):
        where = sa.text(condition)
        op.create_index(f"ix_receipts_{name}", "receipts", ["district_id", "source"], sqlite_where=where, postgresql_where=where)
