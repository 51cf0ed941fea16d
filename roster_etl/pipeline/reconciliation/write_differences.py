"""What opens and closes in the table of differences, and among the links of people, when two feeds were compared.

Belongs here: comparing what was found with what is open, and why a difference closes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from roster_etl.canonical.reconciliation import CloseReason
from roster_etl.engine.reconcile.rosters import Difference, Roster, keys_json
from roster_etl.pipeline.reconciliation.changes import Compared
from roster_etl.pipeline.reconciliation.people import update_links
from roster_etl.store.warehouse import WriteSession

Pair = tuple[str, str, str]
Identity = tuple[Any, ...]
"""What makes a difference the same one as before: table, key_a, key_b, kind, field, value_a, value_b."""


def write_compared(tx: WriteSession, pair: Pair, found: Compared, at: datetime, import_id: int) -> tuple[int, int]:
    """Open and close differences and links; return how many differences."""
    session = tx.reconciliation
    before = session.open_identities(pair) if found.keys is None else session.open_identities_of(pair, found.keys)
    new, gone = _changes(before, found.differences)
    for reason, numbers in _close_reasons(gone, new, found.a, found.b).items():
        session.close_differences(numbers, reason, at)
    session.add_differences(pair, [_row(difference) for difference in new], at)
    update_links(tx.people, pair, found.named, at=at, import_id=import_id, touched=found.people)
    return len(new), len(gone)


def _identity(difference: Difference) -> Identity:
    d = difference
    return (d.table, d.key_a, d.key_b, d.kind, d.field, d.value_a, d.value_b)


def _row(d: Difference) -> dict[str, Any]:
    names = ("key_a", "key_b", "kind", "field", "value_a", "value_b", "organization_id", "import_a", "import_b")
    return {"table_name": d.table, **{name: getattr(d, name) for name in names}}


def _changes(before: Sequence[Identity], found: Iterable[Difference]) -> tuple[list[Difference], dict[Identity, int]]:
    """Return the differences that are new, and the numbers of open ones that are found no more."""
    open_ = {row[1:]: int(row[0]) for row in before}
    new = [difference for difference in found if open_.pop(_identity(difference), None) is None]
    return new, open_


def _close_reasons(gone: Mapping[Identity, int], new: Sequence[Difference], a: Roster, b: Roster) -> dict[CloseReason, list[int]]:
    """Return why each difference that is found no more is closed: reason → numbers."""
    replaced = {(d.table, d.key_a, d.key_b, d.field) for d in new}
    current = _current_keys(gone, a, b)
    found: dict[CloseReason, list[int]] = {"superseded": [], "agrees": [], "gone": []}
    for (table, key_a, key_b, _, field_, *_), number in gone.items():
        reason: CloseReason = "gone"
        if (table, key_a, key_b, field_) in replaced:
            reason = "superseded"
        elif all(key is None or (table, side, key) in current for side, key in (("a", key_a), ("b", key_b))):
            reason = "agrees"
        found[reason].append(number)
    return found


def _current_keys(gone: Iterable[Identity], a: Roster, b: Roster) -> set[tuple[str, str, str]]:
    """Return which of the records of `gone` are current: table, side (a or b) and key."""
    wanted: dict[tuple[str, str], set[str]] = defaultdict(set)
    for table, key_a, key_b, *_ in gone:
        for side, key in (("a", key_a), ("b", key_b)):
            if key is not None:
                wanted[table, side].add(key)
    found = set()
    for (table, side), keys in wanted.items():
        rows = (a if side == "a" else b)[table]
        found |= {(table, side, text) for text in keys_json(rows, table) if text in keys}
    return found
