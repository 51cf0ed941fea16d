"""Reject a row, clear a cell, drop a repeated row or add a warning: what a broken rule does to the file under validation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from roster_etl.engine.csv.header_match import Header
from roster_etl.engine.csv.reader import RawFile
from roster_etl.engine.validation.findings_builder import FindingsBuilder, joined_keys
from roster_etl.frames.arrow import (
    CASCADED,
    DELETED,
    ID_CONFLICT,
    REFUSED,
    ROW,
    CodedColumn,
    coded_column,
    combine_chunks,
    findings_table,
    row_codes,
    unsure_name,
)
from roster_etl.spec import Column, File, RowCondition
from roster_etl.spec.findings import Finding, Severity
from roster_etl.spec.rule_catalog import RuleCheck

Mask: TypeAlias = npt.NDArray[np.bool_]  # one flag per row
RowPositions: TypeAlias = npt.NDArray[np.int64]  # positions of rows in the table
Causes: TypeAlias = tuple[str, pa.Array]  # a file, and the record numbers of its rejected rows

EMPTIED = " The value was left empty."
KEPT = " A known record keeps the value that it has."
VERDICTS = pa.schema(
    [("rule", pa.string()), ("column", pa.string()), ("check", pa.string()), ("judged", pa.int64()), ("failing", pa.int64())]
)


def _keep_all() -> None:
    """Give back nothing."""


class FileState:
    """One file during validation. Grain: one row per readable record.

    Attributes:
        columns: cells in vendor spelling, without secrets.
        refused: rejected rows.
        doubted: accepted rows of which a reference or a group of cells was emptied.
        kept: rows that are not exact repeats.
        id_conflicts: rejected rows that describe another record than the one with their id.
        described: keys of published records that only rejected rows describe, and none names (``described_records``).
        unreadable, emptied: by column, cells that a NUL or a broken rule emptied.
        unsure: by column, emptied references, and lists that lost some, whose target was merely rejected: a known record keeps its value.
        malformed: by column, cells whose text cannot be read, also where a default replaced it.
        strict: whether what practice gets wrong is rejected.
        changes: how many records at the start are changes; None: the file is whole.
        carried: whether all records go on from earlier uploads.
        exempt: rows that need their key only.
        follows: rows that went with a record that they refer to.
        reasons: the codes for which rows were rejected.
        release: gives back memory between checks, where somebody keeps the columns elsewhere.
    """

    def __init__(
        self,
        raw: RawFile,
        file: File,
        header: Header,
        file_name: str,
        relaxed: frozenset[str],
        *,
        strict: bool = False,
        changes: int | None = None,
        carried: bool = False,
    ) -> None:
        self.raw, self.file, self.header, self.file_name, self.relaxed = raw, file, header, file_name, relaxed
        self.strict, self.changes, self.carried = strict, changes, carried
        self.follows: Mask = np.zeros(len(raw.rows), dtype=bool)
        self.exempt: Mask = np.zeros(len(raw.rows), dtype=bool)
        self.findings = FindingsBuilder(file_name)
        self.numbers: RowPositions = raw.rows.to_numpy()
        self.refused: Mask = np.zeros(len(self.numbers), dtype=bool)
        self.doubted: Mask = np.zeros(len(self.numbers), dtype=bool)
        self.kept: Mask = np.ones(len(self.numbers), dtype=bool)
        self.id_conflicts: Mask = np.zeros(len(self.numbers), dtype=bool)
        self.described: pa.Table = pa.table({})
        self.columns: dict[str, pa.Array] = {}
        self.unreadable: dict[str, Mask] = {}
        self.emptied: dict[str, Mask] = {}
        self.unsure: dict[str, Mask] = {}
        self.malformed: dict[str, Mask] = {}
        self.reasons: list[tuple[RowPositions, str]] = []
        self.release: Callable[[], None] = _keep_all
        self._lines: dict[str, tuple[RuleCheck, int, int]] = {}
        self._coded: dict[str, tuple[pa.Array, CodedColumn | None]] = {}

    @property
    def label(self) -> str:
        """The file's key, as rules and messages name it."""
        return " + ".join(self.file.key)

    @property
    def key_field(self) -> str:
        """The file's key, as the ``field`` of a finding."""
        return ", ".join(self.file.key)

    def key(self) -> list[pa.Array]:
        """Return the key columns that the upload has."""
        return [self.columns[name] for name in self.file.key if name in self.columns]

    def coded(self, name: str) -> CodedColumn | None:
        """Return a column of keys or references as codes, which are kept until a cell of it changes; None: `coded_column` gives none."""
        column = self.columns[name]
        if name not in self._coded or self._coded[name][0] is not column:
            self._coded[name] = column, coded_column(column)
        return self._coded[name][1]

    def is_in(self, name: str, values: pa.Array) -> Mask:
        """Return which cells of a column of references are among `values`."""
        coded = self.coded(name)
        return to_mask(pc.is_in(self.columns[name], value_set=values)) if coded is None else coded.is_in(values)

    def forget_codes(self, name: str) -> None:
        """Give back the codes of a column that is no key: nobody asks for them again."""
        if name not in self.file.key:
            self._coded.pop(name, None)

    def key_codes(self, names: Sequence[str]) -> RowPositions:
        """Return one number a row, equal for rows that have the same cells in `names`."""
        return row_codes([self.coded(name) or self.columns[name] for name in names])

    def original_cells(self) -> dict[str, pa.Array]:
        """Return the cells as uploaded, without secret columns."""
        places = {**self.header.positions, **self.header.extensions}
        return {name: combine_chunks(self.raw.table.column(place)) for name, place in places.items() if name in self.columns}

    def required_mask(self, column: Column) -> Mask:
        """Return the rows that an invalid cell of `column` rejects."""
        if column.required_where:
            return self.where_mask(column.required_where)
        if self.file.changes and column.name in (self.file.changes.status, self.file.changes.modified):
            return self.change_mask()
        if self.file.changes and column.name not in self.file.key:
            always = column.required and not column.has_default and column.name not in self.relaxed
            return ~self.deleted_mask() if always else np.zeros(len(self.refused), dtype=bool)
        always = column.required and not column.has_default and column.name not in self.relaxed
        return np.full(len(self.refused), always, dtype=bool)

    def deleted_mask(self) -> Mask:
        """Return the rows that mark their record as deleted."""
        return self.where_mask(self.file.deleted) if self.file.deleted else np.zeros(len(self.refused), dtype=bool)

    def change_mask(self) -> Mask:
        """Return the rows of changes: the first ones of a file that goes on with them; none in a whole file."""
        return self.numbers <= (self.changes or 0) + 1

    def newly_uploaded_mask(self) -> Mask:
        """Return the rows that came with the upload: all of a whole file, the changes of one that goes on."""
        if self.carried:
            return np.zeros(len(self.numbers), dtype=bool)
        return np.ones(len(self.numbers), dtype=bool) if self.changes is None else self.change_mask()

    def warn_or_reject_if_strict(self, rows: Mask, code: str, field: str, message: str) -> None:
        """Warn of rows that the document does not allow and that are read all the same; refuse them in a strict upload."""
        rows = rows & ~self.exempt
        if self.strict:
            self.reject(rows, code, field, message)
        else:
            self.warn(rows, code, field, message)

    def where_mask(self, rows: RowCondition) -> Mask:
        """Return the condition `rows` as a mask; no rows if the upload lacks the column."""
        cells = self.columns.get(rows.column)
        if cells is None or cells.null_count == len(cells):
            return np.zeros(len(self.refused), dtype=bool)
        values = pa.array([value.lower() for value in rows.values])
        return to_mask(pc.is_in(pc.utf8_lower(cells), value_set=values))

    def mask(self, positions: RowPositions) -> Mask:
        """Return `positions` as a mask."""
        mask = np.zeros(len(self.refused), dtype=bool)
        mask[positions] = True
        return mask

    def reject_or_clear(
        self,
        name: str,
        wrong: Mask,
        code: str,
        message: str | pa.Array,
        causes: Causes | None = None,
        *,
        unsure: Mask | None = None,
    ) -> None:
        """Reject the rows where the column is required or strict; elsewhere clear the cells, with a warning.

        Args: message, causes: one for all, or one for each of the `wrong` rows. unsure: rows whose cell names a merely rejected record.
        """
        concerned = wrong & ~self.exempt
        causes, message = _filter_causes(causes, wrong, concerned), _filter_messages(message, wrong, concerned)
        wrong = concerned
        column = self.header.columns.get(name)
        nowhere = np.zeros(len(wrong), dtype=bool)
        rejects = column is not None and (column.strict or self.strict)
        required = nowhere if column is None else wrong if rejects else wrong & self.required_mask(column)
        self.reject(required, code, name, _filter_messages(message, wrong, required), _filter_causes(causes, wrong, required))
        emptied = wrong & ~required
        kept = nowhere if unsure is None else emptied & unsure
        for rows, ending in ((emptied & ~kept, EMPTIED), (kept, KEPT)):
            text = _filter_messages(message, wrong, rows, ending)
            self.add_findings("warning", code, rows, name, text, _filter_causes(causes, wrong, rows))
        self.note_unsure(name, kept)
        self.set_cells(name, emptied, None)
        self.emptied[name] = emptied | self.emptied[name] if name in self.emptied else emptied
        if causes is not None:
            self.doubted = self.doubted | emptied

    def note_unsure(self, name: str, rows: Mask) -> None:
        """Note cells that lack what they name only because a row was rejected in this upload."""
        if rows.any():
            self.unsure[name] = rows | self.unsure[name] if name in self.unsure else rows

    def note_malformed(self, name: str, wrong: Mask) -> None:
        """Note cells whose text cannot be read, whatever became of them."""
        self.malformed[name] = wrong | self.malformed[name] if name in self.malformed else wrong

    def malformed_cells(self) -> dict[str, tuple[int, int]]:
        """Return, by column with such cells: (filled cells of the rows that apply, those of them that cannot be read)."""
        counts = {}
        for name, wrong in self.malformed.items():
            filled = (to_mask(pc.is_valid(self.columns[name])) | wrong) & ~self.refused
            counts[name] = (int(filled.sum()), int((wrong & ~self.refused).sum()))
        return {name: (filled, wrong) for name, (filled, wrong) in counts.items() if wrong}

    def reject(self, wrong: Mask, code: str, field: str, message: str | pa.Array, causes: Causes | None = None) -> None:
        """Reject the rows. They stay in the table, so that their records are not missing. `message`: one for all, or one each."""
        if not wrong.any():
            return
        self.add_findings("reject", code, wrong, field, message, causes)
        self.reasons.append((np.flatnonzero(wrong), code))
        self.refused = self.refused | wrong

    def warn(self, wrong: Mask, code: str, field: str, message: str | pa.Array) -> None:
        """Add a warning for each of the rows, which still apply. `message`: one for all, or one each."""
        self.add_findings("warning", code, wrong, field, message)

    def drop_repeats(self, positions: RowPositions) -> None:
        """Drop exact repeats from the DataFrame: the first row applies, so these are neither rejected nor needed."""
        message = "The row repeats an earlier one exactly and was dropped."
        self.add_findings("info", "duplicate_row", self.mask(positions), self.key_field, message)
        self.kept[positions] = False

    def mark_cascaded(self, rows: Mask) -> None:
        """Mark rows that went with a record that they refer to: they neither apply nor show that their record is there."""
        self.follows = self.follows | rows

    def set_cells(self, name: str, rows: Mask, value: str | None) -> None:
        """Write `value` into the cells of column `name`."""
        if rows.any():
            self.columns[name] = pc.if_else(pa.array(rows), pa.scalar(value, pa.string()), self.columns[name])

    def copy_cells(self, name: str, to: RowPositions, source: RowPositions) -> None:
        """Write the cells of column `name` at `source` into those at `to`."""
        if len(to):
            places = np.arange(len(self.refused))
            places[to] = source
            self.columns[name] = self.columns[name].take(pa.array(places))

    def add_findings(
        self, severity: Severity, code: str, rows: Mask, field: str, message: str | pa.Array, causes: Causes | None = None
    ) -> None:
        """Add a finding for each of `rows`. Warnings about rows that go on were told when these came."""
        if severity != "reject" and (self.carried or self.changes is not None):
            causes, rows = _filter_causes(causes, rows, rows & self.newly_uploaded_mask()), rows & self.newly_uploaded_mask()
        places = np.flatnonzero(rows)
        if not len(places):
            return
        key = self.key()
        keys = joined_keys(key, places) if key else None
        self.findings.add_rows(severity, code, self.numbers[places], field=field, message=message, keys=keys, causes=causes)

    def add_finding(self, severity: Severity, code: str, field: str | None, count: int, message: str) -> None:
        """Add one finding that stands for `count` rows."""
        finding = Finding(severity=severity, code=code, field=field, message=message, count=count)
        self.findings.add_table(findings_table([finding]))

    def record_check(self, rule: str, check: RuleCheck, judged: int, failing: int) -> None:
        """Record the result of a rule; rules are named as in ``spec.rule_catalog``."""
        self._lines[rule] = (check, judged, failing)

    def verdicts(self) -> pa.Table:
        """Return one line per rule (VERDICTS)."""
        lines = [
            {"rule": rule, "column": rule.rpartition(": ")[0], "check": check, "judged": judged, "failing": failing}
            for rule, (check, judged, failing) in self._lines.items()
        ]
        return pa.Table.from_pylist(lines, schema=VERDICTS)

    def rows(self) -> pa.Table:
        """Return the rows that are kept, with ``_row`` and ``_refused``."""
        deleted = self.deleted_mask() & ~self.refused if self.file.deleted else None
        id_conflicts = self.id_conflicts if self.id_conflicts.any() else None
        rows = rows_table(self.columns, self.raw.rows, self.refused, deleted, id_conflicts)
        rows = rows.append_column(CASCADED, pa.array(self.follows)) if self.follows.any() else rows
        for name, unsure in self.unsure.items():
            rows = rows.append_column(unsure_name(name), pa.array(unsure))
        return rows if self.kept.all() else rows.filter(pa.array(self.kept))


