"""Tell which imports an undo reverted.

Belongs here: what the ledger's rows say of it. No I/O.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any


def undone_imports(rows: Sequence[Mapping[str, Any]]) -> set[int]:
    """Return the imports in `rows` (published, oldest first) that an undo reverted and no undo of that undo restored."""
    gone: set[int] = set()
    for row in rows:
        for undone in reversed((row["summary"] or {}).get("undoes", ())):
            again = next((r for r in rows if r["import_id"] == undone and r["kind"] == "undo"), None)
            gone.add(undone)
            gone.difference_update(again["summary"]["undoes"] if again else ())
    return gone


def without_undone(rows: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """Yield the imports in `rows` (published, newest first) that still count. Reads no more rows than its caller asks for."""
    undone: set[int] = set()
    for row in rows:
        if row["import_id"] in undone:
            continue
        undone.update((row["summary"] or {}).get("undoes", ()))
        yield row
