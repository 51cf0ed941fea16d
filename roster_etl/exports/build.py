"""Build an export: scope, rules, rows, cells; every loss that the declaration shows is counted."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from roster_etl.canonical.roster import TABLES
from roster_etl.exports.arrays import Array, column, each_distinct, mask, present
from roster_etl.exports.cells import Formulas, write_cells
from roster_etl.exports.export_tables import ROW, ExportTables, may_name
from roster_etl.exports.plan import ExportFormat, OutColumn, OutFile
from roster_etl.exports.rows import table_rows
from roster_etl.exports.rules.writable_ids import leave_out_unwritable_ids
from roster_etl.frames.arrow import rows_in_order

_UNSAID = frozenset({"user_kind"})  # which file a person stands in says it, or nothing has to


@dataclass(frozen=True)
class BuiltFile:
    """One file: its name, its cells as text by column, and the columns that tell its records apart."""

    name: str
    cells: dict[str, Array]
    identity: tuple[str, ...] = ()

    @property
    def rows(self) -> int:
        """The number of rows."""
        return len(next(iter(self.cells.values()))) if self.cells else 0


def prepare(work: ExportTables, format_: ExportFormat) -> None:
    """Count what has no home, and apply the rules of the format."""
    work.homes, work.held = format_.held_tables(), format_.held_columns()
    work.extension_prefixes = {file.table: file.extensions for file in format_.files if file.extensions}
    count_unsupported_tables(work, format_)
    if format_.vendor is not None:
        leave_out_unwritable_ids(work)
    for rule in format_.rules:
        rule(work)
        work.settle()
    count_unsupported_columns(work, format_)


def build_files(work: ExportTables, format_: ExportFormat, formulas: Formulas) -> Iterator[BuiltFile]:
    """Yield the files in their order, once the rules have been applied."""
    for file in format_.files:
        if file.when.startswith("option:") and not work.options.get(file.when.removeprefix("option:")):
            continue
        built = build_file(work, file, formulas)
        if built.rows or file.when != "rows":
            yield built


def build_file(work: ExportTables, file: OutFile, formulas: Formulas) -> BuiltFile:
    """Build one file: rows in the order of their keys, columns in the order of the document."""
    make_rows = file.rows or table_rows(file.table)
    rows = make_rows(work)
    outs = file.columns + (file.columns_of(work, rows) if file.columns_of else ())
    outs = (*outs, *_extension_columns(work, file, rows))
    keys = [name for name in file.key if name in rows.column_names]
    needed = {ROW, *keys, *(out.value for out in outs)}
    rows = work.store.keep(rows.select([name for name in rows.column_names if name in needed]))
    if rows.num_rows > 1 and keys and not rows_in_order([column(rows, name) for name in keys]):
        rows = work.take(rows, pc.sort_indices(rows, sort_keys=[(name, "ascending") for name in keys]))
    work.store.release()
    cells = write_cells(work, file, rows, outs, formulas)
    missing = np.zeros(rows.num_rows, dtype=bool)
    if ROW in rows.column_names:
        work.written[file.table] = column(rows, ROW)
    for out in outs:
        if out.required:
            missing |= ~present(cells[out.name])
    if missing.any():
        work.losses.add("row_left_out", "missing_required", int(missing.sum()), table=file.table, file=file.name)
        cells = {name: values.filter(pa.array(~missing)) for name, values in cells.items()}
    kept = {out.name: cells[out.name] for out in outs if not out.optional or present(cells[out.name]).any()}
    if kept:
        stored = work.store.keep(pa.table(kept))
        kept = {name: column(stored, name) for name in kept}
    del rows, cells
    work.store.release()
    return BuiltFile(name=file.name, cells=kept, identity=file.identity)


def _extension_columns(work: ExportTables, file: OutFile, rows: pa.Table) -> tuple[OutColumn, ...]:
    """Return the extra columns (``ext.grade``) that the rows bring along, as columns of the file."""
    if not file.extensions:
        return ()
    names = sorted(name for name in rows.column_names if name.casefold().startswith(file.extensions))
    return tuple(OutColumn(name, value=name, holds=(f"{file.table}.extensions",), optional=True) for name in names)


def count_unsupported_tables(work: ExportTables, format_: ExportFormat) -> None:
    """Count the rows of tables that have no home in the format, and drop them."""
    held = format_.held_tables()
    for name in list(work.tables):
        if name not in held:
            work.losses.add("table_left_out", "no_home", work.tables[name].num_rows, table=name)
            work.unheld[name] = work.tables.pop(name)  # a rule may still find something there


def count_unsupported_columns(work: ExportTables, format_: ExportFormat) -> None:
    """Count the cells of columns that have no home, in the rows that are exported."""
    held = format_.held_columns()
    for table, rows in work.tables.items():
        spec = TABLES[table]
        for name in (*spec.names, "extensions"):
            if f"{table}.{name}" in held or name in _UNSAID or name not in rows.column_names:
                continue
            cells = len(rows) - rows.column(name).null_count
            work.losses.add("column_left_out", "no_home", cells, table=table, column=name)
    for table, file in {file.table: file for file in format_.files if file.extensions}.items():
        work.losses.add("column_left_out", "no_home", _foreign_extensions(work, file), table=table, column="extensions")


def _foreign_extensions(work: ExportTables, file: OutFile) -> int:
    """Return how many records have extra columns that the format does not let through."""

    def has_foreign(cell: str) -> bool:
        return any(
            not name.casefold().startswith(file.extensions) and name not in file.said_extensions for name in json.loads(cell)
        )

    cells = work.col(file.table, "extensions")
    names = (file.extensions, *file.said_extensions)
    own = np.logical_or.reduce([may_name(cells, name) for name in names])
    some = cells.filter(pa.array(own))
    foreign = each_distinct(some, has_foreign, pa.bool_())
    return int((present(cells) & ~own).sum()) + int(mask(foreign).sum())