def rows_table(
    columns: Mapping[str, pa.Array], rows: pa.Array, refused: Mask, deleted: Mask | None = None, id_conflicts: Mask | None = None
) -> pa.Table:
    """Return validated rows as a table: `columns`, ``_row``, ``_refused``, and ``_deleted`` and ``_stranger`` where there are such marks."""
    marks = {REFUSED: refused, DELETED: deleted, ID_CONFLICT: id_conflicts}
    there = {name: pa.array(mark, pa.bool_()) for name, mark in marks.items() if mark is not None}
    return pa.table({**columns, ROW: rows, **there})


def _filter_messages(message: str | pa.Array, rows: Mask, chosen: Mask, ending: str = "") -> str | pa.Array:
    """Return the message, or those of the `chosen` rows if `message` has one for each of `rows`, each with `ending`."""
    if isinstance(message, str):
        return f"{message}{ending}"
    chosen_ones = message.filter(pa.array(chosen[rows]))
    return pc.binary_join_element_wise(chosen_ones, ending, "") if ending else chosen_ones


def _filter_causes(causes: Causes | None, rows: Mask, chosen: Mask) -> Causes | None:
    """Return the entries of `causes`, which has one for each of `rows`, for the `chosen` rows."""
    if causes is None or rows.sum() == chosen.sum():
        return causes
    return causes[0], causes[1].filter(pa.array(chosen[rows]))


def to_mask(condition: pa.Array) -> Mask:
    """Return `condition` as a mask; null is false."""
    condition = pc.fill_null(condition, False) if condition.null_count else condition
    return np.asarray(condition.to_numpy(zero_copy_only=False), dtype=bool)


def same_cells(left: RowPositions, right: RowPositions, columns: Sequence[pa.Array]) -> Mask:
    """Return which rows at `left` equal the rows at `right` in all `columns`; empty equals empty."""
    same = np.ones(len(left), dtype=bool)
    if not len(left):
        return same
    a, b = pa.array(left), pa.array(right)
    for column in columns:
        one, other = column.take(a), column.take(b)
        equal = to_mask(pc.equal(one, other))
        if one.null_count and other.null_count:
            equal |= to_mask(pc.and_(pc.is_null(one), pc.is_null(other)))
        same &= equal
    return same
