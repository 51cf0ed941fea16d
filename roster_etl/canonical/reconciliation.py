"""The tables of reconciliation: differences between the feeds of a district, what people decided, and how far it has got."""

from typing import Final, Literal

import sqlalchemy as sa

from roster_etl.canonical.sql_types import METADATA, NUMBERED, JsonText, Timestamp

CloseReason = Literal["agrees", "gone", "superseded"]
DifferenceDecision = Literal["accepted", "ignored"]

_OPEN, _CLOSED = sa.text("closed_at IS NULL"), sa.text("closed_at IS NOT NULL")


def _text(name: str, comment: str, *, nullable: bool = True) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=nullable, comment=comment)


RECONCILIATION: Final = sa.Table(
    "reconciliation",
    METADATA,
    sa.Column("difference_id", NUMBERED, sa.Identity(), primary_key=True, comment="The number of this difference"),
    _text("district_id", "The district's partition key", nullable=False),
    _text("source_a", "One feed; the one whose name sorts first", nullable=False),
    _text("source_b", "The other feed", nullable=False),
    _text("table_name", "The roster table", nullable=False),
    sa.Column("key_a", JsonText(), comment="JSON object: key of the record in feed A; NULL: it has none"),
    sa.Column("key_b", JsonText(), comment="JSON object: key of the record in feed B; NULL: it has none"),
    _text("organization_id", "The school, for counts per school"),
    _text("kind", "missing_in_a, missing_in_b, differs, only_one_knows or ambiguous", nullable=False),
    _text("field", "The column; NULL: the whole record"),
    _text("value_a", "The value in feed A; NULL: none"),
    _text("value_b", "The value in feed B; NULL: none"),
    sa.Column("import_a", sa.BigInteger(), comment="The import of feed A that made it so"),
    sa.Column("import_b", sa.BigInteger(), comment="The import of feed B that made it so"),
    sa.Column("first_seen", Timestamp(), nullable=False, comment="When it was found"),
    sa.Column("closed_at", Timestamp(), comment="When it was found no more; NULL while open"),
    _text("close_reason", "agrees, gone or superseded; NULL while open"),
    _text("decision", "accepted or ignored; NULL: not decided"),
    _text("decided_by", "Who decided"),
    sa.Column("decided_at", Timestamp(), comment="When it was decided"),
    _text("reason", "Why it was decided so"),
    sa.Index(
        "ix_reconciliation_open", "district_id", "source_a", "source_b", "table_name", sqlite_where=_OPEN, postgresql_where=_OPEN
    ),
    *(
        sa.Index(
            f"ix_reconciliation_open_{key}",
            *("district_id", "source_a", "source_b", "table_name", key),
            sqlite_where=_OPEN,
            postgresql_where=_OPEN,
        )
        for key in ("key_a", "key_b")
    ),
    sa.Index("ix_reconciliation_district", "district_id", "difference_id"),
    sa.Index("ix_reconciliation_closed", "district_id", "closed_at", sqlite_where=_CLOSED, postgresql_where=_CLOSED),
    comment="Where the feeds of a district disagree, since when, and what was decided",
    sqlite_autoincrement=True,
)

FEED_DECISIONS: Final = sa.Table(
    "feed_decisions",
    METADATA,
    sa.Column("decision_id", NUMBERED, sa.Identity(), primary_key=True, comment="The number of this decision"),
    _text("district_id", "The district's partition key", nullable=False),
    _text("verb", "accept, ignore, reopen, link or unlink", nullable=False),
    sa.Column("about", JsonText(), nullable=False, comment="JSON list: what identifies each difference, or pair of records"),
    _text("decided_by", "Who decided", nullable=False),
    sa.Column("decided_at", Timestamp(), nullable=False, comment="When it was decided"),
    _text("reason", "Why it was decided so"),
    sa.Index("ix_feed_decisions_district", "district_id", "decision_id"),
    comment="What people decided about differences and links between feeds; each is in the archive, too",
    sqlite_autoincrement=True,
)

RECONCILIATION_STATE: Final = sa.Table(
    "reconciliation_state",
    METADATA,
    _text("district_id", "The district's partition key", nullable=False),
    _text("source_a", "One feed; the one whose name sorts first", nullable=False),
    _text("source_b", "The other feed", nullable=False),
    sa.Column("import_a", sa.BigInteger(), nullable=False, comment="The newest import of feed A that was compared"),
    sa.Column("import_b", sa.BigInteger(), nullable=False, comment="The newest import of feed B that was compared"),
    _text("settings", "Hash of the rules and columns that were compared", nullable=False),
    sa.Column("counts", JsonText(), nullable=False, comment="JSON object: table, matched records and how many by each rule"),
    sa.PrimaryKeyConstraint("district_id", "source_a", "source_b"),
    comment="Up to which imports two feeds of a district were compared",
)
