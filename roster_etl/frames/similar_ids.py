"""Compare ids without leading zeros and without case, as a spreadsheet or another export would have changed them.

Belongs here: that one form of an id. Ids that differ in it only are different ids everywhere; messages name the likeness.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

SIMILAR = "One that differs only by leading zeros or by case exists."
"""The sentence of a message about an unknown id."""


def text_skeleton(id_: str) -> str:
    """Return one id in lower case, without leading zeros."""
    return id_.lower().lstrip("0")


def id_skeleton(ids: pa.Array) -> pa.Array:
    """Return `ids` in lower case, without leading zeros; null stays null."""
    return pc.utf8_ltrim(pc.utf8_lower(ids.cast(pa.string())), characters="0")


def is_similar(ids: pa.Array, known: pa.Array) -> pa.Array:
    """Return which of `ids` (none of them is in `known`) differ from one of `known` only by leading zeros or by case."""
    return pc.and_(pc.is_valid(ids), pc.is_in(id_skeleton(ids), value_set=pc.unique(id_skeleton(pc.drop_null(known)))))
