"""Judge the rows of one vendor file by its spec: which apply, which are refused, what is doubtful.

Belongs here: the order of the checks, and what comes of a file. A broken or empty required cell refuses its row, alone; a
broken cell of another column is left empty with a warning. What is wrong is decided in ``headers``, ``column_checks``,
``row_checks`` and ``key_checks``; what follows is done in ``sheet``. Grain of every frame here: one row a record.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
import pyarrow as pa

from roster_etl.engine.csv.header_match import match_header
from roster_etl.engine.csv.reader import RawFile
from roster_etl.engine.csv.redact_columns import hides_key
from roster_etl.engine.validation.column_checks import (
    Judged,
    Known,
    check_column,
    check_control_characters,
    check_listed,
    check_match,
    note_absent_columns,
    take_columns,
)
from roster_etl.engine.validation.findings_builder import Findings
from roster_etl.engine.validation.key_checks import check_keys, check_unique
from roster_etl.engine.validation.quarantine import QUARANTINE, evidence, named, quarantine
from roster_etl.engine.validation.row_checks import check_rule, doubt_emptied_records
from roster_etl.engine.validation.row_state import VERDICTS, Sheet, rows_frame
from roster_etl.frames.arrow import findings_frame
from roster_etl.spec import File
from roster_etl.spec.replacements import Replacements
from roster_etl.spec.rule_catalog import ANY_ROW, HEADER, REFUSED_ROWS

__all__ = ["QUARANTINE", "VERDICTS", "Judged", "JudgedFile", "Known", "absent_file", "judge_file"]


@dataclass(frozen=True, kw_only=True)
class JudgedFile:
    """What became of one file.

    ``frame``: readable rows in vendor spelling, with ``_row`` and ``_refused``, and ``_deleted`` in files whose rows can say so; ``verdicts``: one line a rule (VERDICTS);
    ``quarantine``: one line a ``reject`` finding (QUARANTINE); ``evidence``: the cells of records whose key could not be
    read (they prove of nobody that he is gone); ``named``: the key cells of rows that were refused, or emptied in part;
    ``present``: the columns of the spec that the header has, a family by its pattern; ``hidden``: a damaged record had to be
    blanked so far that nobody can say whose it is; ``refused``: code that refused the whole file, or None.
    """

    frame: pd.DataFrame
    findings: pa.Table
    verdicts: pa.Table
    quarantine: pa.Table
    evidence: tuple[tuple[str, ...], ...]
    refused: str | None
    rows_read: int
    rows_accepted: int
    rows_rejected: int
    extensions: tuple[str, ...] = ()
    named: pa.Table = field(default_factory=lambda: pa.table({}))
    present: tuple[str, ...] = ()
    hidden: bool = False


def judge_file(  # noqa: PLR0913 - one argument for each thing that decides about a file
    raw: RawFile,
    file: File,
    *,
    file_name: str | None = None,
    judged: Mapping[str, Judged] | None = None,
    relaxed: frozenset[str] = frozenset(),
    replacements: Replacements | None = None,
    fixed_order: bool = False,
    listed: Mapping[str, Collection[str]] | None = None,
    known: Mapping[str, Known] | None = None,
) -> JudgedFile:
    """Judge what was read of `file`.

    Args:    file_name: the member's path as uploaded; judged: the files that this one refers to, by spec name;
             relaxed: required columns that a district option made optional; replacements: column → value as uploaded →
             value to read instead; listed: column → the values that the district lists for it, where it lists any;
             known: column → the values that another feed has of it.
    Raises:  nothing for bad data: it becomes findings.
    """
    header = match_header(raw.header, file, relaxed=relaxed, fixed_order=fixed_order)
    sheet = Sheet(raw, file, header, file_name or file.file_name, relaxed)
    sheet.findings.add_frame(raw.findings)
    if raw.header:
        sheet.findings.add_frame(findings_frame(header.findings))
    refused = raw.refused or (header.refused if raw.header else "empty_file")
    if file.in_order and not refused and not raw.rows_read:
        return _without_changes(sheet)
    if refused or not raw.rows_read:
        return _refused_file(sheet, refused or "empty_file")
    _check(sheet, judged or {}, replacements or {}, listed or {}, known or {})
    return _judged_file(sheet)


def absent_file(file: File, *, refused: str | None = None, findings: pa.Table | None = None) -> JudgedFile:
    """Return the verdict on a file of which no row was read: the upload does not have it, or it was `refused`."""
    columns, nothing = {column.name: pa.nulls(0, pa.string()) for column in file.columns}, np.zeros(0, dtype=bool)
    return JudgedFile(
        frame=rows_frame(columns, pa.array([], pa.int64()), nothing, nothing if file.deleted else None),
        findings=Findings(None).table() if findings is None else findings,
        verdicts=VERDICTS.empty_table(),
        quarantine=QUARANTINE.empty_table(),
        evidence=(),
        refused=refused,
        rows_read=0,
        rows_accepted=0,
        rows_rejected=0,
    )


def _check(
    sheet: Sheet,
    others: Mapping[str, Judged],
    replacements: Replacements,
    listed: Mapping[str, Collection[str]],
    known: Mapping[str, Known],
) -> None:
    """Cells first, then rows by themselves, then rows against each other."""
    take_columns(sheet, replacements)
    check_control_characters(sheet)
    present = [column for column in sheet.header.columns.values() if column.name in sheet.columns]
    for column in present:
        check_column(sheet, column, others)
        if column.listed_by:
            check_listed(sheet, column.name, listed.get(column.name))
    note_absent_columns(sheet)
    for rule in sheet.file.rules:
        check_rule(sheet, rule, others)
    for group in sheet.file.records:
        doubt_emptied_records(sheet, group)
    check_keys(sheet)
    for column in present:
        if column.unique:
            check_unique(sheet, column.name, column.unique)
    for column in present:
        if column.matches and column.name in known:
            check_match(sheet, column, column.matches, known[column.name])


def _judged_file(sheet: Sheet) -> JudgedFile:
    read = sheet.raw.rows_read
    accepted = int((~sheet.refused).sum())
    rejected = int(sheet.refused.sum()) + len(sheet.raw.damaged)
    sheet.note(HEADER, "header", 1, 0)
    sheet.note(ANY_ROW, "rows", read, 0 if accepted else read)
    sheet.note(REFUSED_ROWS, "refused", read, rejected)
    return JudgedFile(
        frame=sheet.frame(),
        findings=sheet.findings.table(),
        verdicts=sheet.verdicts(),
        quarantine=quarantine(sheet),
        evidence=evidence(sheet),
        refused=None,
        rows_read=read,
        rows_accepted=accepted,
        rows_rejected=rejected,
        extensions=tuple(sheet.header.extensions),
        named=named(sheet),
        present=_present(sheet),
        hidden=_hides_somebody(sheet),
    )


def _hides_somebody(sheet: Sheet) -> bool:
    header, key = [name.casefold() for name in sheet.raw.header], {name.casefold() for name in sheet.file.key}
    return any(hides_key(record.cells, header, key) for record in sheet.raw.damaged)


def _present(sheet: Sheet) -> tuple[str, ...]:
    declared = {column.name for column in sheet.file.columns if not column.secret}
    families = (pattern for pattern, members in sheet.header.families.items() if members)
    return (*(name for name in sheet.header.positions if name in declared), *families)


def _without_changes(sheet: Sheet) -> JudgedFile:
    """A file of changes with a header only says nothing, but it is there: a mode that removes what is not named looks at it."""
    message = (
        "The file has a header only; no row of it changes anything. An import that was asked to remove what its upload does "
    )
    message += "not name removes everything of this kind that it was asked about."
    sheet.say_once("warning", "empty_file", None, 1, message)
    sheet.note(HEADER, "header", 1, 0)
    return replace(absent_file(sheet.file), findings=sheet.findings.table(), verdicts=sheet.verdicts(), present=_present(sheet))


def _refused_file(sheet: Sheet, code: str) -> JudgedFile:
    if code == "empty_file":
        what = "has a header only" if sheet.raw.header else "is empty"
        message = f"The file {what}; nothing is removed because of it. Check the export."
        sheet.say_once("file" if sheet.file.required else "warning", code, None, 1, message)
    sheet.note(HEADER, "header", 1, 1)
    return JudgedFile(
        frame=absent_file(sheet.file).frame,
        findings=sheet.findings.table(),
        verdicts=sheet.verdicts(),
        quarantine=QUARANTINE.empty_table(),
        evidence=(),
        refused=code,
        rows_read=sheet.raw.rows_read,
        rows_accepted=0,
        rows_rejected=sheet.raw.rows_read,
    )
