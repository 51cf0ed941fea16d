"""An index of current enrollments by user, of users whose kind does not say whether they are students: feeds are compared by it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"

_NAME, _TABLE = "ix_enrollments_history_unsure", "enrollments_history"


def upgrade() -> None:
    """Create the index."""
    unsure = sa.text("valid_to_import IS NULL AND user_kind = 'user'")
    op.create_index(_NAME, _TABLE, ["district_id", "source", "user_id"], sqlite_where=unsure, postgresql_where=unsure)
