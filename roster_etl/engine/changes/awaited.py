"""What rejected rows wait for, as texts: records, values and rows that could let them apply, or take their place.

Belongs here: which texts a rejected row waits for, and which ones the changed records and the rows of an upload touch. A waiting row of
which no text is touched would be rejected again: what its check read has not changed. More texts than needed cost a retry, too few would
leave a row waiting that applies.

A text names a value of a column (``users.user_id=17``), a record that rows describe (``enrollments:…``, equal for rows about one
record), a row that gives an id to another record (``~users.user_id=17``), or nothing but the next upload (`NEXT`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from roster_etl.canonical.references import ID_COLUMNS
from roster_etl.engine.changes.change_rows import ChangeFile
from roster_etl.frames.arrow import REFUSED, ROW, combine_chunks
from roster_etl.mapping.change_plan import ChangePlan, RowKind

NEXT: Final = "next"
PERSONS: Final = ("users", "logins")  # a further login's id refers to the person as well
WATCHED: Final[Mapping[str, tuple[str, ...]]] = {
    "organizations": ("organization_id", "parent_organization_id", "integration_id"),
    "terms": ("term_id", "integration_id"),
    "courses": ("course_id", "organization_id", "term_id", "integration_id"),
    "sections": ("section_id", "course_id", "home_course_id", "integration_id"),
    "users": ("user_id", "username", "integration_id"),
    "logins": ("login_user_id", "username", "integration_id"),
    "enrollments": ("user_id",),
    "group_categories": ("group_category_id", "name"),
    "groups": ("group_id", "group_category_id"),
    "group_memberships": ("group_id",),
    "observers": ("observer_id",),
}
"""Table → the columns of which values are waited for; the first one stands for the record."""
ID_CHANGE: Final = ("entity", "old_id", "new_id")
_BLOCKED_BY_OTHERS = frozenset({"has_active_children", "move_blocked"})

AWAITED: Final = pa.schema([("import_id", pa.int64()), ("file", pa.string()), ("row", pa.int64()), ("awaits", pa.string())])
"""One row for each text that a rejected row waits for. ``import_id``: NULL for rows of the upload that is applied."""


@dataclass(kw_only=True)
class Waits:
    """The rejected rows of one upload, and of earlier ones that were retried, as they are found.

    ``sources``: kind → its files, retried ones included; ``more``: (source, position) → what else the row at that position waits for.
    ``left``: texts of ids that waiting rows gave to other records, until newer rows took their place.
    """

    sources: dict[str, list[ChangeFile]] = field(default_factory=dict)
    rejected: dict[int, set[int]] = field(default_factory=dict)
    more: dict[tuple[int, int], set[str]] = field(default_factory=dict)
    left: list[pa.Array] = field(default_factory=list)

    def add(self, source: ChangeFile, positions: Iterable[int], texts: Iterable[str] = ()) -> None:
        """Record that the rows at `positions` of `source` are rejected, and what they wait for besides what their cells name."""
        places = [int(at) for at in positions]
        self.rejected.setdefault(id(source), set()).update(places)
        if found := set(texts):
            for at in places:
                self.more.setdefault((id(source), at), set()).update(found)


def text_of(table: str, key: Any) -> str | None:
    """Return the text of a record of `table`; None: nothing waits for its records."""
    first = key[0] if isinstance(key, tuple) else key
    return f"{table}.{WATCHED[table][0]}={first}" if table in WATCHED and first is not None else None


def texts_of_blocked(kind: RowKind, code: str, key: Any) -> Iterator[str]:
    """Yield the texts of records that refer to the record `key` and so keep a row of `kind` from ending or moving it."""
    for table, column in ID_COLUMNS.get(kind.table, ()) if code in _BLOCKED_BY_OTHERS else ():
        if column in WATCHED.get(table, ()):
            yield f"{table}.{column}={key}"


def texts_of_versions(name: str, rows: pa.Table) -> list[pa.Array]:
    """Return the distinct texts that versions of table `name` touch. Args: rows: at least the columns of WATCHED, or ID_CHANGE."""
    if name == "id_changes":
        changes = rows.select(ID_CHANGE).to_pylist()
        texts = {text_of(change["entity"], change[end]) for change in changes for end in ("old_id", "new_id")}
        return [pa.array(sorted(text for text in texts if text), pa.string())]
    return [_texts(name, column, rows.column(column)) for column in WATCHED.get(name, ())]


def touched_texts(touched: Mapping[str, Sequence[pa.Table]], since: Mapping[str, int] | None = None) -> pa.Array:
    """Return the texts of all records that changed. Args: touched: table → versions before and after changes; since: table → the first that counts."""
    begin = since or {}
    recent = {name: versions[begin.get(name, 0) :] for name, versions in touched.items()}
    found = [
        texts for name, versions in recent.items() if versions for texts in texts_of_versions(name, pa.concat_tables(versions))
    ]
    return _concat(found)


def texts_of_cells(plan: ChangePlan, kind: RowKind, rows: pa.Table) -> list[pa.Array]:
    """Return, by row, the texts that the cells of `rows` name: one array for each column and place; null where a cell is empty."""
    return [_texts_by_row(*place, rows.column(column)) for column, place in _places(plan, kind) if column in rows.column_names]


def own_texts(kind: RowKind, rows: pa.Table) -> pa.Array:
    """Return the texts of the records that `rows` of `kind` are about, by row; null where nothing waits for such records."""
    column = kind.column(kind.key[0])
    if kind.table not in ID_COLUMNS or WATCHED[kind.table][0] != kind.key[0] or column not in rows.column_names:
        return pa.nulls(rows.num_rows, pa.string())
    return texts_of_ids(kind.table, rows.column(column))


def texts_of_ids(table: str, ids: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Return the texts of records of `table` by their ids, by row."""
    return _texts_by_row(table, WATCHED[table][0], ids)


