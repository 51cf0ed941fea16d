"""An index of undos: an import of changes asks which imports of its feed were undone, and reads no others."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    """Create the index."""
    undos = sa.text("kind = 'undo'")
    op.create_index(
        "ix_imports_undos", "imports", ["district_id", "source", "import_id"], sqlite_where=undos, postgresql_where=undos
    )
