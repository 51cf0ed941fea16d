"""The table of receipts: which signed statement was made of which import, in one chain for each feed.

Belongs here: the table. What a receipt says is in ``pipeline.reporting.receipts.statement``; the receipts themselves are files of the archive.
"""

from typing import Final

import sqlalchemy as sa

from roster_etl.canonical.sql_types import METADATA, JsonText

_UNSIGNED, _UNDECIDED = sa.text("sha256 IS NULL"), sa.text("undecided")

RECEIPTS: Final = sa.Table(
    "receipts",
    METADATA,
    sa.Column("district_id", sa.Text(), primary_key=True, comment="The district's partition key"),
    sa.Column("source", sa.Text(), primary_key=True, comment="The format of the feed"),
    sa.Column("number", sa.BigInteger(), primary_key=True, autoincrement=False, comment="1, 2, 3 and so on within the feed"),
    sa.Column("kind", sa.Text(), nullable=False, comment="import, decision, undo, export, purge or key"),
    sa.Column("import_id", sa.BigInteger(), comment="The import that it is about; NULL: none"),
    sa.Column("export_id", sa.BigInteger(), comment="The export that it is about; NULL: none"),
    sa.Column("status", sa.Text(), comment="The status of the import or export that it states"),
    sa.Column("undecided", sa.Boolean(), nullable=False, comment="Whether another receipt follows once the import is decided"),
    sa.Column("covered_to", sa.BigInteger(), nullable=False, comment="Every import of the feed up to this one has its receipt"),
    sa.Column("roster_import", sa.BigInteger(), comment="The import whose published roster it states; NULL: none was published"),
    sa.Column("roster", JsonText(), comment="JSON object: table, rows and hash of the roster that it states; NULL until signed"),
    sa.Column("keyid", sa.Text(), comment="The key that signed it; NULL until signed"),
    sa.Column("sha256", sa.Text(), comment="Hash of the envelope's bytes (hex); NULL until signed"),
    sa.Index("ix_receipts_import", "import_id"),
    # With the column of the condition: else SQLite prefers the primary key, and walks through the whole chain.
    sa.Index("ix_receipts_unsigned", "district_id", "source", "sha256", sqlite_where=_UNSIGNED, postgresql_where=_UNSIGNED),
    sa.Index(
        "ix_receipts_undecided",
        "district_id",
        "source",
        "undecided",
        sqlite_where=sa.text("undecided = 1"),
        postgresql_where=_UNDECIDED,
    ),
    comment="The signed receipts of every feed, in the order of their chain",
)
