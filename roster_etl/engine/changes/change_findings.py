"""What the fold says about rows: findings, the quarantine, and which refused rows others follow from.

Belongs here: collecting. A row that is tried again and still does not fit yields nothing new; one that now fits is released.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from roster_etl.engine.changes.change_rows import DROPPED, Row, Source
from roster_etl.engine.validation.quarantine import QUARANTINE
from roster_etl.frames.arrow import FINDINGS, REFUSED, ROW, findings_frame, flat, to_table
from roster_etl.mapping.change_plan import RowKind
from roster_etl.spec.findings import CODES, Finding, Severity, mask, printable

Place = tuple[int | None, str, int]  # import (None: this one), file, row
OURS = {ROW, REFUSED, DROPPED}


class Refused(Exception):
    """A row does not apply. ``about``: the name of the cell; ``cause``: the refused row that this follows from."""

    def __init__(self, code: str, message: str, *, about: str | None = None, cause: tuple[str, int | None] | None = None) -> None:
        super().__init__(code)
        self.code, self.message, self.about, self.cause = code, message, about, cause


@dataclass(frozen=True, slots=True)
class _Said:
    """One thing said about rows of one source, at ``places``; ``causes``: for each row the refused row that it follows from."""

    severity: Severity
    code: str
    message: str
    field: str | None
    kind: RowKind
    source: Source
    places: Sequence[int]
    numbers: Sequence[int | None]
    causes: Sequence[tuple[str, int | None] | None]


@dataclass(kw_only=True)
class Notes:
    """Findings and quarantine of one fold. What is said is put into words at the end, many rows at a time."""

    findings: list[Finding] = field(default_factory=list)
    said: list[_Said] = field(default_factory=list)
    released: list[Place] = field(default_factory=list)
    kept: list[Place] = field(default_factory=list)
    superseded: list[Place] = field(default_factory=list)
    causes: dict[tuple[str, Any], tuple[str, int | None]] = field(default_factory=dict)

    def refuse(self, kind: RowKind, row: Row, why: Refused) -> None:
        """Note that a row does not apply."""
        self.refuse_rows(kind, row.source, [row.place], [row.number], why, [why.cause])

    def refuse_rows(
        self,
        kind: RowKind,
        source: Source,
        places: Sequence[int],
        numbers: Sequence[int | None],
        why: Refused,
        causes: Sequence[tuple[str, int | None] | None],
    ) -> None:
        """Note that the rows at `places` of `source` do not apply."""
        if source.retried:
            self.kept += [(source.import_id, source.file, number or 0) for number in numbers]
        else:
            about = None if why.about is None else kind.column(why.about)
            self.said.append(_Said("reject", why.code, why.message, about, kind, source, places, numbers, causes))

    def warn(self, kind: RowKind, row: Row, code: str, message: str, about: str | None = None) -> None:
        """Note that a row applies with a doubt."""
        self.warn_rows(kind, row.source, [row.place], [row.number], code, message, about)

    def warn_rows(  # noqa: PLR0917 - where, and what
        self,
        kind: RowKind,
        source: Source,
        places: Sequence[int],
        numbers: Sequence[int | None],
        code: str,
        message: str,
        about: str | None,
    ) -> None:
        """Note that the rows at `places` of `source` apply with a doubt."""
        if not source.retried:
            column = None if about is None else kind.column(about)
            self.said.append(_Said("warning", code, message, column, kind, source, places, numbers, [None] * len(places)))

    def release(self, row_source: Source, number: int | None) -> None:
        """Note that a row of an earlier import fits now."""
        import_id = row_source.import_id
        self.released.append((import_id, row_source.file, number or 0))
        message = f"Row {number} of {row_source.file} of import {import_id} was refused then, fits now, and was applied."
        self.findings.append(Finding(severity="info", code="released", message=message, file=row_source.file, row=number))

    def released_rows(self, rows: Sequence[tuple[Source, int]]) -> None:
        """Note that these rows of earlier imports fit now."""
        for source, number in rows:
            self.release(source, number)

    def upload(self, code: str, message: str, field_: str | None = None, file: str | None = None) -> None:
        """Note something about the upload as a whole, or about a file."""
        self.findings.append(Finding(severity="warning", code=code, message=message, field=field_, file=file))

    def cause_of(self, table: str, key: Any) -> tuple[str, int | None] | None:
        """Return the refused row that was to make a record, if there is one."""
        return self.causes.get((table, key))

    def table(self) -> pa.Table:
        """Return the findings, FINDINGS columns."""
        singles = to_table(findings_frame(self.findings)).cast(FINDINGS)
        return pa.concat_tables([*(_findings(said) for said in _together(self.said)), singles]).combine_chunks()

    def quarantine(self) -> pa.Table:
        """Return one line a refused row (QUARANTINE)."""
        refused = [said for said in _together(self.said) if said[0].severity == "reject"]
        return pa.concat_tables([QUARANTINE.empty_table(), *(_quarantine(said) for said in refused)]).combine_chunks()


def _together(said: Sequence[_Said]) -> list[list[_Said]]:
    """Return what was said by source and severity, so that rows are read many at a time."""
    groups: dict[tuple[int, str], list[_Said]] = {}
    for one in said:
        groups.setdefault((id(one.source), one.severity), []).append(one)
    return list(groups.values())


def _findings(said: Sequence[_Said]) -> pa.Table:
    counts = [len(one.places) for one in said]
    first = said[0]
    if unknown := {one.code for one in said} - set(CODES):
        raise KeyError(sorted(unknown))

    def repeated(name: str) -> pa.Array:
        values = pa.array([printable(getattr(one, name)) for one in said], pa.string())
        return values.take(pa.array(np.repeat(np.arange(len(said)), counts)))

    size, causes = sum(counts), [cause or (None, None) for one in said for cause in one.causes]
    columns = {
        "severity": pa.repeat(pa.scalar(first.severity), size),
        "code": repeated("code"),
        "file": pa.repeat(pa.scalar(printable(first.source.file)), size),
        "row": pa.array([number for one in said for number in one.numbers], pa.int64()),
        "field": repeated("field"),
        "key": _keys(first.kind, first.source, _places(said)),
        "message": repeated("message"),
        "cause_file": pa.array([file for file, _ in causes], pa.string()),
        "cause_row": pa.array([row for _, row in causes], pa.int64()),
        "count": pa.repeat(pa.scalar(1, pa.int64()), size),
    }
    return pa.table(columns, schema=FINDINGS)


def _quarantine(said: Sequence[_Said]) -> pa.Table:
    """Return the rows as they were sent; one that a comparison made was not."""
    source, numbers = said[0].source, [number for one in said for number in one.numbers]
    rows = source.rows.take(_places(said))
    rows = rows.select([name for name in rows.column_names if name not in OURS])
    records = [json.dumps({n: v or "" for n, v in record.items()}, ensure_ascii=False) for record in rows.to_pylist()]
    codes = [one.code for one in said for _ in one.places]
    lines = {"file": [source.file] * len(numbers), "row": numbers, "code": codes, "record": records}
    found = pa.table(lines, schema=QUARANTINE)
    return found.filter(pc.is_valid(found.column("row")))


def _places(said: Sequence[_Said]) -> pa.Array:
    return pa.array(np.concatenate([np.asarray(one.places, dtype=np.int64) for one in said]))


def _keys(kind: RowKind, source: Source, places: pa.Array) -> pa.Array:
    """Return the keys of rows, masked."""
    names = [kind.column(name) for name in kind.key if kind.column(name) in source.rows.column_names]
    cells = zip(*(flat(source.rows.column(name)).take(places).to_pylist() for name in names), strict=True)
    texts = (" / ".join(cell for cell in row if cell) for row in cells)
    return pa.array([mask(text) if text else None for text in texts] or [None] * len(places), pa.string())


def remember_refused(notes: Notes, kind: RowKind, sources: Sequence[Source], key: str) -> None:
    """Keep which records the rows that were refused before the fold were to make."""
    column = kind.column(key)
    for source in sources:
        if source.retried or column not in source.rows.column_names:
            continue
        places = np.flatnonzero(flat(source.rows.column(REFUSED)).to_numpy(zero_copy_only=False))
        ids = flat(source.rows.column(column)).take(pa.array(places)).to_pylist()
        numbers = flat(source.rows.column(ROW)).take(pa.array(places)).to_pylist()
        for id_, number in zip(ids, numbers, strict=True):
            notes.causes.setdefault((kind.table, id_), (source.file, number))
