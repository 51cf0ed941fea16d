"""Write the canonical tables as they are: Parquet or CSV, and their description."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from roster_etl.canonical.roster import TABLES, RosterTable
from roster_etl.exports.arrays import column, each_distinct, same
from roster_etl.exports.build import BuiltFile
from roster_etl.exports.cells import escape_formulas, instant_text, number_text, refuse_formulas, without_breaks
from roster_etl.exports.csv_file import csv_bytes
from roster_etl.exports.export_tables import ROW, ColumnStore, ExportTables
from roster_etl.exports.losses import Losses
from roster_etl.exports.plan import PERSON_ID
from roster_etl.exports.scope import leave_out, narrow
from roster_etl.pipeline.exports.export_progress import ExportProgress
from roster_etl.pipeline.exports.order import ResolvedExport
from roster_etl.pipeline.exports.read_back import ReadBackFailed, compare_cells
from roster_etl.pipeline.reconciliation.person_ids import person_ids
from roster_etl.pipeline.workspace import Workspace
from roster_etl.store.files.column_spool import ColumnSpool

_CLOSING = ("valid_to_import", "valid_to", "close_reason")
_BATCH = 65_536


def write(workspace: Workspace, resolved: ResolvedExport, folder: Path, written: ExportProgress) -> None:
    """Write a file for each table, and the description of all. Raises ReadBackFailed, FormulasFound."""
    tables, store = _scoped_tables(workspace, resolved, written)
    texts: list[BuiltFile] = []
    for name, table in tables.items():
        if resolved.options["file_type"] == "csv":
            texts.append(_write_csv(folder, TABLES[name], table, resolved, written, store))
        else:
            _write_parquet(folder, name, table, written)
        store.release()
    if resolved.order.formulas == "refuse":
        refuse_formulas(built.cells.values() for built in texts)
    description = json.dumps({"tables": {name: _described(name, table) for name, table in tables.items()}}, indent=1) + "\n"
    written.write(folder, "tables.json", [description.encode()], len(tables))


def _scoped_tables(
    workspace: Workspace, resolved: ResolvedExport, written: ExportProgress
) -> tuple[dict[str, pa.Table], ColumnStore]:
    """Return all tables with every column of their views, as of the moment, in the order of their keys; and where they are."""
    store = ColumnSpool(workspace.settings.scratch)
    place = (resolved.order.district_id, resolved.source)
    with workspace.warehouse.read() as session:
        tables = {
            name: _as_known(
                session.roster.as_of(resolved.as_of, name, *place, order=(*spec.key, "version_id"), collect=store.collect)  # type: ignore[call-arg]
            )
            for name, spec in TABLES.items()
        }
        if resolved.options["person_id"]:
            tables["users"] = _with_people(workspace, resolved, tables["users"])
    work = ExportTables(
        tables=tables,
        district_id=resolved.order.district_id,
        district_name=resolved.district_name,
        zone=resolved.zone,
        moment=resolved.as_of,
        options=resolved.options,
        store=store,
    )
    written.losses = work.losses
    leave_out(work, resolved.order.leave_out)
    narrow(work, resolved.order.schools, enrolled_only=resolved.order.enrolled_only)
    whole = {name: table for name, table in work.tables.items() if name not in resolved.order.leave_out}
    return {name: store.keep(table.drop_columns([ROW])) for name, table in whole.items()}, store


def _with_people(workspace: Workspace, resolved: ResolvedExport, users: pa.Table) -> pa.Table:
    """Return users with the person that each is across feeds, as of the moment."""
    with workspace.warehouse.read_people() as session:
        people = person_ids(session, resolved.order.district_id, resolved.source, resolved.moment)
    return users.append_column(PERSON_ID, people.column(users))


def _as_known(versions: pa.Table) -> pa.Table:
    """Return versions as they were at the moment: none of them was closed yet."""
    rows = versions.drop_columns(["version_id"])
    for name in _CLOSING:
        place = rows.schema.get_field_index(name)
        rows = rows.set_column(place, name, pa.nulls(rows.num_rows, rows.schema.field(name).type))
    return rows


def _write_parquet(folder: Path, name: str, table: pa.Table, written: ExportProgress) -> None:
    import pyarrow.parquet as pq

    file = f"{name}.parquet"
    pq.write_table(table.combine_chunks(), folder / file, compression="zstd", version="2.6", row_group_size=_BATCH)
    _require_rows(pq.ParquetFile(folder / file), table, file)
    written.record_file(folder, file, table.num_rows)


def _require_rows(written: Any, table: pa.Table, file: str) -> None:
    """Read a file back, some rows at a time, and require that they are those of the table. Raises ReadBackFailed."""
    place = 0
    for batch in written.iter_batches(batch_size=_BATCH):
        if not pa.table(batch).equals(table.slice(place, batch.num_rows)):
            raise ReadBackFailed(file=file, what="other rows")
        place += batch.num_rows
    if place != table.num_rows or not written.schema_arrow.equals(table.schema):
        raise ReadBackFailed(file=file, what=f"{place} of {table.num_rows} rows")


def _write_csv(
    folder: Path, spec: RosterTable, table: pa.Table, resolved: ResolvedExport, written: ExportProgress, store: ColumnStore
) -> BuiltFile:
    file = f"{spec.name}.csv"
    formulas: Any = resolved.order.formulas
    cells = {}
    for name in table.column_names:
        values = as_text(column(table, name))
        text = pa.types.is_string(table.schema.field(name).type) and name in spec.names
        cells[name] = _said(values, formulas, written.losses, spec.name, name) if text else values
    stored = store.keep(pa.table(cells))
    cells = {name: column(stored, name) for name in cells}
    built = BuiltFile(name=file, cells=cells)
    written.write(folder, file, csv_bytes(cells, "\r\n", store.release), table.num_rows)
    compare_cells(folder, built, store)
    return built


def _said(values: Any, formulas: Any, losses: Losses, table: str, name: str) -> Any:
    """Return text without line breaks, and guarded; what changes is counted."""
    said = without_breaks(values)
    if said is not values:
        losses.add("value_changed", "line_break", int((~same(values, said)).sum()), table=table, column=name, file=f"{table}.csv")
    return escape_formulas(said, formulas, losses, table=table, name=name, file=f"{table}.csv")


def as_text(values: Any) -> Any:
    """Return values of any canonical type as text: ISO dates and times, ``true`` and ``false``."""
    if pa.types.is_timestamp(values.type):
        return each_distinct(values, instant_text)
    if pa.types.is_boolean(values.type):
        return values.cast(pa.string())
    return number_text(values)


def _described(name: str, table: pa.Table) -> dict[str, Any]:
    spec = TABLES[name]
    comments = {PERSON_ID: "The person across feeds, IDs and school years", **{f.name: f.comment for f in _all_columns(spec)}}
    columns = [{"name": f.name, "type": str(f.type), "comment": comments.get(f.name, "")} for f in table.schema]
    return {"comment": spec.comment, "key": list(spec.key), "rows": table.num_rows, "columns": columns}


def _all_columns(spec: RosterTable) -> Iterator[Any]:
    from roster_etl.canonical.roster import COMMON, FEED

    yield from (*FEED, *spec.columns, *COMMON)
