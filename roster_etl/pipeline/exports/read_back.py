"""Read an export back before it is moved into place: with the reader of its format, or else cell by cell."""

from __future__ import annotations

import mmap
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from roster_etl.canonical.roster import TABLES
from roster_etl.engine.changes import ChangeFile, ChangeInput, apply_changes
from roster_etl.engine.csv.arrow_columns import column_names
from roster_etl.engine.csv.continue_file import continue_file
from roster_etl.engine.csv.format_manifest import read_manifest
from roster_etl.engine.csv.reader import STRICT_LIMITS, RawFile, read_csv
from roster_etl.engine.transform.mapper import SourceFile, map_table
from roster_etl.engine.validation.validate import ReferencedFile, ValidatedFile, empty_result, validate_file
from roster_etl.exports.arrays import column, same
from roster_etl.exports.build import BuiltFile
from roster_etl.exports.csv_file import csv_bytes
from roster_etl.exports.export_tables import ColumnStore
from roster_etl.exports.plan import ExportFormat
from roster_etl.frames.arrow import DELETED, REFUSED, combine_chunks, row_codes, shares_code
from roster_etl.frames.mapped_bytes import Content
from roster_etl.mapping.column_plan import (
    RECEIVED_ON,
    Computed,
    CurrentSpan,
    Lookup,
    OnlyRows,
    SplitList,
    WarnIfDifferent,
    WarnUnmatched,
)
from roster_etl.mapping.column_plan import Mapping as ColumnMapping
from roster_etl.spec import File
from roster_etl.spec.errors import PermanentError
from roster_etl.spec.options import resolve_options
from roster_etl.vendors import Vendor, vendor
from roster_etl.vendors.lineage import tables_of

_ROW_BY_ROW = (Computed, CurrentSpan, Lookup, OnlyRows, SplitList, WarnIfDifferent, WarnUnmatched)
_ROWS_AT_ONCE = 262_144


class ReadBackFailed(PermanentError):
    """Our own reader refuses what was written."""

    code = "read_back_failed"
    template = "{file}: our own reader rejects what was written ({what}); nothing was moved into place. This is a fault of roster_etl: report it with this line"


def read_back(
    format_: ExportFormat, folder: Path, files: Mapping[str, BuiltFile], zone: str, options: Mapping[str, Any], store: ColumnStore
) -> Iterator[tuple[str, pa.Table]]:
    """Validate the written files as an import of their format would, and yield the canonical tables that it would make of them.

    Of several rows with one key the first counts. Each cell has to be what was to be written. Nothing is yielded if the format is not imported: then the cells are all that is read.
    Args: zone: the time zone of the roster; options: those of the export, of which one may name the version that was written;
          store: takes what is not being looked at.
    Raises: ReadBackFailed.
    """
    if format_.vendor is None:
        for built in files.values():
            compare_cells(folder, built, store)
            store.release()
        return
    found = _of_version(vendor(format_.vendor), options)
    values = resolve_options(found.format, {"time_zone": zone})
    _require_manifest(found, folder, [*files], changes=False)
    judged = _validated(found, folder, files, values, store)
    store.release()
    yield from _changed(found, judged, values).items() if found.change_plan is not None else _mapped(found, judged, values, store)


def read_back_changes(
    format_: ExportFormat,
    folder: Path,
    names: list[str],
    options: Mapping[str, Any],
    before: Mapping[str, BuiltFile],
    now: Mapping[str, BuiltFile],
) -> None:
    """Continue the whole files of `before` with the written changes, validate them as an import would, and require the records of `now`.

    For a format whose uploads say file by file what they are; others are compared cell by cell only. Raises ReadBackFailed.
    """
    found = _of_version(vendor(format_.vendor), options) if format_.vendor else None
    if found is None or found.format.manifest is None:
        return
    _require_manifest(found, folder, names, changes=True)
    results: dict[str, ValidatedFile] = {}
    for file in found.format.files:
        whole = before.get(file.file_name)
        earlier = b"".join(csv_bytes(whole.cells, format_.newline)) if whole is not None and whole.rows else b""
        fresh = 0
        if file.changes and file.file_name in names:
            changes = read_csv((folder / file.file_name).read_bytes())
            earlier = continue_file(file, changes, read_csv(earlier) if earlier else None)
            fresh = changes.rows_read
        if not file.changes or not earlier:
            results[file.name] = empty_result(file)
            continue
        results[file.name] = result = _validate(found, file, read_csv(earlier), results, {}, changes=fresh or None)
        _require_accepted(file.file_name, result)
        _require_records(file, result, now.get(file.file_name))


