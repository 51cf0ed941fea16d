"""Judge the rows of one vendor file by its spec: which apply, which are refused, what is doubtful.

Belongs here: the order of the checks and their consequences. A broken or empty required cell refuses its row, alone; a
broken cell of another column is left empty with a warning. Forms are checked in ``engine.forms``, header names in
``engine.headers``. Grain of every frame here: one row a record of the file.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from roster_etl.engine import cells, forms
from roster_etl.engine.headers import Header, match_header
from roster_etl.engine.read import RawFile
from roster_etl.engine.secrets import blank_cells
from roster_etl.engine.report import Findings, joined_keys
from roster_etl.mapping.frames import REFUSED, ROW, findings_frame, flat, one_array, row_codes, to_frame
from roster_etl.spec import Choice, Column, File, NotBefore, Reference, Text, Together
from roster_etl.spec.findings import Finding, Severity
from roster_etl.spec.promises import ANY_ROW, HEADER, REFUSED_ROWS, Check

SEPARATOR = "\x1f"
VERDICTS = pa.schema(
    [("rule", pa.string()), ("column", pa.string()), ("check", pa.string()), ("judged", pa.int64()), ("failing", pa.int64())]
)
QUARANTINE = pa.schema([("file", pa.string()), ("row", pa.int64()), ("code", pa.string()), ("record", pa.string())])


@dataclass(frozen=True, kw_only=True)
class JudgedFile:
    """What became of one file.

    ``frame``: readable rows in vendor spelling, with ``_row`` and ``_refused``; ``verdicts``: one line a rule (VERDICTS);
    ``quarantine``: one line a ``reject`` finding (QUARANTINE); ``evidence``: the cells of records whose key could not be
    read (they prove of nobody that he is gone); ``refused``: code that refused the whole file, or None.
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


@dataclass(frozen=True, kw_only=True)
class Judged:
    """A file that others refer to: its frame, and its name as uploaded."""

    frame: pd.DataFrame
    file_name: str


@dataclass(frozen=True, kw_only=True)
class _Targets:
    """The values of a referenced column: accepted ones, and refused ones with their record numbers."""

    accepted: pa.Array
    refused: pa.Array
    refused_rows: pa.Array


def judge_file(
    raw: RawFile,
    file: File,
    *,
    file_name: str | None = None,
    judged: Mapping[str, Judged] | None = None,
    relaxed: frozenset[str] = frozenset(),
    fixed_order: bool = False,
) -> JudgedFile:
    """Judge what was read of `file`.

    Args:    file_name: the member's path as uploaded; judged: the files that this one refers to, by spec name;
             relaxed: required columns that a district option made optional.
    Raises:  nothing for bad data: it becomes findings.
    """
    header = match_header(raw.header, file, relaxed=relaxed, fixed_order=fixed_order)
    return _Judge(raw, file, header, file_name or file.file_name, judged or {}, relaxed).verdict()


def absent_file(file: File, *, refused: str | None = None, findings: pa.Table | None = None) -> JudgedFile:
    """Return the verdict on a file of which no row was read: the upload does not have it, or it was `refused`."""
    empty = match_header([c.name for c in file.columns], file)
    return JudgedFile(
        frame=_as_frame({name: pa.nulls(0, pa.string()) for name in empty.positions}, pa.array([], pa.int64()), np.zeros(0, bool)),
        findings=Findings(None).table() if findings is None else findings,
        verdicts=VERDICTS.empty_table(),
        quarantine=QUARANTINE.empty_table(),
        evidence=(),
        refused=refused,
        rows_read=0,
        rows_accepted=0,
        rows_rejected=0,
    )


