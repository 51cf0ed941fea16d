"""An index by which the imports of a feed are found in the order in which they ended, however many there are."""

from __future__ import annotations

from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Create the index."""
    op.create_index("ix_imports_finished", "imports", ["district_id", "source", "status", "finished_at", "import_id"])
