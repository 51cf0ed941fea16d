"""The table of exports: what left the warehouse, when, and for whom."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from roster_etl.canonical.sql_types import NUMBERED, JsonText, Timestamp

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Create the table and its indexes."""
    op.create_table(
        "exports",
        sa.Column("export_id", NUMBERED, sa.Identity(), nullable=False),
        sa.Column("district_id", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("format", sa.Text(), nullable=False),
        sa.Column("options", JsonText(), nullable=False),
        sa.Column("as_of_import", sa.BigInteger()),
        sa.Column("since_import", sa.BigInteger()),
        sa.Column("destination", sa.Text(), nullable=False),
        sa.Column("destination_name", sa.Text()),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("refused", JsonText()),
        sa.Column("started_at", Timestamp(), nullable=False),
        sa.Column("finished_at", Timestamp()),
        sa.Column("files", JsonText(), nullable=False),
        sa.Column("losses", JsonText(), nullable=False),
        sa.Column("requested_by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("export_id", name="pk_exports"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_exports_district", "exports", ["district_id", "export_id"])
    op.create_index("ix_exports_destination", "exports", ["district_id", "destination_name", "export_id"])
    op.create_index("ix_exports_place", "exports", ["district_id", "destination", "export_id"])
