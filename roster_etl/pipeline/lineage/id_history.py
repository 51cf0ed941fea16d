"""Find the other keys of a record whose ID changed, from ``id_changes``."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from roster_etl.canonical.references import ID_COLUMNS
from roster_etl.canonical.roster import RosterTable
from roster_etl.store.warehouse import RosterReader

_MOST = 50  # limit of IDs followed for one record


@dataclass(frozen=True, kw_only=True)
class RelatedKey:
    """A key that the record had, or has. ``before``: only older versions belong to the record (an ID may be reused).

    ``change``: the row of ``id_changes`` that led to this key.
    """

    key: Mapping[str, Any]
    change: Mapping[str, Any]
    before: datetime | None = None


def other_keys(roster: RosterReader, feed: tuple[str, str], target: RosterTable, key: Mapping[str, Any]) -> list[RelatedKey]:
    """Return the other keys of the record that has `key` in table `target`: earlier and later ones."""
    seen, found, reverted = [dict(key)], list[RelatedKey](), roster.reverted_imports(*feed)
    for back in (True, False):
        at: list[Mapping[str, Any]] = [key]
        while at and len(found) < _MOST:
            steps = [under for known in at for under in _adjacent_keys(roster, feed, target, known, reverted, back=back)]
            fresh = [under for under in steps if under.key not in seen]
            seen += [dict(under.key) for under in fresh]
            found += fresh
            at = [under.key for under in fresh]
    return found


def _adjacent_keys(
    roster: RosterReader,
    feed: tuple[str, str],
    target: RosterTable,
    key: Mapping[str, Any],
    reverted: Collection[int],
    *,
    back: bool,
) -> Iterator[RelatedKey]:
    known, other = ("new_id", "old_id") if back else ("old_id", "new_id")
    for entity, places in ID_COLUMNS.items():
        for table, column in places:
            if table != target.name or column not in target.key or key[column] is None:
                continue
            rows = roster.trace("id_changes", {"entity": entity, known: key[column]}, *feed).to_pylist()
            for row in (row for row in rows if row["valid_to_import"] is None and _concerns_person_kind(row, key)):
                # An undo may have brought the change back: it counts from when it was made.
                made = [one for one in rows if one[other] == row[other] and one["valid_from_import"] not in reverted]
                change = made[-1] if made else row
                yield RelatedKey(key={**key, column: row[other]}, change=change, before=change["valid_from"] if back else None)


def _concerns_person_kind(change: Mapping[str, Any], key: Mapping[str, Any]) -> bool:
    """Return whether a change applies to this kind of person; a change without a kind applies to all."""
    kind = json.loads(change["extensions"] or "{}").get("user_kind")
    return kind is None or "user_kind" not in key or bool(key["user_kind"] == kind)
