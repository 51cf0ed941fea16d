"""Links between records of people, what people decided about feeds, and up to which imports feeds were compared."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from roster_etl.canonical.sql_types import NUMBERED, JsonText, Timestamp

revision = "0010"
down_revision = "0009"

_WHERE = {"open": "valid_to IS NULL", "past": "valid_to IS NOT NULL"}


def upgrade() -> None:
    """Create the tables and their indexes."""
    _create_links()
    closed = sa.text("closed_at IS NOT NULL")
    on = ["district_id", "closed_at"]
    op.create_index("ix_reconciliation_closed", "reconciliation", on, sqlite_where=closed, postgresql_where=closed)
    op.create_table(
        "feed_decisions",
        sa.Column("decision_id", NUMBERED, sa.Identity(), nullable=False),
        sa.Column("district_id", sa.Text(), nullable=False),
        sa.Column("verb", sa.Text(), nullable=False),
        sa.Column("about", JsonText(), nullable=False),
        sa.Column("decided_by", sa.Text(), nullable=False),
        sa.Column("decided_at", Timestamp(), nullable=False),
        sa.Column("reason", sa.Text()),
        sa.PrimaryKeyConstraint("decision_id", name="pk_feed_decisions"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_feed_decisions_district", "feed_decisions", ["district_id", "decision_id"])
    op.create_table(
        "reconciliation_state",
        sa.Column("district_id", sa.Text(), nullable=False),
        sa.Column("source_a", sa.Text(), nullable=False),
        sa.Column("source_b", sa.Text(), nullable=False),
        sa.Column("import_a", sa.BigInteger(), nullable=False),
        sa.Column("import_b", sa.BigInteger(), nullable=False),
        sa.Column("settings", sa.Text(), nullable=False),
        sa.Column("counts", JsonText(), nullable=False),
        sa.PrimaryKeyConstraint("district_id", "source_a", "source_b", name="pk_reconciliation_state"),
    )


def _create_links() -> None:
    op.create_table(
        "person_links",
        sa.Column("link_id", NUMBERED, sa.Identity(), nullable=False),
        sa.Column("district_id", sa.Text(), nullable=False),
        sa.Column("person_id", sa.Text()),
        sa.Column("source_a", sa.Text(), nullable=False),
        sa.Column("user_kind_a", sa.Text(), nullable=False),
        sa.Column("user_id_a", sa.Text(), nullable=False),
        sa.Column("source_b", sa.Text(), nullable=False),
        sa.Column("user_kind_b", sa.Text(), nullable=False),
        sa.Column("user_id_b", sa.Text(), nullable=False),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("valid_from", Timestamp(), nullable=False),
        sa.Column("valid_to", Timestamp()),
        sa.Column("valid_from_import", sa.BigInteger(), nullable=False),
        sa.Column("valid_to_import", sa.BigInteger()),
        sa.Column("close_reason", sa.Text()),
        sa.Column("decided_by", sa.Text()),
        sa.Column("reason", sa.Text()),
        sa.PrimaryKeyConstraint("link_id", name="pk_person_links"),
        sqlite_autoincrement=True,
    )
    for side in ("a", "b"):
        on = ["district_id", f"source_{side}", f"user_kind_{side}", f"user_id_{side}"]
        for which, text in _WHERE.items():
            where = sa.text(text)
            op.create_index(f"ix_person_links_{which}_{side}", "person_links", on, sqlite_where=where, postgresql_where=where)
    op.create_index("ix_person_links_opened", "person_links", ["valid_from_import"])
    op.create_index("ix_person_links_closed", "person_links", ["valid_to_import"])
