"""Indexes by which feeds are compared record by record: by the values of rules, and of open differences and decided links by their records."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"

_VALUES = (("users", "state_id"), ("users", "number"), ("users", "email"), ("courses", "number"), ("sections", "course_id"))


def upgrade() -> None:
    """Create the indexes. All feeds are compared as a whole the next time."""
    open_ = sa.text("closed_at IS NULL")
    for key in ("key_a", "key_b"):
        on = ["district_id", "source_a", "source_b", "table_name", key]
        op.create_index(f"ix_reconciliation_open_{key}", "reconciliation", on, sqlite_where=open_, postgresql_where=open_)
    decided = sa.text("valid_to IS NULL AND rule = 'decision'")
    on = ["district_id", "source_a", "source_b"]
    op.create_index("ix_person_links_decided", "person_links", on, sqlite_where=decided, postgresql_where=decided)
    for table, column in _VALUES:
        known = sa.text(f"valid_to_import IS NULL AND {column} IS NOT NULL")
        value = sa.text("lower(email)" if column == "email" else column)
        by: tuple[str | sa.TextClause, ...] = ("district_id", "source", value)
        op.create_index(f"ix_{table}_history_{column}", f"{table}_history", by, sqlite_where=known, postgresql_where=known)
