"""Validate the rows of one vendor file against its spec: valid, rejected or doubtful.

Belongs here: the order of the checks, and the result for a file. An invalid or empty required cell rejects its row only; an
invalid cell of another column is cleared, with a warning. Does not belong here: the checks (``header_match``, ``column_checks``,
``row_checks``, ``key_checks``) and their effects (``row_rejection``). Grain of every DataFrame here: one row per record.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa

from roster_etl.engine.csv.header_match import match_header
from roster_etl.engine.csv.reader import RawFile
from roster_etl.engine.csv.redact_columns import hides_key
from roster_etl.engine.validation.change_checks import check_change_columns, exempt_removals
from roster_etl.engine.validation.column_checks import (
    FeedValues,
    ReferencedFile,
    check_column,
    check_control_characters,
    check_listed,
    check_match,
    load_columns,
    record_absent_columns,
)
from roster_etl.engine.validation.described_records import find_described_records
from roster_etl.engine.validation.findings_builder import FindingsBuilder
from roster_etl.engine.validation.identity_checks import PublishedRecords
from roster_etl.engine.validation.key_checks import check_keys, check_unique
from roster_etl.engine.validation.quarantine import QUARANTINE, doubtful_keys, quarantine_table, unidentified_records
from roster_etl.engine.validation.row_checks import check_rule, mark_doubtful_records
from roster_etl.engine.validation.row_rejection import VERDICTS, FileState, rows_table
from roster_etl.frames.arrow import findings_table
from roster_etl.spec import AtMostOne, File
from roster_etl.spec.replacements import Replacements
from roster_etl.spec.rule_catalog import ANY_ROW, HEADER, REFUSED_ROWS

__all__ = ["QUARANTINE", "VERDICTS", "FeedValues", "ReferencedFile", "ValidatedFile", "empty_result", "validate_file"]


@dataclass(frozen=True, kw_only=True)
class ValidatedFile:
    """The validation result of one file.

    Attributes:
        rows: readable rows in vendor spelling, with ``_row`` and ``_refused``, and ``_deleted`` in files that can mark deletions.
        verdicts: one line per rule (VERDICTS).
        quarantine: one line per ``reject`` finding (QUARANTINE).
        unidentified_records: the cells of records with an unreadable key: a missing record may be one of them.
        doubtful_keys: the key cells of rows that were rejected, or cleared in part.
        present: the columns of the spec that the header has; a family by its pattern.
        has_redacted_key: the key of a damaged record had to be blanked.
        refused: the code for which the whole file was rejected, or None.
        malformed: column → (filled cells of accepted rows, those whose text cannot be read).
        set_aside: columns that are treated as absent because of that.
    """

    rows: pa.Table
    findings: pa.Table
    verdicts: pa.Table
    quarantine: pa.Table
    unidentified_records: tuple[tuple[str, ...], ...]
    refused: str | None
    rows_read: int
    rows_accepted: int
    rows_rejected: int
    extensions: tuple[str, ...] = ()
    doubtful_keys: pa.Table = field(default_factory=lambda: pa.table({}))
    present: tuple[str, ...] = ()
    has_redacted_key: bool = False
    malformed: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    set_aside: tuple[str, ...] = ()


def validate_file(  # noqa: PLR0913 - one argument for each thing that decides about a file
    raw: RawFile,
    file: File,
    *,
    file_name: str | None = None,
    referenced_files: Mapping[str, ReferencedFile] | None = None,
    relaxed: frozenset[str] = frozenset(),
    replacements: Replacements | None = None,
    fixed_order: bool = False,
    listed: Mapping[str, Collection[str]] | None = None,
    feed_values: Mapping[str, FeedValues] | None = None,
    published: PublishedRecords | None = None,
    strict: bool = False,
    changes: int | None = None,
    carried: bool = False,
    release: Callable[[], None] | None = None,
) -> ValidatedFile:
    """Validate the rows read from `file`.

    Args:    file_name: the member's path as uploaded; referenced_files: the files that this one refers to, by spec name;
             relaxed: required columns that a district option made optional; replacements: column → value as uploaded →
             value to read instead; listed: column → the values that the district lists for it, where it lists any;
             feed_values: column → the values that another feed has of it; published: what the roster has of the file's records;
             strict: what practice gets wrong is refused; changes: how many records at the start are changes, before those that go
             on from earlier uploads; None: the file is whole; carried: all records go on from earlier uploads; release: called
             between checks, to give back memory.
    Raises:  nothing for bad data: it becomes findings.
    """
    header = match_header(raw.header, file, relaxed=relaxed, fixed_order=fixed_order, strict=strict)
    sheet = FileState(raw, file, header, file_name or file.file_name, relaxed, strict=strict, changes=changes, carried=carried)
    sheet.release = release or sheet.release
    sheet.findings.add_table(raw.findings)
    if raw.header:
        sheet.findings.add_table(findings_table(header.findings))
    refused = raw.refused or (header.refused if raw.header else "empty_file")
    if file.ordered_changes and not refused and not raw.rows_read:
        return _header_only_result(sheet)
    if changes is not None and not refused and not raw.rows_read:
        return replace(empty_result(file, findings=sheet.findings.table()), present=_present_columns(sheet))
    if refused or not raw.rows_read:
        return _refused_result(sheet, refused or "empty_file")
    _run_checks(sheet, referenced_files or {}, replacements or {}, listed or {}, feed_values or {}, published)
    return _validated_file(sheet)


def empty_result(file: File, *, refused: str | None = None, findings: pa.Table | None = None) -> ValidatedFile:
    """Return the result for a file without rows: absent from the upload, or rejected as a whole (`refused`)."""
    columns, nothing = {column.name: pa.nulls(0, pa.string()) for column in file.columns}, np.zeros(0, dtype=bool)
    return ValidatedFile(
        rows=rows_table(columns, pa.array([], pa.int64()), nothing, nothing if file.deleted else None),
        findings=FindingsBuilder(None).table() if findings is None else findings,
        verdicts=VERDICTS.empty_table(),
        quarantine=QUARANTINE.empty_table(),
        unidentified_records=(),
        refused=refused,
        rows_read=0,
        rows_accepted=0,
        rows_rejected=0,
    )


def _run_checks(
    state: FileState,
    referenced_files: Mapping[str, ReferencedFile],
    replacements: Replacements,
    listed: Mapping[str, Collection[str]],
    feed_values: Mapping[str, FeedValues],
    published: PublishedRecords | None,
) -> None:
    """Run the checks: cells first, then single rows, then rows against each other."""
    load_columns(state, replacements)
    check_control_characters(state)
    state.release()
    exempt_removals(state)
    present = [column for column in state.header.columns.values() if column.name in state.columns]
    for column in present:
        check_column(state, column, referenced_files)
        if column.allowed_values_option:
            check_listed(state, column.name, listed.get(column.name))
        state.release()
    check_change_columns(state)
    record_absent_columns(state)
    _check_rules(state, referenced_files, published)
    state.release()
    for column in present:
        if column.unique:
            check_unique(state, column.name, column.unique, published)
    for column in present:
        if column.matches and column.name in feed_values:
            check_match(state, column, column.matches, feed_values[column.name])
    find_described_records(state, published)


def _check_rules(state: FileState, referenced_files: Mapping[str, ReferencedFile], published: PublishedRecords | None) -> None:
    """Check single rows, then keys, then what holds among the records that are left."""
    among_records = [rule for rule in state.file.rules if isinstance(rule, AtMostOne)]
    for rule in state.file.rules:
        if rule not in among_records:
            check_rule(state, rule, referenced_files)
    for group in state.file.record_groups:
        mark_doubtful_records(state, group)
    check_keys(state, published, referenced_files)
    for rule in among_records:
        check_rule(state, rule, referenced_files)


def _validated_file(state: FileState) -> ValidatedFile:
    read = state.raw.rows_read
    accepted = int((~state.refused).sum())
    rejected = int(state.refused.sum()) + len(state.raw.damaged)
    state.record_check(HEADER, "header", 1, 0)
    state.record_check(ANY_ROW, "rows", read, 0 if accepted else read)
    state.record_check(REFUSED_ROWS, "refused", read, rejected)
    return ValidatedFile(
        rows=state.rows(),
        findings=state.findings.table(),
        verdicts=state.verdicts(),
        quarantine=quarantine_table(state),
        unidentified_records=unidentified_records(state),
        refused=None,
        rows_read=read,
        rows_accepted=accepted,
        rows_rejected=rejected,
        extensions=tuple(state.header.extensions),
        doubtful_keys=doubtful_keys(state),
        present=_present_columns(state),
        has_redacted_key=_has_redacted_key(state),
        malformed=state.malformed_cells(),
    )


def _has_redacted_key(state: FileState) -> bool:
    header, key = [name.casefold() for name in state.raw.header], {name.casefold() for name in state.file.key}
    return any(hides_key(record.cells, header, key) for record in state.raw.damaged)


def _present_columns(state: FileState) -> tuple[str, ...]:
    declared = {column.name for column in state.file.columns if not column.secret}
    families = (pattern for pattern, members in state.header.families.items() if members)
    return (*(name for name in state.header.positions if name in declared), *families)


def _header_only_result(state: FileState) -> ValidatedFile:
    """Return the result for a delta file with only a header: no changes, but the file counts as present for batch removals."""
    message = (
        "The file has a header only; no row of it changes anything. An import that was asked to remove what its upload does "
    )
    message += "not name removes everything of this kind that it was asked about."
    state.add_finding("warning", "empty_file", None, 1, message)
    state.record_check(HEADER, "header", 1, 0)
    return replace(
        empty_result(state.file), findings=state.findings.table(), verdicts=state.verdicts(), present=_present_columns(state)
    )


def _refused_result(state: FileState, code: str) -> ValidatedFile:
    if code == "empty_file":
        what = "has a header only" if state.raw.header else "is empty"
        message = f"The file {what}; nothing is removed because of it. Check the export."
        state.add_finding("file" if state.file.required else "warning", code, None, 1, message)
    state.record_check(HEADER, "header", 1, 1)
    return ValidatedFile(
        rows=empty_result(state.file).rows,
        findings=state.findings.table(),
        verdicts=state.verdicts(),
        quarantine=QUARANTINE.empty_table(),
        unidentified_records=(),
        refused=code,
        rows_read=state.raw.rows_read,
        rows_accepted=0,
        rows_rejected=state.raw.rows_read,
    )
