"""Cells: how values are written as text, and what a spreadsheet would run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from roster_etl.exports.arrays import (
    Array,
    Mask,
    byte_pieces,
    choose,
    column,
    constant,
    each_distinct,
    mask,
    nulls,
    present,
    recoded,
    same,
    text_bytes,
)
from roster_etl.exports.export_tables import ExportTables
from roster_etl.exports.losses import Losses, LossKind, Reason
from roster_etl.exports.plan import OutColumn, OutFile
from roster_etl.spec.errors import RosterError

Formulas = Literal["guard", "keep", "refuse"]

_RUNS = r"^[=+\-@\t\r]"
_NUMBER = r"^[+-]?[0-9][0-9 ().,x-]*$"
_PLAIN = r"^[0-9A-Za-z._/@-]+$"
_BREAKS = r"(\r\n|[\r\n\x0b\x0c\x1c-\x1e\x{85}\x{2028}\x{2029}])"
_NO_BREAK: Final = bytes(range(32, 127))
_MAY_RUN: Final = np.isin(np.arange(256), [ord(sign) for sign in "=+-@\t\r"])
_FLAGS: Mapping[str, tuple[str, str]] = {
    "Y/N": ("Y", "N"),
    "true/false": ("true", "false"),
    "True/False": ("True", "False"),
    "TRUE/FALSE": ("TRUE", "FALSE"),
}


class FormulasFound(RosterError):
    """A cell would run in a spreadsheet, and the call asked to refuse such an export."""

    code = "formulas"
    template = "Cells that begin as formulas do: {count}; nothing was written. `--formulas guard` writes ' before each"


def write_cells(
    work: ExportTables, file: OutFile, rows: pa.Table, outs: tuple[OutColumn, ...], formulas: Formulas
) -> dict[str, Array]:
    """Return the cells of a file as text, column by column; a null is an empty cell."""
    return {out.name: _column(work, file, rows, out, formulas) for out in outs}


def _column(work: ExportTables, file: OutFile, rows: pa.Table, out: OutColumn, formulas: Formulas) -> Array:
    if out.const:
        return constant(out.const, rows.num_rows)
    if out.form == "empty" or not out.value or out.value not in rows.column_names:
        return nulls(rows.num_rows)
    values = column(rows, out.value)
    note = _Noting(work.losses, file, out)
    cells = note.codes(values, out.codes) if out.codes is not None else _formed(work, values, out.form, note)
    if pc.any(pc.equal(cells, "")).as_py():
        cells = pc.if_else(pc.equal(cells, ""), pa.scalar(None, pa.string()), cells)
    if out.form != "text" or out.codes is not None:
        return cells
    cells = note.changed(cells, without_breaks(cells), "line_break")
    return escape_formulas(cells, formulas, note.losses, table=note.table, name=note.column, file=file.name)


class _Noting:
    """Counts changes of one column of a file, under the canonical column that it is from."""

    def __init__(self, losses: Losses, file: OutFile, out: OutColumn) -> None:
        self.losses, self.file = losses, file.name
        home = out.canonical_columns[0] if out.canonical_columns else f"{file.table}."
        self.table, _, column_name = home.partition(".")
        self.column: str | None = column_name or None

    def add(self, kind: LossKind, reason: Reason, where: Mask) -> None:
        self.losses.add(kind, reason, int(where.sum()), table=self.table, column=self.column, file=self.file)

    def changed(self, before: Array, after: Array, reason: Reason) -> Array:
        if after is not before:
            self.add("value_changed", reason, ~same(before, after))
        return after

    def codes(self, values: Array, table: Mapping[str, str]) -> Array:
        cells = recoded(values, table)
        self.add("value_changed", "not_in_code_list", present(values) & ~present(cells))
        return cells


def escape_formulas(cells: Array, formulas: Formulas, losses: Losses, *, table: str, name: str | None, file: str) -> Array:
    """Return `cells` with ``'`` before each that a spreadsheet would run (``guard``); otherwise as they are."""
    if formulas != "guard" or not may_run(cells):
        return cells
    risky = runs(cells)
    losses.add("value_changed", "formula", int(risky.sum()), table=table, column=name, file=file)
    return choose(risky, pc.binary_join_element_wise("'", cells, ""), cells)


