"""Collect findings and quarantine while changes are applied, with the rejected rows that caused others.

Belongs here: collecting them. A retried row that is rejected again yields nothing new; one that now applies is released.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from roster_etl.engine.changes.awaited import Waits
from roster_etl.engine.changes.change_rows import DROPPED, SHARED_ID, ChangeFile, Row
from roster_etl.engine.validation.quarantine import QUARANTINE
from roster_etl.frames.arrow import FINDINGS, REFUSED, ROW, combine_chunks, findings_table
from roster_etl.mapping.change_plan import RowKind
from roster_etl.spec.findings import CODES, Finding, Severity, mask, strip_control_chars

RowReference = tuple[int | None, str, int]  # import (None: this one), file, row
INTERNAL_COLUMNS = {ROW, REFUSED, DROPPED, SHARED_ID}


class RowRejected(Exception):
    """A row cannot be applied.

    ``about``: the name of the cell; ``cause``: the rejected row that caused this; ``holder``: (table, key) of the record that has to change
    first.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        about: str | None = None,
        cause: tuple[str, int | None] | None = None,
        holder: tuple[str, Any] | None = None,
    ) -> None:
        super().__init__(code)
        self.code, self.message, self.about, self.cause, self.holder = code, message, about, cause, holder


@dataclass(frozen=True, slots=True)
class _RowFindings:
    """One finding about rows of one source, at ``positions``; ``causes``: for each row, the rejected row that caused it."""

    severity: Severity
    code: str
    message: str
    field: str | None
    kind: RowKind
    source: ChangeFile
    positions: Sequence[int]
    numbers: Sequence[int | None]
    causes: Sequence[tuple[str, int | None] | None]


@dataclass(kw_only=True)
class ChangeLog:
    """Findings and quarantine of one upload. Messages are built at the end, for many rows at a time."""

    findings: list[Finding] = field(default_factory=list)
    row_findings: list[_RowFindings] = field(default_factory=list)
    released: list[RowReference] = field(default_factory=list)
    still_refused: list[RowReference] = field(default_factory=list)
    superseded: list[RowReference] = field(default_factory=list)
    causes: dict[tuple[str, Any], tuple[str, int | None]] = field(default_factory=dict)
    waits: Waits = field(default_factory=Waits)

    def reject_row(self, kind: RowKind, row: Row, why: RowRejected, awaited: Iterable[str] = ()) -> None:
        """Record that a row is rejected, and what it waits for besides what its cells name."""
        self.reject_rows(kind, row.source, [row.position], [row.number], why, [why.cause])
        self.waits.add(row.source, [row.position], awaited)

    def reject_rows(
        self,
        kind: RowKind,
        source: ChangeFile,
        positions: Sequence[int],
        numbers: Sequence[int | None],
        why: RowRejected,
        causes: Sequence[tuple[str, int | None] | None],
    ) -> None:
        """Record that the rows at `positions` of `source` are rejected."""
        self.waits.add(source, positions)
        if source.is_retried:
            self.still_refused += [(source.import_id, source.file, number or 0) for number in numbers]
        else:
            about = None if why.about is None else kind.column(why.about)
            self.row_findings.append(
                _RowFindings("reject", why.code, why.message, about, kind, source, positions, numbers, causes)
            )

    def warn_row(self, kind: RowKind, row: Row, code: str, message: str, about: str | None = None) -> None:
        """Record a warning about a row that applies."""
        self.warn_rows(kind, row.source, [row.position], [row.number], code, message, about)

    def warn_rows(  # noqa: PLR0917 - where, and what
        self,
        kind: RowKind,
        source: ChangeFile,
        positions: Sequence[int],
        numbers: Sequence[int | None],
        code: str,
        message: str,
        about: str | None,
    ) -> None:
        """Record a warning about the rows at `positions` of `source`, which apply."""
        if not source.is_retried:
            column = None if about is None else kind.column(about)
            self.row_findings.append(
                _RowFindings("warning", code, message, column, kind, source, positions, numbers, [None] * len(positions))
            )

    def release_row(self, row_source: ChangeFile, number: int | None) -> None:
        """Record that a row of an earlier import now applies."""
        import_id = row_source.import_id
        self.released.append((import_id, row_source.file, number or 0))
        message = f"Row {number} of {row_source.file} of import {import_id} was refused then, fits now, and was applied."
        self.findings.append(Finding(severity="info", code="released", message=message, file=row_source.file, row=number))

    def release_rows(self, rows: Sequence[tuple[ChangeFile, int]]) -> None:
        """Record that these rows of earlier imports now apply."""
        for source, number in rows:
            self.release_row(source, number)

    def warn_upload(self, code: str, message: str, field_: str | None = None, file: str | None = None) -> None:
        """Record a warning about the upload as a whole, or about a file."""
        self.findings.append(Finding(severity="warning", code=code, message=message, field=field_, file=file))

    def cause_of(self, table: str, key: Any) -> tuple[str, int | None] | None:
        """Return the rejected row that would have created a record, if there is one."""
        return self.causes.get((table, key))

    def findings_table(self) -> pa.Table:
        """Return the findings, FINDINGS columns."""
        singles = findings_table(self.findings)
        return pa.concat_tables(
            [*(_findings_table(said) for said in _group_by_source(self.row_findings)), singles]
        ).combine_chunks()

    def quarantine_table(self) -> pa.Table:
        """Return one line per rejected row (QUARANTINE)."""
        refused = [said for said in _group_by_source(self.row_findings) if said[0].severity == "reject"]
        return pa.concat_tables([QUARANTINE.empty_table(), *(_quarantine_lines(said) for said in refused)]).combine_chunks()


