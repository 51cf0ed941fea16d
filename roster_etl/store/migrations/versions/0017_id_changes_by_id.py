"""Indexes of the current ID changes by either ID: an import of changes reads those that its rows name, not all that ever were."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"

_TABLE, _COLUMNS = "id_changes_history", ("old_id", "new_id")


def upgrade() -> None:
    """Create the indexes."""
    for column in _COLUMNS:
        known = sa.text(f"valid_to_import IS NULL AND {column} IS NOT NULL")
        name = f"ix_{_TABLE}_{column}"
        op.create_index(name, _TABLE, ["district_id", "source", column], sqlite_where=known, postgresql_where=known)
