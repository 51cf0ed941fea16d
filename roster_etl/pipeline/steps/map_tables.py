"""Map the validated files of an upload to one canonical table."""

from __future__ import annotations

import json
from collections.abc import Iterator
from collections.abc import Mapping as MappingABC
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from roster_etl.canonical.roster import TABLES
from roster_etl.engine.transform.carry_over import (
    carry_over_missing_columns,
    carry_over_unsure_values,
    find_placeholder_rows,
    suppress_placeholders,
)
from roster_etl.engine.transform.mapper import MappedTable, SourceFile, map_table
from roster_etl.engine.transform.override_source_cells import with_edited_cells
from roster_etl.engine.transform.overrides import RecordEdit, apply_edits
from roster_etl.engine.validation.validate import VERDICTS
from roster_etl.frames.arrow import REFUSED, combine_chunks, release_memory, row_codes
from roster_etl.frames.row_hashes import key_text
from roster_etl.mapping.column_plan import RECEIVED_ON
from roster_etl.pipeline.staging import FileResult, staging_of
from roster_etl.pipeline.steps.roster_snapshot_info import RosterSnapshotInfo
from roster_etl.pipeline.uploads.upload import Upload
from roster_etl.pipeline.workspace import Workspace
from roster_etl.store.warehouse import RosterReader
from roster_etl.vendors.lineage import mappings_to


def map_roster_table(
    workspace: Workspace, upload: Upload, table: str, validated: MappingABC[str, pa.Table], feed: RosterSnapshotInfo
) -> pa.Table:
    """Map the `validated` files to canonical `table`.

    Returns: one row per record: business columns, ``source_file``, ``source_row``, ``derived``, ``extensions``, ``row_hash``,
        ``_refused`` (a rejected row has the record: it is present, not removed).
    """
    return stage_mapped(workspace, upload, table, compute_table(workspace, upload, table, validated, feed))


def compute_table(
    workspace: Workspace, upload: Upload, table: str, validated: MappingABC[str, pa.Table], feed: RosterSnapshotInfo
) -> tuple[MappedTable, pa.Table]:
    """Return canonical `table` as `map_roster_table` does, with its findings, and the input of its suite (VERDICTS). Stages nothing."""
    files = {name: _source(workspace, upload, name, rows) for name, rows in validated.items()}
    settings, edits = {**upload.values, RECEIVED_ON: upload.received_on}, _edits(feed)
    files = with_edited_cells(files, upload.vendor.mappings, edits, settings)
    mapped = map_table(TABLES[table], mappings_to(upload.vendor, table), files, settings)
    with workspace.warehouse.read() as session:
        mapped = _carry_over_missing_values(session.roster, upload, table, mapped, files)
        mapped = _carry_over_unsure_values(session.roster, upload, table, mapped)
        mapped = drop_placeholder_rows(workspace, session.roster, upload, table, mapped)
    mapped = replace(mapped, table=apply_edits(TABLES[table], mapped.table, edits.get(table, [])))
    lines = table_rule_counts(table, mapped.table, mapped.collisions, feed.counts[table])
    release_memory()
    return mapped, lines


def stage_mapped(workspace: Workspace, upload: Upload, table: str, computed: tuple[MappedTable, pa.Table]) -> pa.Table:
    """Stage what `compute_table` returned but for the rows, and return these."""
    mapped, lines = computed
    staging_of(workspace, upload).write_mapped(table, findings=mapped.findings, lines=lines)
    return mapped.table


def _edits(feed: RosterSnapshotInfo) -> dict[str, list[RecordEdit]]:
    """Return the stewards' edits in force, by table; they take precedence over the upload's values."""
    found: dict[str, list[RecordEdit]] = {}
    for row in feed.overrides:
        edit = RecordEdit(key=json.loads(row["key"]), field=row["field"], value=row["value"])
        found.setdefault(row["table_name"], []).append(edit)
    return found


def _missing_target_columns(upload: Upload, table: str, files: MappingABC[str, SourceFile]) -> dict[str, set[str]]:
    """Return, by file name as uploaded, the columns of `table` whose source columns earlier uploads had and this one lacks."""
    silent: dict[str, set[str]] = {}
    for mapping in mappings_to(upload.vendor, table):
        read = {name: files[name] for name in mapping.files() if name in files}
        lost = {name: file.lost for name, file in read.items() if file.lost}
        there = {name: file.rows.column_names for name, file in read.items()}
        columns = set(mapping.unavailable_targets(there, lost)) - set(TABLES[table].key) if lost else set()
        silent.setdefault(files[mapping.source].file_name, set()).update(columns)
    return silent


