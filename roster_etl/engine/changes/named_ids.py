"""The ids that the rows of an upload name, and those that these lead to: only past records with them can matter to it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from roster_etl.canonical.roster import TABLES
from roster_etl.engine.changes.change_rows import ChangeFile
from roster_etl.engine.changes.state import IdChange
from roster_etl.frames.arrow import combine_chunks
from roster_etl.mapping.change_plan import ChangePlan

_ID = "_id"


def collect_named_ids(
    plan: ChangePlan, sources: Sequence[ChangeFile], current: Mapping[str, pa.Table], changes: Sequence[IdChange]
) -> pa.Array:
    """Return the ids in the rows of `sources`, in the current records that they name, and before and after changes of these ids.

    Args: sources: rows of the upload and of the quarantine; current: table → its current versions; changes: those of earlier imports.
    """
    kinds = {kind.name: kind for kind in plan.kinds}
    columns = [
        source.rows.column(given.column)
        for source in sources
        for given in kinds[source.kind].columns
        if given.to.endswith(_ID) and given.column in source.rows.column_names
    ]
    ids = _with_changes(_distinct(columns), changes)
    for _ in range(2):  # a login leads to its person, and the person to an organization
        ids = _distinct([ids, *(column for name, rows in current.items() for column in ids_of(_named(name, rows, ids)))])
    return _with_changes(ids, changes)


def ids_of(rows: pa.Table) -> list[pa.ChunkedArray]:
    """Return the columns of `rows` that hold ids."""
    return [
        rows.column(name) for name in rows.column_names if name.endswith(_ID) and pa.types.is_string(rows.schema.field(name).type)
    ]


def _named(table: str, rows: pa.Table, ids: pa.Array) -> pa.Table:
    """Return the records whose own id, or id of another system, is among `ids`; none of a table that joins others."""
    own = [name for name in TABLES[table].key if name.endswith(_ID)]
    if len(own) != 1 or not rows.num_rows:
        return rows.slice(0, 0)
    hit = pc.is_in(combine_chunks(rows.column(own[0])), value_set=ids)
    if "integration_id" in rows.column_names:
        hit = pc.or_(hit, pc.is_in(combine_chunks(rows.column("integration_id")), value_set=ids))
    return rows.filter(hit)


def _with_changes(ids: pa.Array, changes: Sequence[IdChange]) -> pa.Array:
    """Return `ids` with what they were before the changes, and have become since."""
    if not changes:
        return ids
    linked: dict[str, set[str]] = {}
    for change in changes:
        linked.setdefault(change.old, set()).add(change.new)
        linked.setdefault(change.new, set()).add(change.old)
    found: set[str] = set()
    waiting = pc.filter(ids, pc.is_in(ids, value_set=pa.array([*linked], pa.string()))).to_pylist()
    while waiting:
        one = waiting.pop()
        waiting += linked.get(one, set()) - found
        found |= linked.get(one, set())
    return _distinct([ids, pa.array(sorted(found), pa.string())])


def _distinct(columns: Iterable[pa.Array | pa.ChunkedArray]) -> pa.Array:
    parts = [combine_chunks(pa.chunked_array(column)) if isinstance(column, pa.ChunkedArray) else column for column in columns]
    return pc.drop_null(pc.unique(pa.concat_arrays([pa.array([], pa.string()), *(part.cast(pa.string()) for part in parts)])))
