"""Name what a mistyped name may have meant: the most similar known name, else all of them."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

_CUTOFF = 0.6


def similar_name(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that is most similar to `name`, whatever its case; None: none is similar."""
    by_folded = {one.casefold(): one for one in known}
    close = difflib.get_close_matches(name.casefold(), by_folded, n=1, cutoff=_CUTOFF)
    return by_folded[close[0]] if close else None


def similar_name_hint(name: str, known: Iterable[str]) -> str:
    """Return `` (did you mean clever?)``; empty: no known name is similar."""
    close = similar_name(name, known)
    return f" (did you mean {close}?)" if close else ""


def suggestion(name: str, known: Iterable[str], label: str) -> str:
    """Return what to write instead of `name`: ``; did you mean users?``, else ``; `label`: users, terms``."""
    names = list(known)
    close = similar_name(name, names)
    return f"; did you mean {close}?" if close else f"; {label}: {', '.join(names) or 'none'}"
