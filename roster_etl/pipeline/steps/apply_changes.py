"""Apply a delta upload to the district's current state, and stage each canonical table as it would be afterwards.

How rows are applied is decided in ``engine.changes``, from the vendor's change plan.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from roster_etl.canonical.roster import TABLES
from roster_etl.engine.changes import (
    ChangeFile,
    ChangeInput,
    ChangeResult,
    IdChange,
    Override,
    apply_changes,
    apply_with_retries,
    collect_named_ids,
    mark_shared_ids,
)
from roster_etl.engine.transform.mapper import MappedTable
from roster_etl.frames.arrow import FILE, FINDINGS, combine_chunks, findings_table, keep_freed_memory, release_memory
from roster_etl.frames.prefetch import two_at_a_time
from roster_etl.pipeline.staging import AppliedChanges, FileResult, staging_of
from roster_etl.pipeline.steps.diff_baseline import UPLOAD_REFUSED as REFUSED_WHOLE
from roster_etl.pipeline.steps.diff_baseline import diff_against_baseline
from roster_etl.pipeline.steps.earlier_id_changes import EarlierIdChanges
from roster_etl.pipeline.steps.map_tables import compute_table, stage_mapped, table_rule_counts
from roster_etl.pipeline.steps.roster_snapshot_info import RosterSnapshotInfo
from roster_etl.pipeline.steps.waiting_rows import FeedQuarantine
from roster_etl.pipeline.uploads.upload import Upload
from roster_etl.pipeline.workspace import Workspace
from roster_etl.store.fault_injection import fault_point
from roster_etl.store.warehouse import RELEASED_ROWS_SCHEMA, Edit, RosterReader
from roster_etl.vendors.lineage import tables_of

_ID_CHANGES = "id_changes"


def apply_upload_changes(
    workspace: Workspace, upload: Upload, validated: Mapping[str, pa.Table], feed: RosterSnapshotInfo
) -> dict[str, int]:
    """Apply the `validated` files of `upload`, by kind, to the feed's roster, and write the result to staging.

    Returns: table → number of rows it would have.
    """
    plan = upload.vendor.change_plan
    assert plan is not None
    fault_point("fold.begin")
    with workspace.warehouse.read() as session:
        given = _change_input(workspace, session.roster, upload, validated, feed)
        sources = mark_shared_ids(plan, given.sources, given.current)
        comparison = diff_against_baseline(workspace, upload, sources)
        refused = comparison.how == REFUSED_WHOLE
        given = replace(given, sources=comparison.sources)
        quarantine = None if refused else FeedQuarantine(session.roster, upload, feed.overrides)
        folded = _applied(session.roster, upload, given, quarantine)
    noticed = findings_table(comparison.findings)
    staging_of(workspace, upload).write_changes(
        _applied_changes(folded, comparison.how, quarantine.basis if quarantine else None),
        tables=folded.tables,
        findings=pa.concat_tables([noticed, folded.findings]),
        quarantine=folded.quarantine,
        awaited=folded.awaited,
        tried=quarantine.tried if quarantine else RELEASED_ROWS_SCHEMA.empty_table(),
    )
    release_memory()
    fault_point("fold.done")
    return {name: table.num_rows for name, table in folded.tables.items()}


def _applied(roster: RosterReader, upload: Upload, given: ChangeInput, quarantine: FeedQuarantine | None) -> ChangeResult:
    """Apply the upload, with those rows of the quarantine that may apply now."""
    assert upload.vendor.change_plan is not None
    own, earlier = given.sources, EarlierIdChanges(roster, (upload.district_id, upload.source))

    def prepare(retried: Sequence[ChangeFile]) -> ChangeInput:
        inputs = replace(given, sources=[*retried, *own], others_wait=quarantine is not None and quarantine.others_wait)
        return _with_past(roster, upload, inputs, earlier)

    if quarantine is None:
        return apply_changes(upload.vendor.change_plan, prepare(()))
    return apply_with_retries(upload.vendor.change_plan, own, given.current, quarantine, prepare)


def build_tables(
    workspace: Workspace, upload: Upload, validated: Callable[[str], Mapping[str, pa.Table]], feed: RosterSnapshotInfo
) -> Iterator[tuple[str, pa.Table]]:
    """Yield each canonical table after the upload, in publishing order: mapped from validated files, or read from the applied changes.

    Args: validated: returns the validated files of a table, called in the order of the tables.
    """
    tables = tables_of(upload.vendor)
    if upload.vendor.change_plan is not None:
        yield from ((table, _applied_table(workspace, upload, table, feed)) for table in tables)
        return

    keep_freed_memory(upload.largest)  # the rows of the files have been read

    def sources() -> Iterator[tuple[str, Mapping[str, pa.Table]]]:
        for table in tables:
            fault_point("map.begin")
            yield table, validated(table)

    def compute(given: tuple[str, Mapping[str, pa.Table]]) -> tuple[MappedTable, pa.Table]:
        return compute_table(workspace, upload, *given, feed)

    computed = two_at_a_time(compute, sources(), largest=upload.largest)
    for table in tables:  # no name here holds a table's rows while the next ones are computed
        made = table, stage_mapped(workspace, upload, table, next(computed))
        fault_point("map.done")
        yield made
        del made


def _applied_table(workspace: Workspace, upload: Upload, table: str, feed: RosterSnapshotInfo) -> pa.Table:
    """Return canonical `table` after the changes were applied, and stage its counts for its suite, without findings."""
    fault_point("map.begin")
    staging = staging_of(workspace, upload)
    rows = staging.changed_table(table)
    lines = table_rule_counts(table, rows, 0, feed.counts[table])
    staging.write_mapped(table, findings=FINDINGS.empty_table(), lines=lines)
    fault_point("map.done")
    return rows


# ---- input


def _change_input(
    workspace: Workspace, roster: RosterReader, upload: Upload, validated: Mapping[str, pa.Table], state: RosterSnapshotInfo
) -> ChangeInput:
    feed = (upload.district_id, upload.source)
    results = staging_of(workspace, upload).file_results(upload)
    refused = [member for member in upload.members if member.refused]
    refused_files = bool(refused) or any(member.refused for result in results.values() for member in result.files.values())
    names = [name for name in tables_of(upload.vendor) if name != _ID_CHANGES]  # read once it is known which ids matter
    return ChangeInput(
        sources=list(_sources(validated, results)),
        current={name: roster.versions(name, roster.current_hashes(*feed, name).column("version_id")) for name in names},
        options=upload.values,
        overrides=[_to_override(row) for row in state.overrides],
        supplied=frozenset(kind for kind, result in results.items() if any(not m.refused for m in result.files.values())),
        refused_files=refused_files,
    )


def _with_past(roster: RosterReader, upload: Upload, given: ChangeInput, earlier: EarlierIdChanges) -> ChangeInput:
    """Return the input with the ID changes, and the last versions of removed records, that its rows may be about.

    The own ids of removed records may lead to further ones: a removed section names its course. What ever went, or changed its id, is more
    every night.
    """
    feed, names = (upload.district_id, upload.source), list(given.current)
    ids, _ = _named_ids(upload, given, given.current, earlier)
    past = roster.removed_versions_of(*feed, names, ids, earlier.reverted)
    more, changes = _named_ids(upload, given, {**given.current, **_both(given.current, past)}, earlier)
    past = past if len(more) == len(ids) else roster.removed_versions_of(*feed, names, more, earlier.reverted)
    past = {name: _with_hidden(roster, feed, name, versions, changes, earlier.reverted) for name, versions in past.items()}
    return replace(given, current={**given.current, _ID_CHANGES: earlier.current}, id_changes=changes, past=past)


def _named_ids(
    upload: Upload, given: ChangeInput, records: Mapping[str, pa.Table], earlier: EarlierIdChanges
) -> tuple[pa.Array, list[IdChange]]:
    """Return the ids that rows name, or that `records` with these ids name, and the ID changes of any of them."""
    assert upload.vendor.change_plan is not None
    changes: list[IdChange] = []
    while True:
        ids = collect_named_ids(upload.vendor.change_plan, given.sources, records, changes)
        found = earlier.of(ids)
        if len(found) == len(changes):
            return ids, changes
        changes = found


def _both(current: Mapping[str, pa.Table], past: Mapping[str, pa.Table]) -> dict[str, pa.Table]:
    return {name: pa.concat_tables([current[name], versions]) for name, versions in past.items() if versions.num_rows}


def _with_hidden(
    roster: RosterReader, feed: tuple[str, str], name: str, past: pa.Table, changes: Sequence[IdChange], reverted: Sequence[int]
) -> pa.Table:
    """Return the `past` versions by version ID, with those of records whose old ID, of one of `changes`, another record has now."""
    renames = [{"old_id": change.old, "changed": change.import_id} for change in changes if change.entity == name]
    if not renames:
        return past
    hidden = roster.versions_before_rename(*feed, name, pa.Table.from_pylist(renames), reverted)
    known = pc.is_in(hidden.column("version_id"), value_set=combine_chunks(past.column("version_id")))
    return pa.concat_tables([past, hidden.filter(pc.invert(known))]).sort_by("version_id")


def _sources(validated: Mapping[str, pa.Table], results: Mapping[str, FileResult]) -> Iterator[ChangeFile]:
    """Yield the rows of each file with only the columns that the file has: an absent column keeps the current values."""
    for kind, result in results.items():
        table = validated[kind]
        for name, member in result.files.items():
            if member.refused:
                continue
            rows = table if len(result.files) == 1 else table.filter(pc.equal(table.column(FILE), name))
            absent = {column for column in rows.column_names if not column.startswith("_")} - set(member.present)
            yield ChangeFile(kind=kind, file=name, rows=rows.drop_columns([*absent, FILE]))


def _to_override(row: Mapping[str, Any]) -> Override:
    """Return a steward's edit for ``engine.changes``, without the key columns that are the same in the whole table."""
    key = {name: value for name, value in json.loads(row["key"]).items() if name != "user_kind"}
    return Override(table=row["table_name"], key=key, field=row["field"], value=row["value"])


# ---- output


def _applied_changes(folded: ChangeResult, compared: str | None, basis: str | None) -> AppliedChanges:
    """Return what later steps need besides the tables."""
    edits = [
        Edit(
            begins=change.op == "set",
            table=change.table,
            key=_full_key(change.table, change.key),
            field=change.field,
            value=change.value,
        )
        for change in folded.overrides
    ]
    return AppliedChanges(
        refused=dict(Counter(combine_chunks(folded.quarantine.column("file")).to_pylist())),
        released=[list(row) for row in folded.released],
        leaving=[list(row) for row in (*folded.released, *folded.superseded) if row[0] is not None],
        edits=edits,
        compared=compared,
        basis=basis,
    )


def _full_key(table: str, key: Mapping[str, Any]) -> str:
    return json.dumps(
        {name: key.get(name, "user" if name == "user_kind" else None) for name in TABLES[table].key}, ensure_ascii=False
    )