def _require_records(file: File, result: ValidatedFile, now: BuiltFile | None) -> None:
    """Require that the records that stand after the changes are those of the whole file. Raises ReadBackFailed."""
    rows = result.rows
    if DELETED in rows.column_names:
        rows = rows.filter(pc.invert(pc.fill_null(rows.column(DELETED), False)))
    standing = sorted(map(str, column(rows, file.key[0]).to_pylist()))
    wanted = sorted(map(str, now.cells[file.key[0]].to_pylist())) if now is not None and now.rows else []
    if standing != wanted:
        raise ReadBackFailed(file=file.file_name, what=f"{len(standing)} records after the changes, {len(wanted)} in the roster")


def _of_version(found: Vendor, options: Mapping[str, Any]) -> Vendor:
    """Return the vendor with the files of the version that an option of the export names."""
    manifest = found.format.manifest
    version = str(options.get(manifest.version_option, "")) if manifest else ""
    return replace(found, format=found.format.for_version(version)) if version else found


def _require_manifest(found: Vendor, folder: Path, names: list[str], *, changes: bool) -> None:
    """Require that the manifest, read strictly, names each written file as what it is, and no other. Raises ReadBackFailed."""
    facts = found.format.manifest
    if facts is None:
        return
    own = found.format.file(facts.file).file_name
    reading = read_manifest(read_csv((folder / own).read_bytes()), found.format, strict=True)
    if refused := [finding.code for finding in reading.findings if finding.severity == "upload"]:
        raise ReadBackFailed(file=own, what=", ".join(sorted(set(refused))))
    word = facts.changes if changes else facts.whole
    stated = {found.format.file(name).file_name for name, mode in reading.modes.items() if mode == word}
    if stated != set(names) - {own} or {*reading.modes.values()} - {word, facts.absent}:
        raise ReadBackFailed(file=own, what="it names other files than those that were written")


def _validated(
    found: Vendor, folder: Path, files: Mapping[str, BuiltFile], values: Mapping[str, Any], store: ColumnStore
) -> dict[str, ValidatedFile]:
    """Return the result for each file; one of them is in memory at a time."""
    results: dict[str, ValidatedFile] = {}
    for file in found.format.files:
        if file.file_name not in files:
            results[file.name] = empty_result(file)
            continue
        listed: dict[str, Any] = {c.name: values[c.allowed_values_option] for c in file.columns if c.allowed_values_option}
        raw = compare_cells(folder, files[file.file_name], store)
        store.release()
        result = _validate(found, file, raw, results, listed, release=store.release)
        _require_accepted(file.file_name, result)
        del raw
        results[file.name] = replace(result, rows=store.keep(result.rows))
        del result
        store.release()
    for built in (built for name, built in files.items() if name not in {file.file_name for file in found.format.files}):
        compare_cells(folder, built, store)
    return results


def _validate(
    found: Vendor,
    file: File,
    raw: RawFile,
    results: Mapping[str, ValidatedFile],
    listed: Mapping[str, Any],
    *,
    changes: int | None = None,
    release: Callable[[], None] | None = None,
) -> ValidatedFile:
    others = {
        name: ReferencedFile(rows=result.rows, file_name=found.format.file(name).file_name) for name, result in results.items()
    }
    return validate_file(
        raw,
        file,
        referenced_files=others,
        fixed_order=found.format.fixed_column_order,
        listed=dict(listed),
        changes=changes,
        release=release,
    )


