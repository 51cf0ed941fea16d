"""What the fold says about rows: findings, the quarantine, and which refused rows others follow from.

Belongs here: collecting. A row that is tried again and still does not fit yields nothing new; one that now fits is released.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from roster_etl.engine.fold.rows import DROPPED, Row, Source
from roster_etl.engine.quarantine import QUARANTINE
from roster_etl.mapping.fold import RowKind
from roster_etl.mapping.frames import FINDINGS, REFUSED, ROW, findings_frame, flat, to_table
from roster_etl.spec.findings import Finding, Severity, mask

Place = tuple[int | None, str, int]  # import (None: this one), file, row
OURS = {ROW, REFUSED, DROPPED}


class Refused(Exception):
    """A row does not apply. ``about``: the name of the cell; ``cause``: the refused row that this follows from."""

    def __init__(self, code: str, message: str, *, about: str | None = None, cause: tuple[str, int | None] | None = None) -> None:
        super().__init__(code)
        self.code, self.message, self.about, self.cause = code, message, about, cause


@dataclass(kw_only=True)
class Notes:
    """Findings and quarantine of one fold."""

    findings: list[Finding] = field(default_factory=list)
    refused_rows: list[dict[str, Any]] = field(default_factory=list)
    released: list[Place] = field(default_factory=list)
    kept: list[Place] = field(default_factory=list)
    superseded: list[Place] = field(default_factory=list)
    causes: dict[tuple[str, Any], tuple[str, int | None]] = field(default_factory=dict)

    def refuse(self, kind: RowKind, row: Row, why: Refused) -> None:
        """Note that a row does not apply."""
        self.refuse_at(kind, row.source, row.place, row.number, why)

    def refuse_at(self, kind: RowKind, source: Source, place: int, number: int | None, why: Refused) -> None:
        """Note that the row at `place` of `source` does not apply."""
        if source.import_id is not None:
            self.kept.append((source.import_id, source.file, number or 0))
            return
        field_ = None if why.about is None else kind.column(why.about)
        self._say("reject", why.code, why.message, source, number, field_, key_of(kind, source, place), why.cause)
        if number is None:
            return  # made by a comparison: there is no such row in the upload
        record = {name: column[0] or "" for name, column in source.rows.slice(place, 1).to_pydict().items() if name not in OURS}
        self.refused_rows.append(
            {"file": source.file, "row": number, "code": why.code, "record": json.dumps(record, ensure_ascii=False)}
        )

    def warn(self, kind: RowKind, row: Row, code: str, message: str, about: str | None = None) -> None:
        """Note that a row applies with a doubt."""
        self.warn_at(kind, row.source, row.place, row.number, code, message, about)

    def warn_at(  # noqa: PLR0917 - where, and what
        self, kind: RowKind, source: Source, place: int, number: int | None, code: str, message: str, about: str | None = None
    ) -> None:
        """Note that the row at `place` of `source` applies with a doubt."""
        if not source.retried:
            column = None if about is None else kind.column(about)
            self._say("warning", code, message, source, number, column, key_of(kind, source, place), None)

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

    def _say(  # noqa: PLR0917 - the columns of a finding
        self,
        severity: Severity,
        code: str,
        message: str,
        source: Source,
        number: int | None,
        field_: str | None,
        key: str | None,
        cause: tuple[str, int | None] | None,
    ) -> None:
        self.findings.append(
            Finding(
                severity=severity, code=code, message=message, file=source.file, row=number, field=field_, key=key, cause=cause
            )
        )

    def table(self) -> pa.Table:
        """Return the findings, FINDINGS columns."""
        return to_table(findings_frame(self.findings)).cast(FINDINGS)

    def quarantine(self) -> pa.Table:
        """Return one line a refused row (QUARANTINE)."""
        return pa.Table.from_pylist(self.refused_rows, schema=QUARANTINE)


def key_of(kind: RowKind, source: Source, place: int) -> str | None:
    """Return the key of a row, masked."""
    names = [kind.column(name) for name in kind.key if kind.column(name) in source.rows.column_names]
    cells = [source.rows.column(name)[place].as_py() for name in names]
    text = " / ".join(cell for cell in cells if cell)
    return mask(text) if text else None


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


def of_row(values: Mapping[str, Any], names: Sequence[str]) -> tuple[Any, ...]:
    """Return the values of `names`."""
    return tuple(values[name] for name in names)
