"""What the records of all Ed-Fi resources share: rows in order, ids, days and descriptors."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from roster_etl.exports.arrays import Array, Mask, column
from roster_etl.exports.cells import local_midnight_of
from roster_etl.exports.export_tables import ROW, ExportTables
from roster_etl.exports.rules.people import students as are_students

Record = dict[str, Any]
_AT_ONCE = 10_000


def rows_of(work: ExportTables, table: str, *key: str, where: Mask | None = None) -> Iterator[Record]:
    """Yield the records of a table in the order of a key, those of `where` alone if given; some of them are in memory at a time."""
    rows = work.table(table) if where is None else work.rows(work.table(table), where)
    names = pa.table({name: column(rows, name).cast(pa.string()) for name in key} | {ROW: column(rows, ROW)})
    places = pc.sort_indices(names, sort_keys=[(name, "ascending") for name in (*key, ROW)])
    for start in range(0, len(places), _AT_ONCE):
        yield from _records(rows.take(places.slice(start, _AT_ONCE)))


def _records(rows: pa.Table) -> Iterator[Record]:
    """Yield rows as `to_pylist` returns them, in a third of its time."""
    names = rows.column_names
    return (dict(zip(names, cells, strict=True)) for cells in zip(*(_values(column(rows, name)) for name in names), strict=True))


def _values(cells: Array) -> list[Any]:
    if cells.null_count == len(cells):
        return [None] * len(cells)
    return cells.to_numpy(zero_copy_only=False).tolist() if pa.types.is_string(cells.type) else cells.to_pylist()


def values_of(work: ExportTables, table: str, key: str, name: str) -> dict[Any, Any]:
    """Return the values of a column by those of another."""
    rows = work.table(table)
    return dict(zip(column(rows, key).to_pylist(), column(rows, name).to_pylist(), strict=True))


def descriptor(work: ExportTables, kind: str, word: str, code: str) -> str:
    """Return the descriptor of a code: the one that the option ``descriptors`` has, else Ed-Fi's own."""
    chosen: dict[str, str] = dict(work.options.get("descriptors") or {})
    return chosen.get(code, f"uri://ed-fi.org/{kind}Descriptor#{word}")


def school_ids(work: ExportTables) -> dict[str, int]:
    """Return the number of each school, by its id in the roster."""
    numbers = values_of(work, "organizations", "organization_id", str(work.options["school_id"]))
    return {school: int(number) for school, number in numbers.items()}


def student_ids(work: ExportTables) -> dict[str, str]:
    """Return the unique id of each student, by the id in the roster."""
    learning = work.table("users").filter(pa.array(are_students(work)))
    return dict(
        zip(column(learning, "user_id").to_pylist(), column(learning, str(work.options["student_id"])).to_pylist(), strict=True)
    )


def day_of(work: ExportTables, moment: Any) -> str | None:
    """Return the local day of a moment, as an ISO date."""
    return None if moment is None else local_midnight_of(moment, work.zone)[0].isoformat()


def last_day_of(work: ExportTables, moment: Any) -> str | None:
    """Return the last local day before a moment, as an ISO date."""
    if moment is None:
        return None
    day, begins = local_midnight_of(moment, work.zone)
    return (day - timedelta(days=1) if begins else day).isoformat()


def drop_null_values(record: Record) -> Record:
    """Return a record without what is not known."""
    return {name: value for name, value in record.items() if value is not None}