def _group_by_source(row_findings: Sequence[_RowFindings]) -> list[list[_RowFindings]]:
    """Group findings by source and severity, so that rows are read many at a time."""
    groups: dict[tuple[int, str], list[_RowFindings]] = {}
    for one in row_findings:
        groups.setdefault((id(one.source), one.severity), []).append(one)
    return list(groups.values())


def _findings_table(row_findings: Sequence[_RowFindings]) -> pa.Table:
    counts = [len(one.positions) for one in row_findings]
    first = row_findings[0]
    if unknown := {one.code for one in row_findings} - set(CODES):
        raise KeyError(sorted(unknown))

    def repeated(name: str) -> pa.Array:
        values = pa.array([strip_control_chars(getattr(one, name)) for one in row_findings], pa.string())
        return values.take(pa.array(np.repeat(np.arange(len(row_findings)), counts)))

    size, causes = sum(counts), [cause or (None, None) for one in row_findings for cause in one.causes]
    columns = {
        "severity": pa.repeat(pa.scalar(first.severity), size),
        "code": repeated("code"),
        "file": pa.repeat(pa.scalar(strip_control_chars(first.source.file)), size),
        "row": pa.array([number for one in row_findings for number in one.numbers], pa.int64()),
        "field": repeated("field"),
        "key": _keys(first.kind, first.source, _places(row_findings)),
        "message": repeated("message"),
        "cause_file": pa.array([file for file, _ in causes], pa.string()),
        "cause_row": pa.array([row for _, row in causes], pa.int64()),
        "count": pa.repeat(pa.scalar(1, pa.int64()), size),
    }
    return pa.table(columns, schema=FINDINGS)


def _quarantine_lines(row_findings: Sequence[_RowFindings]) -> pa.Table:
    """Return the rows as uploaded; rows that a comparison generated were not uploaded and are omitted."""
    source, numbers = row_findings[0].source, [number for one in row_findings for number in one.numbers]
    rows = source.rows.take(_places(row_findings))
    rows = rows.select([name for name in rows.column_names if name not in INTERNAL_COLUMNS])
    records = [json.dumps({n: v or "" for n, v in record.items()}, ensure_ascii=False) for record in rows.to_pylist()]
    codes = [one.code for one in row_findings for _ in one.positions]
    lines = {"file": [source.file] * len(numbers), "row": numbers, "code": codes, "record": records}
    found = pa.table(lines, schema=QUARANTINE)
    return found.filter(pc.is_valid(found.column("row")))


def _places(row_findings: Sequence[_RowFindings]) -> pa.Array:
    return pa.array(np.concatenate([np.asarray(one.positions, dtype=np.int64) for one in row_findings]))


def _keys(kind: RowKind, source: ChangeFile, positions: pa.Array) -> pa.Array:
    """Return the keys of rows, masked."""
    names = [kind.column(name) for name in kind.key if kind.column(name) in source.rows.column_names]
    cells = zip(*(combine_chunks(source.rows.column(name)).take(positions).to_pylist() for name in names), strict=True)
    texts = (" / ".join(cell for cell in row if cell) for row in cells)
    return pa.array([mask(text) if text else None for text in texts] or [None] * len(positions), pa.string())


def record_refused_keys(log: ChangeLog, kind: RowKind, sources: Sequence[ChangeFile], key: str) -> None:
    """Record which records the rows that validation rejected would have created."""
    column = kind.column(key)
    for source in sources:
        if source.is_retried or column not in source.rows.column_names:
            continue
        places = np.flatnonzero(combine_chunks(source.rows.column(REFUSED)).to_numpy(zero_copy_only=False))
        ids = combine_chunks(source.rows.column(column)).take(pa.array(places)).to_pylist()
        numbers = combine_chunks(source.rows.column(ROW)).take(pa.array(places)).to_pylist()
        for id_, number in zip(ids, numbers, strict=True):
            log.causes.setdefault((kind.table, id_), (source.file, number))
