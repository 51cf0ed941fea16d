"""Text as it is compared where spelling does not tell records apart: without case, accents and repeated blanks."""

from __future__ import annotations

from unicodedata import category, normalize

import pyarrow as pa
import pyarrow.compute as pc


def folded_text(cells: pa.Array) -> pa.Array:
    """Return `cells` in lower case, without accents, and with one blank where there are several."""
    plain = pc.replace_substring_regex(pc.utf8_normalize(cells, form="NFKD"), r"\p{Mn}", "")
    return pc.utf8_trim_whitespace(pc.replace_substring_regex(pc.utf8_lower(plain), r"\s+", " "))


def fold(text: str) -> str:
    """Return one text as `folded_text` does."""
    plain = text if text.isascii() else "".join(c for c in normalize("NFKD", text) if category(c) != "Mn")
    return " ".join(plain.lower().split())