class _Judge:
    """The state of judging one file: cells that are emptied, rows that are refused, findings and verdicts as they come."""

    def __init__(
        self, raw: RawFile, file: File, header: Header, file_name: str, judged: Mapping[str, Judged], relaxed: frozenset[str]
    ) -> None:
        self.raw, self.file, self.header, self.judged, self.relaxed = raw, file, header, judged, relaxed
        self.findings = Findings(file_name)
        self.file_name = file_name
        self.rows = raw.rows
        self.numbers = raw.rows.to_numpy()
        self.refused = np.zeros(len(self.numbers), dtype=bool)
        self.kept = np.ones(len(self.numbers), dtype=bool)
        self.targets: dict[tuple[str, str], _Targets] = {}
        self.reasons: list[tuple[np.ndarray, str]] = []
        self.columns: dict[str, pa.Array] = {}
        self.unreadable: dict[str, np.ndarray] = {}
        self.lines: dict[str, tuple[str, int, int]] = {}

    def verdict(self) -> JudgedFile:
        self.findings.add_frame(self.raw.findings)
        if self.raw.header:
            self.findings.add_frame(findings_frame(self.header.findings))
        refused = self.raw.refused or (self.header.refused if self.raw.header else None)
        if refused or not self.raw.rows_read:
            return self._refused_file(refused)
        self._take_columns()
        self._control_characters()
        for column in self.header.columns.values():
            if column.name in self.columns and not column.secret:
                self._judge_column(column)
        self._absent_required()
        self._row_rules()
        self._keys()
        for column in self.file.columns:
            if column.unique and column.name in self.columns:
                self._unique(column)
        return self._judged_file()

    # ---- cells

    def _take_columns(self) -> None:
        secret = {c.name for c in self.file.columns if c.secret}
        positions = {**self.header.positions, **self.header.extensions}
        for name, position in positions.items():
            if name in secret:
                continue
            column, trimmed = cells.trim(flat(self.raw.table.column(position)))
            self.columns[name] = column
            if trimmed.any():
                self._fold("info", "trimmed", name, int(trimmed.sum()), "White space around values was taken off.")

    def _control_characters(self) -> None:
        for name in list(self.columns):
            nul, other = cells.control_characters(self.columns[name])
            self._warn(other & ~nul, "control_character", name, "The cell holds a control character; it was kept as sent.")
            if nul.any():
                self._fail(name, nul, "control_character", "The cell holds a NUL character.")
                self._set(name, nul, None)  # no database takes it, and what is left of a key with one is no key
                self.unreadable[name] = nul

    def _judge_column(self, column: Column) -> None:
        values = self.columns[column.name]
        self._presence(column, values)
        if not isinstance(column.form, Text) or column.form.max_length is not None:
            self._form(column, values)
        if column.references:
            self._reference(column)

    def _presence(self, column: Column, values: pa.Array) -> None:
        empty = _mask(pc.is_null(values))
        if not self._is_required(column):
            self._column_line(column.name, "present", len(empty), int(empty.sum()))
            return
        self._column_line(column.name, "required", len(empty), int(empty.sum()))
        missing = empty & ~self.unreadable[column.name] if column.name in self.unreadable else empty
        self._refuse(missing, "missing_required", column.name, f"{column.name} is required, and the cell is empty.")

    def _form(self, column: Column, values: pa.Array) -> None:
        wrong = forms.broken(column.form, values)
        filled = len(values) - values.null_count
        self._column_line(column.name, "form", filled, int(wrong.sum()))
        if not wrong.any():
            return
        message = f"Expected {forms.expected(column.form)}."
        if isinstance(column.form, Choice) and column.form.otherwise is not None:
            self._warn(wrong, "bad_value", column.name, f"{message} It is read as {column.form.otherwise}.")
            self._set(column.name, wrong, column.form.otherwise)
        else:
            self._fail(column.name, wrong, forms.CODES[type(column.form)], message)

    def _reference(self, column: Column) -> None:
        reference = column.references
        assert reference is not None
        values = self.columns[column.name]
        target = self._targets(reference)
        allowed = pa.concat_arrays([target.accepted, pa.array(reference.also, pa.string())])
        wrong = ~_mask(pc.is_in(values, value_set=allowed)) & _mask(pc.is_valid(values))
        self._column_line(column.name, "reference", len(values) - values.null_count, int(wrong.sum()))
        if not wrong.any():
            return
        places = pc.index_in(values.take(pa.array(np.flatnonzero(wrong))), value_set=target.refused)
        message = f"No accepted row of {reference.file} has this {reference.column}."
        self._fail(column.name, wrong, "unknown_reference", message, causes=(self.judged[reference.file].file_name, target.refused_rows.take(places)))

    def _targets(self, reference: Reference) -> _Targets:
        place = (reference.file, reference.column)
        if place not in self.targets:
            self.targets[place] = _targets(self.judged[reference.file].frame, reference.column)
        return self.targets[place]

    def _absent_required(self) -> None:
        """A column that an option relaxed may be absent: its cells are empty, so nothing is to be done."""
        for column in self.file.columns:
            if column.required and column.name in self.relaxed and column.name not in self.columns:
                self._column_line(column.name, "present", len(self.refused), len(self.refused))

    # ---- rows

    def _row_rules(self) -> None:
        for rule in self.file.rules:
            if isinstance(rule, NotBefore):
                self._not_before(rule)
            else:
                self._together(rule)

    def _not_before(self, rule: NotBefore) -> None:
        if not {rule.column, rule.other} <= self.columns.keys():
            return
        form = self.file.column(rule.column).form
        other = self.file.column(rule.other).form
        assert isinstance(form, forms.Date) and isinstance(other, forms.Date)
        days = forms.parse_dates(form, self.columns[rule.column])
        wrong = _mask(pc.less(days, forms.parse_dates(other, self.columns[rule.other])))
        self._line(f"{rule.column}: not before {rule.other}", "not_before", len(wrong), int(wrong.sum()))
        self._fail(rule.column, wrong, "bad_date", f"{rule.column} is before {rule.other}.")

    def _together(self, rule: Together) -> None:
        present = [name for name in rule.columns if name in self.columns]
        if not present:
            return
        some = np.logical_or.reduce([_mask(pc.is_valid(self.columns[name])) for name in present])
        failing = np.zeros(len(some), dtype=bool)
        for need in rule.need:
            empty = some if need not in self.columns else some & _mask(pc.is_null(self.columns[need]))
            failing |= empty
            self._warn(empty, "missing_required", need, f"{need} is needed with {', '.join(rule.columns)}; the group was left empty.")
        self._line(f"{', '.join(rule.need)}: together", "together", int(some.sum()), int(failing.sum()))
        for name in present:
            self._set(name, failing, None)

    def _keys(self) -> None:
        """Rows with one key: an exact repeat is dropped; others are refused, or (``repeats``) compared column by column."""
        missing = [name for name in self.file.key if name not in self.columns]
        if missing:
            return
        good = np.flatnonzero(~self.refused)
        codes = row_codes([self.columns[name] for name in self.file.key])[good]
        first, repeated = _first_of(codes)
        later = good[repeated]
        firsts = good[first[repeated]]
        exact = self._same(later, firsts, [n for n in self.columns if not (self.file.repeats and n in self.file.repeats.columns)])
        label = " + ".join(self.file.key)
        if self.file.repeats:
            self._line(f"{label}: repeated rows agree", "repeats", len(good), int((~exact).sum()))
            again = self._repeated_again(np.union1d(firsts, later))
            self._drop(again, "duplicate_row", "The row repeats an earlier one exactly and was dropped.")
            fresh = ~np.isin(later, again)
            self._conflicts(later[fresh], firsts[fresh])
            return
        self._line(f"{label}: unique", "key", len(good), int((~exact).sum()))
        self._drop(later[exact], "duplicate_row", "The row repeats an earlier one exactly and was dropped.")
        self._refuse(_rows_mask(later[~exact], len(self.refused)), "duplicate_key", label, f"An earlier row has the same {label}; the first one stands.")

    def _repeated_again(self, rows: np.ndarray) -> np.ndarray:
        """Of `rows`, which share their keys with others: those that repeat an earlier one in every cell."""
        assert self.file.repeats is not None
        telling = [name for name in (*self.file.key, *self.file.repeats.columns) if name in self.columns]
        first, repeated = _first_of(row_codes([self.columns[name].take(pa.array(rows)) for name in telling]))
        later, firsts = rows[repeated], rows[first[repeated]]
        sent = {name: flat(self.raw.table.column(place)) for name, place in self.header.positions.items() if name in self.columns}
        return later[self._same(later, firsts, list(self.columns)) & self._same(later, firsts, list(sent), sent)]

    def _conflicts(self, later: np.ndarray, firsts: np.ndarray) -> None:
        assert self.file.repeats is not None
        free = {*self.file.repeats.columns, *self.file.key}
        for name in [n for n in self.columns if n not in free]:
            differs = ~self._same(later, firsts, [name])
            self._warn(
                _rows_mask(later[differs], len(self.refused)),
                "conflicting_rows",
                name,
                f"Rows of one {' + '.join(self.file.key)} disagree about {name}; the first row counts.",
            )

    def _unique(self, column: Column) -> None:
        assert column.unique is not None
        owner = [name for name in (column.unique.per or self.file.key) if name in self.columns]
        values = self.columns[column.name]
        rows = np.flatnonzero(~self.refused & _mask(pc.is_valid(values)))
        codes = row_codes([values])[rows]
        owners = row_codes([self.columns[name] for name in owner])[rows]
        first, repeated = _first_of(codes)
        foreign = rows[repeated][owners[repeated] != owners[first[repeated]]]
        self._line(f"{column.name}: unique", "unique", len(rows), len(foreign))
        message = f"{column.name} must be unique, and an earlier record has this one."
        self._fail(column.name, _rows_mask(foreign, len(self.refused)), "id_taken", message)

    # ---- consequences

    def _is_required(self, column: Column) -> bool:
        return column.required and column.name not in self.relaxed

    def _fail(
        self, name: str, wrong: np.ndarray, code: str, message: str, causes: tuple[str, pa.Array] | None = None
    ) -> None:
        """Refuse the rows if the column is required, else leave the cells empty with a warning."""
        column = self.header.columns.get(name)
        if column is not None and self._is_required(column):
            self._refuse(wrong, code, name, message, causes)
            return
        self._add("warning", code, wrong, name, f"{message} The value was left empty.", causes)
        self._set(name, wrong, None)

    def _refuse(
        self, wrong: np.ndarray, code: str, field: str, message: str, causes: tuple[str, pa.Array] | None = None
    ) -> None:
        if not wrong.any():
            return
        self._add("reject", code, wrong, field, message, causes)
        self.reasons.append((np.flatnonzero(wrong), code))
        self.refused = self.refused | wrong

    def _warn(self, wrong: np.ndarray, code: str, field: str, message: str) -> None:
        self._add("warning", code, wrong, field, message, None)

    def _add(
        self, severity: str, code: str, wrong: np.ndarray, field: str, message: str, causes: tuple[str, pa.Array] | None
    ) -> None:
        places = np.flatnonzero(wrong)
        if not len(places):
            return
        keys = [self.columns[name] for name in self.file.key if name in self.columns]
        joined = joined_keys(keys, places) if keys else None
        self.findings.add_rows(
            severity, code, self.numbers[places], field=field, message=message, keys=joined, causes=causes  # type: ignore[arg-type]
        )

    def _fold(self, severity: str, code: str, field: str, count: int, message: str) -> None:
        finding = Finding(severity=severity, code=code, field=field, message=message, count=count)  # type: ignore[arg-type]
        self.findings.add_frame(findings_frame([finding]))

    def _set(self, name: str, rows: np.ndarray, value: str | None) -> None:
        if rows.any():
            self.columns[name] = pc.if_else(pa.array(rows), pa.scalar(value, pa.string()), self.columns[name])

    def _drop(self, places: np.ndarray, code: str, message: str) -> None:
        """Take exact repeats out of the frame: the record itself applies, so the row is neither refused nor needed."""
        self._add("info", code, _rows_mask(places, len(self.refused)), " + ".join(self.file.key), message, None)
        self.kept[places] = False

    def _same(
        self, left: np.ndarray, right: np.ndarray, names: Sequence[str], columns: Mapping[str, pa.Array] | None = None
    ) -> np.ndarray:
        if not len(left):
            return np.zeros(0, dtype=bool)
        same = np.ones(len(left), dtype=bool)
        a, b = pa.array(left), pa.array(right)
        for name in names:
            one, other = ((columns or self.columns)[name].take(places) for places in (a, b))
            both_null = pc.and_(pc.is_null(one), pc.is_null(other))
            same &= _mask(pc.or_(pc.fill_null(pc.equal(one, other), False), both_null))
        return same

    def _line(self, rule: str, check: Check, judged: int, failing: int) -> None:
        """Note how a promise was kept; rules are named as ``spec.promises`` names them."""
        self.lines[rule] = (check, judged, failing)

    def _column_line(self, name: str, check: Check, judged: int, failing: int) -> None:
        self._line(f"{name}: {check}", check, judged, failing)

    # ---- results

    def _judged_file(self) -> JudgedFile:
        damaged = len(self.raw.damaged)
        rejected = int(self.refused.sum()) + damaged
        accepted = int((~self.refused).sum())
        self._line(HEADER, "header", 1, 0)
        self._line(ANY_ROW, "rows", self.raw.rows_read, 0 if accepted else self.raw.rows_read)
        self._line(REFUSED_ROWS, "refused", self.raw.rows_read, rejected)
        frame = _as_frame(self.columns, self.rows, self.refused)
        return JudgedFile(
            frame=frame if self.kept.all() else frame[self.kept].reset_index(drop=True),
            findings=self.findings.table(),
            verdicts=self._verdicts(),
            quarantine=self._quarantine(),
            evidence=self._evidence(),
            refused=None,
            rows_read=self.raw.rows_read,
            rows_accepted=accepted,
            rows_rejected=rejected,
            extensions=tuple(self.header.extensions),
        )

    def _verdicts(self) -> pa.Table:
        lines = [
            {"rule": rule, "column": rule.rpartition(": ")[0], "check": check, "judged": judged, "failing": failing}
            for rule, (check, judged, failing) in self.lines.items()
        ]
        return pa.Table.from_pylist(lines, schema=VERDICTS)

    def _quarantine(self) -> pa.Table:
        names = list(self.columns)
        lines: list[dict[str, object]] = []
        raw = {name: self.raw.table.column(p) for name, p in {**self.header.positions, **self.header.extensions}.items() if name in names}
        for places, code in self.reasons:
            records = pa.table({name: column.take(pa.array(places)) for name, column in raw.items()}).to_pylist()
            for place, record in zip(places, records, strict=True):
                lines.append({"row": int(self.numbers[place]), "code": code, "record": _json(record)})
        secret = {name.casefold() for c in self.file.columns if c.secret for name in (c.name, *c.aliases)}
        for damage in self.raw.damaged:  # cells of a damaged record may have moved into, or out of, a secret column
            shown = blank_cells(damage.cells, self.raw.header, lambda name: name.casefold() in secret)
            lines.append({"row": damage.row, "code": damage.code, "record": _json({"cells": list(shown)})})
        return pa.Table.from_pylist([{"file": self.file_name, **line} for line in lines], schema=QUARANTINE)

    def _evidence(self) -> tuple[tuple[str, ...], ...]:
        missing = [name for name in self.file.key if name in self.columns]
        keyless = self.refused & np.logical_or.reduce([_mask(pc.is_null(self.columns[name])) for name in missing]) if missing else self.refused
        places = pa.array(np.flatnonzero(keyless))
        rows = zip(*(column.take(places).to_pylist() for column in self.columns.values()), strict=True)
        keyless_cells = [tuple(cell for cell in row if cell) for row in rows]
        return (*keyless_cells, *(tuple(cell.strip() for cell in d.cells if cell and cell.strip()) for d in self.raw.damaged))

    def _refused_file(self, code: str | None) -> JudgedFile:
        if code is None:
            message = f"The file {'has a header only' if self.raw.header else 'is empty'}; nothing is removed because of it. Check the export."
            severity: Severity = "file" if self.file.required else "warning"
            self.findings.add_frame(findings_frame([Finding(severity=severity, code="empty_file", message=message)]))
            code = "empty_file"
        verdict = [{"rule": HEADER, "column": "file", "check": "header", "judged": 1, "failing": 1}]
        empty = absent_file(self.file)
        return JudgedFile(
            frame=empty.frame,
            findings=self.findings.table(),
            verdicts=pa.Table.from_pylist(verdict, schema=VERDICTS),
            quarantine=QUARANTINE.empty_table(),
            evidence=(),
            refused=code,
            rows_read=self.raw.rows_read,
            rows_accepted=0,
            rows_rejected=self.raw.rows_read,
        )


