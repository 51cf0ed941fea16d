"""Add the file set of the upload to each import.

Earlier imports belong to formats whose files arrive together: their file set has no name.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the column."""
    op.add_column("imports", sa.Column("file_set", sa.Text(), nullable=False, server_default=""))
