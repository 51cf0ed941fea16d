"""Ids that changed between two moments, in a format that knows a file for them: the record goes on under its new id."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TypeAlias

import pyarrow as pa

from roster_etl.canonical.roster import TABLES
from roster_etl.exports.arrays import texts
from roster_etl.exports.build import BuiltFile
from roster_etl.exports.delta import Snapshot
from roster_etl.exports.export_tables import ExportTables
from roster_etl.exports.plan import RenameFile

CHANGE_COUNT = "times"
"""The extra column of ``id_changes`` that counts a change that was made again after it had been undone."""
Renames = Mapping[str, Mapping[str, str]]
"""Entity → the id before → the id now."""
_Recorded: TypeAlias = Mapping[tuple[str, str, str], int]


def renamed_records(before: ExportTables, now: ExportTables, file: RenameFile) -> Renames:
    """Return the ids that changed between two moments, of records that are in both rosters; only of entities that `file` can name."""
    steps: dict[str, dict[str, str]] = {}
    for (entity, old), new in _changed(_recorded(before), _recorded(now)).items():
        if entity in file.words:
            steps.setdefault(entity, {})[old] = new
    found = {entity: _chains(pairs, _ids(before, entity), _ids(now, entity)) for entity, pairs in steps.items()}
    return {entity: pairs for entity, pairs in found.items() if pairs}


def _changed(known: _Recorded, found: _Recorded) -> dict[tuple[str, str], str]:
    """Return the ids that changed, by entity and id before: those of changes that were made, and back those of changes that were undone.

    An undone change comes before all that were made since: if one of these is about the same id, another record may have had it.
    """
    made = {(entity, old): new for (entity, old, new), times in found.items() if times != known.get((entity, old, new), 0)}
    gone = known.keys() - found.keys()
    back = {(entity, new): old for entity, old, new in gone}
    several = Counter((entity, new) for entity, _, new in gone)
    used = {*made, *((entity, new) for (entity, _), new in made.items())}
    undone = {key: old for key, old in back.items() if several[key] == 1 and key not in used}
    return {key: new for key, new in made.items() if key not in back} | undone


def say_renames(before: ExportTables, now: ExportTables, renames: Renames) -> None:
    """Give the records of the earlier roster their new ids, and take the changes that are said out of what has no home."""
    for entity, pairs in renames.items():
        before.rename_ids(entity, texts(pairs), texts(pairs.values()), "id_not_allowed", count=False)
    rows = now.table("id_changes")
    said = {(entity, old) for entity, pairs in renames.items() for old in pairs}
    kept = [(row["entity"], row["old_id"]) not in said for row in rows.select(["entity", "old_id"]).to_pylist()]
    now.tables["id_changes"] = rows.filter(pa.array(kept, pa.bool_()))


def rename_file(file: RenameFile, renames: Renames, now: ExportTables, before: Snapshot, after: Snapshot) -> BuiltFile | None:
    """Return the file of the changes of records that both snapshots have; None: there are none."""
    rows = []
    for entity, pairs in sorted(renames.items()):
        there = _written(file, entity, before) & _written(file, entity, after)
        prefix = _kinds(now, pairs.values()) if entity == "users" and now.options.get("user_ids") == "kinded" else {}
        for old, new in sorted(pairs.items()):
            start = f"{prefix[new]}-" if new in prefix else ""
            if f"{start}{new}" in there:
                rows.append((f"{start}{old}", f"{start}{new}", file.words[entity]))
    if not rows:
        return None
    return BuiltFile(name=file.name, cells={name: texts(row[at] for row in rows) for at, name in enumerate(file.columns)})


def _written(file: RenameFile, entity: str, snapshot: Snapshot) -> set[str]:
    """Return the ids of an entity's records that the files name."""
    built = snapshot.get(file.files[entity])
    return set(built.cells[built.identity[0]].to_pylist()) if built is not None and built.rows else set()


def _kinds(work: ExportTables, ids: Iterable[str]) -> dict[str, str]:
    wanted, users = set(ids), work.original["users"].select(["user_id", "user_kind"]).to_pylist()
    return {row["user_id"]: row["user_kind"] for row in users if row["user_id"] in wanted}


def _recorded(work: ExportTables) -> _Recorded:
    """Return how often each id changed, as of a moment."""
    rows = work.table("id_changes").select(["entity", "old_id", "new_id", "extensions"]).to_pylist()
    return {
        (row["entity"], row["old_id"], row["new_id"]): int(json.loads(row["extensions"] or "{}").get(CHANGE_COUNT, 1))
        for row in rows
    }


def _chains(pairs: Mapping[str, str], before: Counter[str], now: Counter[str]) -> dict[str, str]:
    """Return the id before and the id now of each record that is in both rosters, and under one of the two in each."""
    found = {}
    for old in pairs:
        new, seen = pairs[old], {old}
        while new not in now and new in pairs and new not in seen:
            seen.add(new)
            new = pairs[new]
        if before[old] == 1 and now[new] == 1 and not (before[new] or now[old]):
            found[old] = new
    return found


def _ids(work: ExportTables, entity: str) -> Counter[str]:
    return Counter(work.col(entity, TABLES[entity].key[-1]).to_pylist())
