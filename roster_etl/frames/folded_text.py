"""Text as it is compared where spelling does not tell records apart: without case, accents and repeated blanks."""

from __future__ import annotations

from unicodedata import category, normalize

import pyarrow as pa
import pyarrow.compute as pc

WHITE_SPACE = (
    "\t\n\v\f\r \x85\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
)
"""Unicode's White_Space. Arrow and Python count the separators U+001C to U+001F too: these are control characters, which are kept."""


def folded_text(cells: pa.Array) -> pa.Array:
    """Return `cells` in lower case, without accents, and with one blank where there are several."""
    plain = pc.replace_substring_regex(pc.utf8_normalize(cells, form="NFKD"), r"\p{Mn}", "")
    return pc.utf8_trim_whitespace(pc.replace_substring_regex(pc.utf8_lower(plain), r"\s+", " "))


def fold(text: str) -> str:
    """Return one text as `folded_text` does."""
    plain = text if text.isascii() else "".join(c for c in normalize("NFKD", text) if category(c) != "Mn")
    return " ".join(plain.lower().split())
