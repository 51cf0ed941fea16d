"""Compare an upload with an earlier one of its data set, so that only differences are applied and omitted records end.

The resulting rows are applied like any others; a row generated for an omitted record is marked (``_dropped``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from roster_etl.engine.changes.change_rows import DROPPED, SHARED_ID, STATUS, ChangeFile, raw_keys
from roster_etl.engine.changes.shared_ids import IDENTITY
from roster_etl.frames.arrow import REFUSED, ROW, combine_chunks
from roster_etl.frames.described_records import match_described
from roster_etl.frames.row_hashes import key_text
from roster_etl.mapping.change_plan import ChangePlan, RowKind
from roster_etl.spec.findings import Finding

DiffOutcome = Literal["whole", "diffed", "remaster", "exceeded"]
MAX_EXCEEDED_DIFFS = 5  # uploads in a row that differ too much; after these a person must request a new baseline (remaster)
_INTERNAL_COLUMNS = {ROW, REFUSED, DROPPED, SHARED_ID}


@dataclass(frozen=True, kw_only=True)
class EarlierImport:
    """An earlier import of the same data set: whether it was published, and how it was applied."""

    import_id: int
    published: bool
    outcome: DiffOutcome


@dataclass(frozen=True, kw_only=True)
class DiffBaseline:
    """The import to compare with (None: there is none yet), and how many of the last ones differed too much."""

    import_id: int | None
    exceeded: int

    @property
    def needs_remaster(self) -> bool:
        """Return whether uploads are rejected until the data set gets a new baseline."""
        return self.exceeded >= MAX_EXCEEDED_DIFFS


@dataclass(frozen=True, kw_only=True)
class UploadedFile:
    """One validated file of a kind, and its size in bytes."""

    source: ChangeFile
    size: int


@dataclass(frozen=True, kw_only=True)
class UploadDiff:
    """The rows to apply, the findings, and how the upload was applied, which later uploads need."""

    sources: tuple[ChangeFile, ...]
    findings: tuple[Finding, ...]
    outcome: DiffOutcome


BASELINE_OUTCOMES = ("diffed", "remaster")
"""The outcomes of an upload that the next one of its data set is compared with."""


def choose_baseline(history: Sequence[EarlierImport]) -> DiffBaseline:
    """Choose the baseline: the newest published upload that was diffed or a remaster, else the first published one.

    Args: history: imports of one data set, oldest first.
    """
    done = [found for found in history if found.published]
    chain = [found for found in done if found.outcome in BASELINE_OUTCOMES]
    usable = [found for found in done if found.outcome != "exceeded"]
    exceeded = 0
    for found in reversed(done):
        if found.outcome != "exceeded":
            break
        exceeded += 1
    chosen = chain[-1] if chain else usable[0] if usable else None
    return DiffBaseline(import_id=chosen.import_id if chosen else None, exceeded=exceeded)


def diff_upload(
    plan: ChangePlan,
    current_files: Sequence[UploadedFile],
    earlier_files: Sequence[UploadedFile] | None,
    options: Mapping[str, Any],
) -> UploadDiff:
    """Compare the files of an upload with those of an earlier one, kind by kind.

    A kind that only one of the two has is applied in full; an omitted file removes nothing.
    """
    if options.get("diffing_remaster_data_set"):
        return UploadDiff(sources=tuple(file.source for file in current_files), findings=(), outcome="remaster")
    if earlier_files is None:
        return UploadDiff(sources=tuple(file.source for file in current_files), findings=(), outcome="whole")
    sources: list[ChangeFile] = []
    findings: list[Finding] = []
    compared: list[tuple[UploadedFile, UploadedFile | None]] = []
    for kind in plan.kinds:
        mine, theirs = ([file for file in files if file.source.kind == kind.name] for files in (current_files, earlier_files))
        pairs, problem = _pairs(mine, theirs)
        if problem:
            findings.append(_warning("diff_not_possible", problem, mine[0].source.file))
        compared += pairs
        for file, earlier in pairs:
            found, finding = _diff_file(kind, file, earlier, options)
            sources.append(found)
            findings += [finding] if finding else []
    exceeded = any(finding.code == "diff_threshold_exceeded" for finding in findings)
    says_nothing = any(_is_header_alone(file, earlier) for file, earlier in compared)  # later uploads skip this one
    how: DiffOutcome = "exceeded" if exceeded else "whole" if says_nothing else "diffed"
    return UploadDiff(sources=tuple(sources), findings=tuple(findings), outcome=how)


def _pairs(
    current_files: list[UploadedFile], earlier_files: list[UploadedFile]
) -> tuple[list[tuple[UploadedFile, UploadedFile | None]], str | None]:
    if not current_files or not earlier_files:
        return [(file, None) for file in current_files], None
    if len(current_files) == len(earlier_files) == 1:
        return [(current_files[0], earlier_files[0])], None
    by_name = {file.source.file: file for file in earlier_files}
    if len(current_files) == len(earlier_files) == len(by_name) and set(by_name) == {file.source.file for file in current_files}:
        return [(file, by_name[file.source.file]) for file in current_files], None
    message = "The last upload had other files of this kind, so that they cannot be paired; they were read whole."
    return [(file, None) for file in current_files], message


def _diff_file(
    kind: RowKind, file: UploadedFile, earlier: UploadedFile | None, options: Mapping[str, Any]
) -> tuple[ChangeFile, Finding | None]:
    if earlier is None:
        return file.source, None
    name, problem = file.source.file, _why_not_comparable(kind, file, earlier)
    if problem:
        return file.source, _warning("diff_not_possible", problem, name)
    limit = options.get("change_threshold")
    if limit is not None and earlier.size and abs(1 - file.size / earlier.size) * 100 > float(limit):
        return file.source, _warning("diff_threshold_exceeded", "Its size differs too much from the last one's.", name)
    rows = _changed_rows(kind, file.source, earlier.source, options)
    most = options.get("diff_row_count_threshold")
    differing = rows.num_rows - pc.sum(rows.column(REFUSED)).as_py() if most is not None and rows.num_rows else rows.num_rows
    if most is not None and differing > int(most):
        message = f"{differing:,} rows differ from the last file, more than {most:,}; it was read whole."
        return file.source, _warning("diff_threshold_exceeded", message, name)
    return ChangeFile(kind=kind.name, file=name, rows=rows), None


def _is_header_alone(file: UploadedFile, earlier: UploadedFile | None) -> bool:
    """Return whether `file` has no row where the earlier one had some: it removes nothing, and nothing is compared with it."""
    return earlier is not None and not file.source.rows.num_rows and bool(earlier.source.rows.num_rows)


def _why_not_comparable(kind: RowKind, file: UploadedFile, earlier: UploadedFile) -> str | None:
    if _is_header_alone(file, earlier):
        return "The file has a header only, which drops no record."
    mine, theirs = (_names(uploaded.source) for uploaded in (file, earlier))
    if mine != theirs:
        return "The last file had other columns; it was read whole."
    if not mine & {kind.column(name) for name in kind.key}:
        return "The columns that tell its records are missing; it was read whole."
    return None


def _names(source: ChangeFile) -> set[str]:
    return set(source.rows.column_names) - _INTERNAL_COLUMNS


def _changed_rows(kind: RowKind, now: ChangeFile, before: ChangeFile, options: Mapping[str, Any]) -> pa.Table:
    """Return new and changed rows, then omitted ones with their old values and the ending status."""
    names = sorted(_names(now))
    own, id_conflicts = _split_strangers(now)
    current, earlier = _last_row_per_key(kind, own), _last_row_per_key(kind, before)
    same = pc.is_in(key_text(current, names), value_set=key_text(earlier, names))
    same = pc.and_not(same, current.column(REFUSED))  # a rejected row takes the place of the one that waits
    gone = pc.and_not(
        pc.invert(pc.is_in(raw_keys(kind, earlier), value_set=raw_keys(kind, now.rows))), _described(kind, now.rows, earlier)
    )
    reported = pc.is_in(key_text(id_conflicts, names), value_set=key_text(before.rows, names))
    new = pa.concat_tables([current.filter(pc.invert(same)), id_conflicts.filter(pc.invert(reported))])
    dropped = earlier.filter(gone)
    new = new.append_column(DROPPED, pa.array(np.zeros(new.num_rows, dtype=bool)))
    column = kind.column(STATUS)
    if STATUS not in {given.to for given in kind.columns} or column not in names:
        return new
    dropped = dropped.filter(pc.invert(dropped.column(REFUSED)))
    dropped = dropped.filter(pc.invert(_is_ended(kind, dropped, column)))
    count = dropped.num_rows
    for name, values in (
        (column, pa.repeat(pa.scalar(_drop_status(kind, options)), count)),
        (ROW, pa.nulls(count, pa.int64())),
    ):
        dropped = dropped.set_column(dropped.schema.get_field_index(name), name, values)
    dropped = dropped.append_column(DROPPED, pa.array(np.ones(count, dtype=bool)))
    if SHARED_ID in new.column_names:
        dropped = dropped.append_column(SHARED_ID, pa.nulls(count, pa.string()))
    return pa.concat_tables([new, dropped.select(new.column_names).cast(new.schema)])


def _described(kind: RowKind, rows: pa.Table, earlier: pa.Table) -> pa.Array:
    """Return which `earlier` rows a row describes that has no id, or is rejected and has an unknown one: their records are not omitted."""
    names = [column for name in IDENTITY.get(kind.handler, ()) if (column := kind.column(name)) in rows.column_names]
    key = kind.column(kind.key[0])
    described = np.zeros(earlier.num_rows, dtype=bool)
    if names and key in rows.column_names:
        absent = pc.invert(pc.is_in(earlier.column(key), value_set=combine_chunks(rows.column(key))))
        unknown = pc.invert(pc.is_in(rows.column(key), value_set=combine_chunks(earlier.column(key))))
        asked = pc.or_(pc.is_null(rows.column(key)), pc.and_(rows.column(REFUSED), unknown))
        candidates = np.flatnonzero(absent.to_numpy())
        found = match_described(rows.filter(asked).select(names), earlier.take(pa.array(candidates)).select(names))[1]
        described[candidates[found]] = True
    return pa.array(described)


def _split_strangers(source: ChangeFile) -> tuple[ChangeFile, pa.Table]:
    """Return (the source without the rows that describe another person than their id stands for, these rows)."""
    if SHARED_ID not in source.rows.column_names:
        return source, source.rows.slice(0, 0)
    marked = pc.is_valid(source.rows.column(SHARED_ID))
    return replace(source, rows=source.rows.filter(pc.invert(marked))), source.rows.filter(marked)


def _is_ended(kind: RowKind, rows: pa.Table, column: str) -> pa.Array:
    """Return which rows had ended their record already."""
    words = pa.array([word for word, meant in kind.statuses.items() if meant == "deleted"], pa.string())
    return pc.is_in(pc.utf8_lower(combine_chunks(rows.column(column))), value_set=words)


def _drop_status(kind: RowKind, options: Mapping[str, Any]) -> str:
    option = {"enrollments": "diffing_drop_status", "users": "diffing_user_remove_status"}.get(kind.table)
    return str(options.get(option) or "deleted") if option else "deleted"


def _last_row_per_key(kind: RowKind, source: ChangeFile) -> pa.Table:
    """Return the last row of each key, in the order of the file."""
    keys = raw_keys(kind, source.rows).dictionary_encode().indices.to_numpy()
    _, places = np.unique(keys[::-1], return_index=True)
    return source.rows.take(pa.array(np.sort(len(keys) - 1 - places)))


def _warning(code: str, message: str, file: str) -> Finding:
    return Finding(severity="warning", code=code, message=message, file=file)