def _require_accepted(name: str, result: ValidatedFile) -> None:
    if result.refused not in (None, "empty_file"):
        raise ReadBackFailed(file=name, what=str(result.refused))
    if result.rows_rejected:
        rejected = result.findings.filter(pc.equal(result.findings.column("severity"), "reject"))
        reasons = {(f["code"], f["field"]) for f in rejected.to_pylist()}
        texts = sorted(f"{code} in {field}" if field else str(code) for code, field in reasons)
        raise ReadBackFailed(file=name, what=f"{result.rows_rejected} rows: {', '.join(texts)}")


def _mapped(
    found: Vendor, judged: Mapping[str, ValidatedFile], values: Mapping[str, Any], store: ColumnStore
) -> Iterator[tuple[str, pa.Table]]:
    files = {
        name: SourceFile(rows=result.rows, file_name=found.format.file(name).file_name, extensions=result.extensions)
        for name, result in judged.items()
    }
    settings = {**values, RECEIVED_ON: datetime(2000, 1, 1, tzinfo=UTC).date()}
    for name in tables_of(found):
        spec = TABLES[name]
        parts = [
            store.keep(
                _accepted(map_table(spec, [mapping], files, settings, compared=True, some=some).table).select(
                    [*spec.names, "extensions"]
                )
            )
            for mapping in found.mappings
            if mapping.to == name
            for some in _slices(mapping, _named_columns(mapping, files[mapping.source]), store)
        ]
        yield name, pa.concat_tables(parts)
        del parts
        store.release()


def _named_columns(mapping: ColumnMapping, source: SourceFile) -> pa.Table:
    """Return the rows of a mapping's file with the columns that its plan names, where its steps name each: what copies rows copies no others."""
    rows = source.rows
    if not all(isinstance(step, _ROW_BY_ROW) for step in mapping.steps):
        return rows
    named = {*_texts(mapping), *(source.extensions if mapping.extensions else ())}
    return rows.select([name for name in rows.column_names if name in named or name.startswith("_")])


def _texts(plan: object) -> Iterator[str]:
    """Yield all texts in a plan, which are the names of columns, files and options, and values."""
    if isinstance(plan, str):
        yield plan
    elif isinstance(plan, Mapping):
        yield from (text for pair in plan.items() for part in pair for text in _texts(part))
    elif isinstance(plan, tuple | list | frozenset):
        yield from (text for part in plan for text in _texts(part))
    elif is_dataclass(plan):
        yield from (text for field in fields(plan) for text in _texts(getattr(plan, field.name)))