def refuse_formulas(files: Iterable[Iterable[Array]]) -> None:
    """Require that no cell of the written files, each given by its columns, would run in a spreadsheet. Raises FormulasFound."""
    if count := sum(int(runs(cells).sum()) for columns in files for cells in columns if may_run(cells)):
        raise FormulasFound(count=count)


def runs(cells: Array) -> Mask:
    """Return which cells a spreadsheet would run."""
    begins = pc.match_substring_regex(cells, pattern=_RUNS)
    harmless = pc.or_(pc.match_substring_regex(cells, pattern=_NUMBER), pc.match_substring_regex(cells, pattern=_PLAIN))
    return mask(pc.and_not(begins, harmless))


def may_break(cells: Array) -> bool:
    """Return whether some cell may hold a line break; text of printable ASCII never does."""
    return any(piece.translate(None, _NO_BREAK) for piece in byte_pieces(cells))


def without_breaks(cells: Array) -> Array:
    """Return `cells` with a blank for each line break: the same array if there is none."""
    return pc.replace_substring_regex(cells, pattern=_BREAKS, replacement=" ") if may_break(cells) else cells


def may_run(cells: Array) -> bool:
    """Return whether some cell begins as a formula does."""
    data, starts, ends = text_bytes(cells)
    return bool(_MAY_RUN[data[starts[ends > starts]]].any())


def _formed(work: ExportTables, values: Array, form: str, note: _Noting) -> Array:
    if form in _FLAGS:
        yes, no = _FLAGS[form]
        return pc.if_else(values, yes, no) if pa.types.is_boolean(values.type) else nulls(len(values))
    if form in ("us_date", "iso_date"):
        return each_distinct(values, lambda day: _day(day, form[:2] if form == "us_date" else "iso"))
    if form == "instant":
        return each_distinct(values, instant_text)
    if form.endswith(("_first_day", "_last_day", "_end_day")):
        style, _, which = form.partition("_")
        note.add("value_changed", "time_of_day", has_time_of_day(values, work.zone))
        return each_distinct(values, _local_day(work.zone, which, style))
    return number_text(values)


def number_text(values: Array) -> Array:
    """Return numbers and text as text: whole numbers without a point, others with the fewest digits that come back the same."""
    if pa.types.is_floating(values.type):
        return each_distinct(
            values, lambda number: f"{number:.10f}".rstrip("0").rstrip(".") if abs(number) < 1e15 else repr(number)
        )
    return values.cast(pa.string())


def _day(day: date, style: str) -> str:
    return f"{day.month:02d}/{day.day:02d}/{day.year:04d}" if style == "us" else f"{day.year:04d}-{day.month:02d}-{day.day:02d}"


def instant_text(moment: datetime) -> str:
    """Return a moment in UTC as ISO 8601, with a fraction only where there is one."""
    text = f"{moment.year:04d}-{moment:%m-%dT%H:%M:%S}"
    return f"{text}.{moment.microsecond:06d}".rstrip("0") + "Z" if moment.microsecond else f"{text}Z"


@lru_cache(maxsize=1024)
def local_midnight_of(moment: datetime, zone: str) -> tuple[date, bool]:
    """Return the local day of a moment, and whether the day begins with it."""
    tz = ZoneInfo(zone)
    local = moment.astimezone(tz)
    begins = datetime.combine(local.date(), time(), tz).astimezone(moment.tzinfo) == moment
    return local.date(), begins


def has_time_of_day(values: Array, zone: str) -> Mask:
    """Return which moments are not the beginning of a local day."""
    found = each_distinct(values, lambda moment: not local_midnight_of(moment, zone)[1], pa.bool_())
    return np.asarray(pc.fill_null(found, False).to_numpy(zero_copy_only=False), dtype=bool)


def _local_day(zone: str, which: str, style: str) -> Callable[[Any], str]:
    """Return how a moment becomes a day: a start rounds down; an exclusive end rounds up, and its last day is the one before."""

    def text(moment: datetime) -> str:
        day, begins = local_midnight_of(moment, zone)
        if which == "end_day":
            day = day if begins else day + timedelta(days=1)
        elif which == "last_day":
            day = day - timedelta(days=1) if begins else day
        return _day(day, style)

    return text


def day_texts(values: Array, zone: str, form: str) -> Array:
    """Return moments as local days, written as `form` says."""
    style, _, which = form.partition("_")
    return each_distinct(values, _local_day(zone, which, style))
