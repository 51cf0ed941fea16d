"""Compare ids in one form of letters and digits, as a spreadsheet, another export or a keyboard would have changed them.

Belongs here: that one form of an id. Ids that differ in it only are different ids everywhere; messages name the likeness.
"""

from __future__ import annotations

from unicodedata import category, normalize

import pyarrow as pa
import pyarrow.compute as pc

DIFFERENCE = "only by leading zeros, by case or by characters that are invisible or full-width"
"""How similar ids differ."""
SIMILAR = f"One that differs {DIFFERENCE} exists."
"""The sentence of a message about an unknown id."""


def text_skeleton(id_: str) -> str:
    """Return one id in lower case, without leading zeros and invisible characters; full-width ones are plain (NFKC)."""
    plain = id_ if id_.isascii() else "".join(c for c in normalize("NFKC", id_) if category(c) != "Cf")
    return plain.lower().lstrip("0")


def id_skeleton(ids: pa.Array) -> pa.Array:
    """Return `ids` as `text_skeleton` does; null stays null."""
    plain = ids.cast(pa.string())
    if pc.all(pc.string_is_ascii(plain)).as_py() is False:
        plain = pc.replace_substring_regex(pc.utf8_normalize(plain, form="NFKC"), r"\p{Cf}+", "")
    return pc.utf8_ltrim(pc.utf8_lower(plain), characters="0")


def is_similar(ids: pa.Array, known: pa.Array) -> pa.Array:
    """Return which of `ids` (none of them is in `known`) are similar to one of `known`."""
    return pc.and_(pc.is_valid(ids), pc.is_in(id_skeleton(ids), value_set=pc.unique(id_skeleton(pc.drop_null(known)))))
