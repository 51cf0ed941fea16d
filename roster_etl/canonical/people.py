"""The table of links between records of people: which records of a district are one human, since when, and by which rule."""

from __future__ import annotations

from typing import Final, Literal, get_args

import sqlalchemy as sa

from roster_etl.canonical.sql_types import METADATA, NUMBERED, Timestamp

LinkVerdict = Literal["same", "apart", "contradiction"]
LinkCloseReason = Literal["not_named", "superseded", "linked", "unlinked"]
VERDICTS: Final[tuple[str, ...]] = get_args(LinkVerdict)
DECISION: Final = "decision"
"""The rule of a link that a steward decided."""

_WHERE = {"open": sa.text("valid_to IS NULL"), "past": sa.text("valid_to IS NOT NULL")}

_DECIDED = sa.text("valid_to IS NULL AND rule = 'decision'")


def _text(name: str, comment: str, *, nullable: bool = True) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=nullable, comment=comment)


def _index(side: str, which: str) -> sa.Index:
    """Return the index by the records of one side, for links that hold, or past ones."""
    columns, where = ("district_id", f"source_{side}", f"user_kind_{side}", f"user_id_{side}"), _WHERE[which]
    return sa.Index(f"ix_person_links_{which}_{side}", *columns, sqlite_where=where, postgresql_where=where)


PERSON_LINKS: Final = sa.Table(
    "person_links",
    METADATA,
    sa.Column("link_id", NUMBERED, sa.Identity(), primary_key=True, comment="The number of this link"),
    _text("district_id", "The district's partition key", nullable=False),
    _text("person_id", "The person that both records are; NULL unless the verdict is same"),
    _text("source_a", "Feed of one record; the one that sorts first", nullable=False),
    _text("user_kind_a", "Its kind of user", nullable=False),
    _text("user_id_a", "Its ID", nullable=False),
    _text("source_b", "Feed of the other record", nullable=False),
    _text("user_kind_b", "Its kind of user", nullable=False),
    _text("user_id_b", "Its ID", nullable=False),
    _text(
        "verdict",
        "same: one human; apart: two, as a steward decided; contradiction: a rule names them, and it cannot be",
        nullable=False,
    ),
    _text("rule", "The rule that names exactly one record on each side, or decision", nullable=False),
    sa.Column("valid_from", Timestamp(), nullable=False, comment="Since when"),
    sa.Column("valid_to", Timestamp(), comment="Until when; NULL while it holds"),
    sa.Column("valid_from_import", sa.BigInteger(), nullable=False, comment="The newest import of the two feeds by then"),
    sa.Column(
        "valid_to_import", sa.BigInteger(), comment="The newest import of the two feeds when it ended; NULL while it holds"
    ),
    _text("close_reason", "not_named, superseded, linked or unlinked; NULL while it holds"),
    _text("decided_by", "Who decided; NULL: a rule"),
    _text("reason", "Why it was decided so"),
    *(_index(side, which) for side in ("a", "b") for which in ("open", "past")),
    sa.Index("ix_person_links_decided", "district_id", "source_a", "source_b", sqlite_where=_DECIDED, postgresql_where=_DECIDED),
    sa.Index("ix_person_links_opened", "valid_from_import"),
    sa.Index("ix_person_links_closed", "valid_to_import"),
    comment="Which records of a district's feeds are one human, since when, and by which rule",
    sqlite_autoincrement=True,
)
