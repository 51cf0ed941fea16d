"""The index of current enrollments begins with the section and the user: feeds are compared by them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"

_NAME, _TABLE = "uq_enrollments_history_current", "enrollments_history"
_FEED = ("district_id", "source")
_SECTION, _USER, _REST = "coalesce(section_id, '')", ("user_kind", "user_id"), ("role", "coalesce(associated_user_id, '')")


def upgrade() -> None:
    """Create the index anew."""
    _replace(*_FEED, _SECTION, *_USER, "course_id", *_REST)


def _replace(*expressions: str) -> None:
    current = sa.text("valid_to_import IS NULL")
    op.drop_index(_NAME, _TABLE)
    on = [sa.text(expression) for expression in expressions]
    op.create_index(_NAME, _TABLE, on, unique=True, sqlite_where=current, postgresql_where=current)
