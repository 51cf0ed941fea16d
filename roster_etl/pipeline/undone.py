"""Which imports count no more, because an undo took back what they did.

Belongs here: reading that from ledger rows. Undoing is ``pipeline.review.undo``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def undone_imports(rows: Sequence[Mapping[str, Any]]) -> set[int]:
    """Return which of the published imports `rows` (oldest first) a later undo took back, and no undo of that brought back."""
    gone: set[int] = set()
    for row in rows:
        for undone in reversed((row["summary"] or {}).get("undoes", ())):
            again = next((r for r in rows if r["import_id"] == undone and r["kind"] == "undo"), None)
            gone.add(undone)
            gone.difference_update(again["summary"]["undoes"] if again else ())
    return gone