def _as_frame(columns: Mapping[str, pa.Array], rows: pa.Array, refused: np.ndarray) -> pd.DataFrame:
    return to_frame(pa.table({**columns, ROW: rows, REFUSED: pa.array(refused, pa.bool_())}))


def _targets(frame: pd.DataFrame, column: str) -> _Targets:
    values, refused, rows = (one_array(frame[name]) for name in (column, REFUSED, ROW))
    return _Targets(
        accepted=pc.unique(values.filter(pc.invert(refused))),
        refused=values.filter(refused),
        refused_rows=rows.filter(refused),
    )


def _first_of(codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return (for each place, the first place with the same code; mask of the places that are not the first)."""
    _, first, inverse = np.unique(codes, return_index=True, return_inverse=True)
    firsts = first[inverse]
    return firsts, firsts != np.arange(len(codes))


def _rows_mask(places: np.ndarray, length: int) -> np.ndarray:
    mask = np.zeros(length, dtype=bool)
    mask[places] = True
    return mask


def _mask(condition: pa.Array) -> np.ndarray:
    return np.asarray(pc.fill_null(condition, False).to_numpy(zero_copy_only=False), dtype=bool)


def _json(record: Mapping[str, object]) -> str:
    return json.dumps({k: v for k, v in record.items() if v is not None}, ensure_ascii=False)