def _slices(mapping: ColumnMapping, rows: pa.Table, store: ColumnStore) -> Iterator[pa.Table]:
    """Yield some rows of the mapping's file at a time: all that a record depends on are together."""
    spans = [step for step in mapping.steps if isinstance(step, CurrentSpan)]
    parts = -(-rows.num_rows // _ROWS_AT_ONCE)
    if parts < 2 or len(spans) > 1 or not all(isinstance(step, _ROW_BY_ROW) for step in mapping.steps):
        yield rows
    elif spans:
        codes = row_codes([column(rows, name) for name in spans[0].by])
        if not shares_code(codes).any():
            yield from _runs(rows, store)
            return
        groups = codes % parts
        for number in range(parts):
            yield rows.filter(pa.array(groups == number))
            store.release()
    else:
        yield from _runs(rows, store)


def _runs(rows: pa.Table, store: ColumnStore) -> Iterator[pa.Table]:
    for start in range(0, rows.num_rows, _ROWS_AT_ONCE):
        yield rows.slice(start, _ROWS_AT_ONCE)
        store.release()


def _accepted(table: pa.Table) -> pa.Table:
    refused = table.column(REFUSED)
    return table.filter(pc.invert(refused)) if pc.any(refused).as_py() else table


def _changed(found: Vendor, judged: Mapping[str, ValidatedFile], values: Mapping[str, Any]) -> dict[str, pa.Table]:
    assert found.change_plan is not None
    sources = [
        ChangeFile(kind=name, file=found.format.file(name).file_name, rows=_present_columns(result))
        for name, result in judged.items()
        if result.rows.num_rows
    ]
    current = {name: TABLES[name].full_schema.empty_table() for name in tables_of(found)}
    options = {**values, "custom_roles": _custom_roles(found, judged)}
    made = apply_changes(found.change_plan, ChangeInput(sources=sources, current=current, past=current, options=options))
    if made.quarantine.num_rows:
        first = made.quarantine.slice(0, 1).to_pylist()[0]
        raise ReadBackFailed(file=first["file"], what=f"{made.quarantine.num_rows} rows, first {first['code']}")
    return {name: _accepted(table) for name, table in made.tables.items()}


def _custom_roles(found: Vendor, judged: Mapping[str, ValidatedFile]) -> dict[str, str]:
    """Return the roles that the files name beyond the built-in ones, as the district that takes them has to declare them."""
    assert found.change_plan is not None
    roles = found.change_plan.roles
    known = {*roles.built_in, *roles.by_name, *roles.account_roles}
    declared = {}
    for name, base in (("enrollments", "ta"), ("admins", "account")):
        rows = judged[name].rows if name in judged else None
        words = set(column(rows, "role").to_pylist()) if rows is not None and "role" in rows.column_names else set()
        declared.update({word: base for word in words if word and word not in known})
    return declared


def _present_columns(result: ValidatedFile) -> pa.Table:
    absent = {name for name in result.rows.column_names if not name.startswith("_")} - set(result.present)
    return result.rows.drop_columns([*absent])


def compare_cells(folder: Path, built: BuiltFile, store: ColumnStore) -> RawFile:
    """Read a CSV file with our own reader, and require that each cell is what was to be written. Raises ReadBackFailed."""
    meant = _Meant(built)
    raw = read_csv(_content(folder / built.name), limits=STRICT_LIMITS, keep=meant)
    if raw.refused or raw.damaged:
        raise ReadBackFailed(file=built.name, what=raw.refused or f"{len(raw.damaged)} damaged records")
    if raw.header != tuple(built.cells):
        raise ReadBackFailed(file=built.name, what="another header")
    if raw.table.num_rows != built.rows:
        raise ReadBackFailed(file=built.name, what=f"{raw.table.num_rows} of {built.rows} rows")
    for place, name in enumerate(built.cells):
        if not same(column(raw.table, f"c{place}"), meant.cells[place]).all():
            raise ReadBackFailed(file=built.name, what=f"another value in {name}")
    store.release()
    return raw


class _Meant:
    """Compares what the reader parses with what was to be written, and stands in for it: so it is in memory once, or in no place."""

    def __init__(self, built: BuiltFile) -> None:
        self.name, self.columns = built.name, [*built.cells]
        self.cells = [cells.cast(pa.string()) for cells in built.cells.values()]
        self._taken = 0

    def part(self, records: pa.Table) -> None:
        """Compare some records with those that were to be written. Raises ReadBackFailed."""
        if records.num_columns != len(self.cells):
            raise ReadBackFailed(file=self.name, what="another header")
        start, stop = self._taken, self._taken + records.num_rows
        if any(len(cells) < stop for cells in self.cells):
            raise ReadBackFailed(file=self.name, what=f"more than {len(self.cells[0])} rows")
        for name, cells, found in zip(self.columns, self.cells, records.columns, strict=True):
            if not same(combine_chunks(found), cells.slice(start, records.num_rows)).all():
                raise ReadBackFailed(file=self.name, what=f"another value in {name}")
        self._taken = stop

    def whole(self) -> pa.Table:
        """Return what was to be written, as far as the file has it."""
        return pa.table([cells.slice(0, self._taken) for cells in self.cells], names=column_names(len(self.cells)))


def _content(path: Path) -> Content:
    """Return the bytes of a file of our own, mapped into memory: nobody else can cut it off."""
    with path.open("rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if path.stat().st_size else b""