def strangers(texts: pa.Array) -> pa.Array:
    """Return the texts of rows that give these ids to other records."""
    return pc.binary_join_element_wise("~", texts, "", null_handling="emit_null")


def texts_of_rows(kind: RowKind, keys: pa.Array) -> pa.Array:
    """Return the texts of the records that rows describe. Args: keys: one text for each record (``record_identity``)."""
    return pc.binary_join_element_wise(f"{kind.name}:", keys, "")


def waiting_places(waits: Waits, kind: RowKind) -> tuple[pa.Table, pa.Table, list[set[str]]]:
    """Return the rejected rows of a kind that were uploaded: their cells, their places (AWAITED without texts), and what else they wait for."""
    cells, places, more = [], [], list[set[str]]()
    for source in waits.sources.get(kind.name, ()):
        refused = np.flatnonzero(combine_chunks(source.rows.column(REFUSED)).to_numpy(zero_copy_only=False))
        at = np.array(sorted({*refused.tolist(), *waits.rejected.get(id(source), ())}), dtype=np.int64)
        numbers = combine_chunks(source.rows.column(ROW)).cast(pa.int64()).take(pa.array(at))
        at = at[pc.is_valid(numbers).to_numpy(zero_copy_only=False)]  # a comparison made the others
        if not len(at):
            continue
        cells.append(source.rows.take(pa.array(at)))
        columns = [pa.repeat(pa.scalar(source.import_id, pa.int64()), len(at)), pa.repeat(pa.scalar(source.file), len(at))]
        places.append(pa.table([*columns, pc.drop_null(numbers)], names=["import_id", "file", "row"]))
        more += [waits.more.get((id(source), place), set()) for place in at.tolist()]
    if not cells:
        return pa.table({}), AWAITED.empty_table().drop_columns(["awaits"]), []
    return pa.concat_tables(cells, promote_options="default"), pa.concat_tables(places), more


def awaited_table(places: pa.Table, texts: Sequence[pa.Array], more: Sequence[set[str]]) -> pa.Table:
    """Return AWAITED rows. Args: places: of the rejected rows; texts: arrays with one text for each of them, or null; more: further ones."""
    flat = [(number, text) for number, found in enumerate(more) for text in sorted(found)]
    own = pa.array(np.arange(places.num_rows))
    at = pa.concat_arrays([*(own.filter(pc.is_valid(column)) for column in texts), pa.array([n for n, _ in flat], pa.int64())])
    said = pa.concat_arrays([*(pc.drop_null(column) for column in texts), pa.array([text for _, text in flat], pa.string())])
    return places.take(at).append_column("awaits", said).select(AWAITED.names).cast(AWAITED)


def _places(plan: ChangePlan, kind: RowKind) -> Iterator[tuple[str, tuple[str, str]]]:
    """Yield (column of the file, (table, column) of which its cells are values)."""
    for given in kind.columns:
        for place in _places_of(plan, kind, given.to):
            yield given.column, place


def _places_of(plan: ChangePlan, kind: RowKind, name: str) -> Iterator[tuple[str, str]]:
    persons = [(table, "integration_id") for table in PERSONS]
    if kind.handler == "rename":
        tables = [*plan.entities.values(), "logins"]
        if name in ("old_id", "new_id"):
            yield from ((table, WATCHED[table][0]) for table in tables)
        elif name.endswith("integration_id"):
            yield from ((table, "integration_id") for table in tables if "integration_id" in WATCHED[table])
    elif name == "user_integration_id":
        yield from persons
    elif name == "integration_id":
        yield from persons if kind.table in PERSONS else [(kind.table, name)]
    elif name == "username":
        yield from ((table, name) for table in PERSONS)
    elif name in WATCHED.get(kind.table, ()) and not name.endswith("_id"):
        yield kind.table, name
    else:
        yield from ((table, WATCHED[table][0]) for table in sorted(entities_of(kind, name)))


def entities_of(kind: RowKind, name: str) -> frozenset[str]:
    """Return the tables of whose records the cells `name` of `kind` are ids."""
    named = {refers.table for refers in kind.references if refers.to == name}
    named |= {entity for entity, places in ID_COLUMNS.items() if (kind.table, name) in places}
    return frozenset({*named, *PERSONS} if named & {*PERSONS} else named)


def _texts_by_row(table: str, column: str, values: pa.Array | pa.ChunkedArray) -> pa.Array:
    cells = (combine_chunks(values) if isinstance(values, pa.ChunkedArray) else values).cast(pa.string())
    cells = pc.utf8_lower(cells) if column == "username" else cells
    return pc.binary_join_element_wise(f"{table}.{column}=", cells, "", null_handling="emit_null")


def _texts(table: str, column: str, values: pa.ChunkedArray) -> pa.Array:
    return pc.drop_null(_texts_by_row(table, column, pc.unique(values)))


def _concat(parts: Iterable[pa.Array]) -> pa.Array:
    return pa.concat_arrays([pa.array([], pa.string()), *parts])