def _carry_over_missing_values(
    roster: RosterReader, upload: Upload, table: str, mapped: MappedTable, files: MappingABC[str, SourceFile]
) -> MappedTable:
    """Fill the values for which the upload has no source from the current versions."""
    silent = _missing_target_columns(upload, table, files)
    sources = {mapping.source for mapping in mappings_to(upload.vendor, table) if mapping.extensions}
    prefixes = {name: upload.format.file(name).extensions for name in sources}
    lost = {c for name in sources for c in files[name].lost if c.casefold().startswith(tuple(prefixes[name]))}
    if not lost and not any(silent.values()):
        return mapped
    feed = (upload.district_id, upload.source, table)
    current = (
        roster.versions_by_key(*feed, mapped.table)
        if TABLES[table].holds_events
        else roster.versions(table, roster.current_hashes(*feed).column("version_id"))
    )
    return replace(mapped, table=carry_over_missing_columns(TABLES[table], mapped.table, current, silent, lost))


def _carry_over_unsure_values(roster: RosterReader, upload: Upload, table: str, mapped: MappedTable) -> MappedTable:
    """Keep the current values of cells that are missing because a row of another file was rejected."""
    if not any(len(keys) for keys in mapped.unsure.values()):
        return mapped
    target = TABLES[table]
    records = pa.concat_arrays([*mapped.unsure.values()])
    keys = mapped.table.filter(pc.is_in(key_text(mapped.table, target.key), value_set=records)).select(list(target.key))
    current = roster.versions_by_key(upload.district_id, upload.source, table, keys)
    return replace(mapped, table=carry_over_unsure_values(target, mapped.table, current, mapped.unsure))


def _source(workspace: Workspace, upload: Upload, name: str, rows: pa.Table) -> SourceFile:
    result = _file_result(workspace, upload, name)
    file_name = upload.file_name(upload.format.file(name))
    return SourceFile(
        rows=rows,
        file_name=file_name,
        extensions=result.extensions if result else (),
        lost=frozenset(result.lost if result else ()),
    )


def _file_result(workspace: Workspace, upload: Upload, name: str) -> FileResult | None:
    """Return the validation result of the file `name`; None: the upload does not have it."""
    return staging_of(workspace, upload).file_result(name) if upload.member(name) else None


def table_rule_counts(table: str, mapped: pa.Table, collisions: int, previous_count: int) -> pa.Table:
    """Return the counts that the suite of canonical `table` evaluates (VERDICTS).

    `collisions` is the number of records whose key an earlier record has; `previous_count` the number of records in the roster
    before (`RosterSnapshotInfo.counts`).
    """
    refused = mapped.select([*TABLES[table].key, REFUSED]).filter(mapped.column(REFUSED))
    accepted = mapped.num_rows - refused.num_rows
    lines = [("key unique", "key", accepted + collisions, collisions)]
    if not TABLES[table].holds_events:  # events are not expected again
        named = row_codes([combine_chunks(refused.column(name)) for name in TABLES[table].key])
        seen = len(np.unique(named))  # several rejected rows may have the same record
        lines.append(("rows against last import", "rows", previous_count, max(0, previous_count - accepted - seen)))
    return pa.Table.from_pylist(
        [
            {"rule": f"{table}: {rule}", "column": table, "check": check, "judged": judged, "failing": failing}
            for rule, check, judged, failing in lines
        ],
        schema=VERDICTS,
    )


def drop_placeholder_rows(
    workspace: Workspace, roster: RosterReader, upload: Upload, table: str, mapped: MappedTable
) -> MappedTable:
    """Mark placeholder rows as rejected where they replace a rejected row and the roster has a version from the primary file.

    Only the records of such rows are looked up: rejected rows are in nearly every upload.
    """
    target = TABLES[table]
    for better, others in _placeholder_files(upload, table):
        result = _file_result(workspace, upload, better)
        if result and (result.refused or result.rows_rejected):
            found = find_placeholder_rows(
                target,
                mapped.table,
                primary_file=upload.file_name(upload.format.file(better)),
                placeholder_files=others,
                has_redacted_key=bool(result.refused or result.evidence),
            )
            if found.any():
                keys = mapped.table.filter(pa.array(found)).select(list(target.key))
                current = _current_from_file(roster, upload, table, better, keys)
                mapped = replace(mapped, table=suppress_placeholders(target, mapped.table, found, current))
    return mapped


def _placeholder_files(upload: Upload, table: str) -> Iterator[tuple[str, frozenset[str]]]:
    """Yield each source file of `table`, with the names of the files that have placeholder rows for its records."""
    mappings = [mapping for mapping in upload.vendor.mappings if mapping.to == table]
    for better in dict.fromkeys(mapping.source for mapping in mappings):
        first = next(number for number, mapping in enumerate(mappings) if mapping.source == better)
        later = {m.source for m in mappings[first:] if m.is_fallback and m.source != better}
        if later and not mappings[first].is_fallback:
            yield better, frozenset(upload.file_name(upload.format.file(source)) for source in later)


def _current_from_file(roster: RosterReader, upload: Upload, table: str, primary: str, keys: pa.Table) -> pa.Table:
    """Return the current versions of the records in `keys` that came from files of the kind `primary`."""
    current = roster.versions_by_key(upload.district_id, upload.source, table, keys)
    origin = combine_chunks(current.column("source_file"))
    names = [name for name in pc.unique(origin).to_pylist() if name and upload.kind_of(name) == primary]
    return current.filter(pc.is_in(origin, value_set=pa.array(names, pa.string())))
