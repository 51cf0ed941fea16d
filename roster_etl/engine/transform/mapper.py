"""Run mappings: validated vendor files in, one canonical table out.

Belongs here: evaluating the expressions of ``mapping.column_plan``, the list of derived columns, one row per key.
Grain of the result: one row per record of the canonical table. Rejected rows whose record no other row has stay in it with
``_refused``, so that the record counts as seen. Rows with ``_deleted`` stay too, so that it counts as deleted.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from collections.abc import Mapping as MappingABC
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from roster_etl.canonical.roster import RosterTable
from roster_etl.engine.transform.row_steps import edited_name, family_members, run_step
from roster_etl.engine.transform.unsure_cells import unsure_cells
from roster_etl.engine.validation.findings_builder import FindingsBuilder, joined_keys
from roster_etl.frames.arrow import (
    CASCADED,
    DELETED,
    LONG,
    REFUSED,
    ROW,
    combine_chunks,
    release_memory,
    repeated,
    row_codes,
    shares_code,
    to_arrow_array,
    unsure_name,
)
from roster_etl.frames.row_hashes import HASH, as_text, key_text, row_hash
from roster_etl.mapping.column_plan import (
    RECEIVED_ON,
    Const,
    CurrentSpan,
    Expression,
    FirstOf,
    From,
    FromTargets,
    IfOption,
    Mapping,
    OfUpload,
)

ORIGIN = pa.schema(
    [("source_file", pa.string()), ("source_row", pa.int64()), ("derived", pa.string()), ("extensions", pa.string())]
)
__all__ = ["ORIGIN", "MappedTable", "SourceFile", "edited_name", "map_table", "source_records"]

_MANY = 1 << 18  # rows of a table beside which the memory that was needed to make it counts


@dataclass(frozen=True, kw_only=True)
class MappedTable:
    """A canonical table as mapped from an upload: business columns, ORIGIN columns, ``row_hash``, ``_refused`` and ``_deleted``.

    A row with ``_deleted`` has ``_refused`` too: it opens no version. It has only the key cells from its own file; the others are
    null. ``collisions``: accepted rows whose key an earlier mapping already produced, where none was expected. ``unsure``: column →
    keys (`key_text`) of the records whose value there is missing because a row of another file was rejected (``unsure_cells``).
    """

    table: pa.Table
    findings: pa.Table
    collisions: int
    unsure: MappingABC[str, pa.Array] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class SourceFile:
    """A validated vendor file: its rows, its name as uploaded, and the header spelling of its extension columns.

    ``lost``: columns that earlier uploads had and this one lacks.
    """

    rows: pa.Table
    file_name: str
    extensions: tuple[str, ...] = ()
    lost: frozenset[str] = frozenset()


def map_table(
    target: RosterTable,
    mappings: Sequence[Mapping],
    files: MappingABC[str, SourceFile],
    options: MappingABC[str, object],
    *,
    compared: bool = False,
    some: pa.Table | None = None,
) -> MappedTable:
    """Map `files` (by spec name) to `target`, mapping by mapping; of several rows with one key the first accepted one counts.

    ``compared``: the table is only compared, and needs no origin, no ``derived``, no ``row_hash``, and no finding about rows that
    disagree. ``some``: the rows of the mappings' own file to map, if not all; look-ups see all.
    """
    rows_by_name = {name: _with_row_marks(file.rows) for name, file in files.items()}
    parts: list[pa.Table] = []
    findings = [FindingsBuilder(files[mapping.source].file_name) for mapping in mappings]
    unsure: dict[str, list[pa.Array]] = {}
    for mapping, noted in zip(mappings, findings, strict=True):
        own = rows_by_name[mapping.source] if some is None else _with_row_marks(some)
        own = _named_columns(mapping, own, files[mapping.source].extensions)
        rows = _run_steps(mapping, own, rows_by_name, options, noted)
        part = _evaluate(target, mapping, rows, files[mapping.source], options, noted, compared=compared)
        parts.append(_without_unsure(target, part, unsure))
        del rows, part
    sizes = [part.num_rows for part in parts]
    table = pa.concat_tables(parts)
    parts.clear()
    if compared and table.num_rows > _MANY:
        release_memory()  # what evaluating needed, before keys are compared
    repeats = _repeats(target, table)
    if repeats is None:
        collisions = 0
    else:
        origin = np.repeat(np.arange(len(mappings)), sizes)
        if not compared:
            _report_conflicts(target, table, origin, repeats, mappings, findings)
        collisions = _collisions(np.repeat([mapping.is_fallback for mapping in mappings], sizes), origin, repeats)
        table = table.filter(pa.array(repeats.counts))
    if not compared:
        table = table.append_column(HASH, row_hash(table, target))
    return MappedTable(
        table=table,
        findings=pa.concat_tables([noted.table() for noted in findings]),
        collisions=collisions,
        unsure={name: pa.concat_arrays(keys) for name, keys in unsure.items()},
    )


def _without_unsure(target: RosterTable, part: pa.Table, unsure: dict[str, list[pa.Array]]) -> pa.Table:
    """Move the flags of unsure cells from the rows of a mapping to `unsure`: column → keys of the accepted rows."""
    flags = {name: unsure_name(name) for name in target.names if unsure_name(name) in part.column_names}
    for name, flag in flags.items():
        rows = part.filter(pc.and_not(combine_chunks(part.column(flag)), combine_chunks(part.column(REFUSED))))
        unsure.setdefault(name, []).append(key_text(rows, target.key))
    return part.drop_columns([*flags.values()])


def source_records(
    target: RosterTable, mapping: Mapping, files: MappingABC[str, SourceFile], options: MappingABC[str, object]
) -> tuple[pa.Array, np.ndarray]:
    """Return (the key of the record that each row of a mapping gives, as `key_text`; the number of that row in its file).

    Rows that give no record because they were refused are left out.
    """
    rows_by_name = {name: _with_row_marks(file.rows) for name, file in files.items()}
    rows = _run_steps(mapping, rows_by_name[mapping.source], rows_by_name, options, FindingsBuilder(None))
    rows = rows.filter(pc.invert(rows.column(REFUSED)))
    evaluator = _Evaluator(rows, options, target.arrow_schema)
    for name in target.key:
        if name in mapping.columns:
            evaluator.evaluate(name, mapping.columns[name])
    absent = {n: pa.nulls(rows.num_rows, target.arrow_schema.field(n).type) for n in target.key if n not in evaluator.made}
    table = pa.table({**{name: column.values for name, column in evaluator.made.items()}, **absent})
    return key_text(table, target.key), combine_chunks(rows.column(ROW)).to_numpy()


def _run_steps(
    mapping: Mapping,
    rows: pa.Table,
    files: MappingABC[str, pa.Table],
    options: MappingABC[str, object],
    findings: FindingsBuilder,
) -> pa.Table:
    """Return rows of a mapping's file after its steps; those that compare dates find the day of arrival in RECEIVED_ON."""
    if any(isinstance(step, CurrentSpan) for step in mapping.steps):
        rows = rows.append_column(RECEIVED_ON, pa.repeat(pa.scalar(str(options[RECEIVED_ON]), pa.string()), rows.num_rows))
    for step in mapping.steps:
        rows = run_step(step, rows, files, findings)
    return rows


def _named_columns(mapping: Mapping, rows: pa.Table, extensions: Sequence[str]) -> pa.Table:
    """Return rows of a mapping's file with the marks and those columns that the mapping names: steps that choose rows copy every column."""
    families = (family_members(getattr(step, "family", None), rows.column_names) for step in mapping.steps)
    named = {*_words(mapping), *(extensions if mapping.extensions else ()), *(name for family in families for name in family)}
    return rows.select([name for name in rows.column_names if name in named or name.startswith("_")])


def _words(spec: object) -> Iterator[str]:
    """Yield every text in a mapping or a part of one."""
    if isinstance(spec, str):
        yield spec
    elif isinstance(spec, MappingABC):
        yield from _words((*spec.keys(), *spec.values()))
    elif isinstance(spec, tuple | list | frozenset):
        yield from (word for part in spec for word in _words(part))
    elif is_dataclass(spec):
        yield from (word for part in fields(spec) for word in _words(getattr(spec, part.name)))


def _with_row_marks(rows: pa.Table) -> pa.Table:
    """Return validated `rows` with both marks; a deleted row is also marked as rejected, since neither kind supplies values."""
    if CASCADED in rows.column_names:
        rows = rows.filter(pc.invert(rows.column(CASCADED))).drop_columns([CASCADED])
    if DELETED not in rows.column_names:
        return rows.append_column(DELETED, pa.array(np.zeros(rows.num_rows, dtype=bool)))
    gives_nothing = pc.or_(combine_chunks(rows.column(REFUSED)), combine_chunks(rows.column(DELETED)))
    return rows.set_column(rows.schema.get_field_index(REFUSED), REFUSED, gives_nothing)


@dataclass(frozen=True)
class _Column:
    """Values of one target column, and which of them are derived (one flag for all, or one per row)."""

    values: pa.Array
    derived: np.ndarray | bool


class _Evaluator:
    """``reads_edits``: derived values of the column at hand are made of edited cells, where there are any; ids never are."""

    def __init__(self, rows: pa.Table, options: MappingABC[str, object], types: pa.Schema) -> None:
        self.rows, self.options, self.types = rows, options, types
        self.made: dict[str, _Column] = {}
        self.reads_edits = False

    def evaluate(self, name: str, expression: Expression) -> None:
        self.reads_edits = not name.endswith("_id")
        column = self._value(expression, self.rows, self.types.field(name).type)
        self.made[name] = column

    def _value(self, expression: Expression, rows: pa.Table, kind: pa.DataType) -> _Column:
        match expression:
            case Const(value=value, derived=derived):
                return _Column(pa.repeat(pa.scalar(value, kind), rows.num_rows), derived)
            case From():
                return _Column(self._from(expression, rows, kind), expression.derived)
            case FromTargets(targets=targets, via=via):
                made = via(*(pd.Series(pd.arrays.ArrowExtensionArray(self.made[t].values)) for t in targets))
                return _Column(_typed(made, kind), True)
            case OfUpload(what=what):
                return _Column(pa.repeat(pa.scalar(self.options[what], kind), rows.num_rows), True)
            case FirstOf(choices=choices):
                return self._first_of(choices, rows, kind)
            case IfOption(option=option, equals=equals):
                chosen = expression.then if self.options[option] == equals else expression.otherwise
                return self._value(chosen, rows, kind)

    def _from(self, expression: From, rows: pa.Table, kind: pa.DataType) -> pa.Array:
        absent = pa.nulls(rows.num_rows, pa.string())
        names = [self._name(source, rows) if expression.derived else source for source in expression.sources]
        cells = [combine_chunks(rows.column(s)) if s in rows.column_names else absent for s in names]
        if expression.via is None:
            return cells[0] if cells[0].type == kind else cells[0].cast(kind)
        settings = [self.options[expression.option]] if expression.option else []
        empty = all(column.null_count == rows.num_rows for column in cells)
        used = (
            [column.slice(0, 1) for column in cells] if empty else cells
        )  # a function of nulls gives the same result in all rows
        made = _typed(expression.via(*(pd.Series(pd.arrays.ArrowExtensionArray(c)) for c in used), *settings), kind)
        return pa.repeat(made[0], rows.num_rows) if empty and rows.num_rows else made

    def _name(self, source: str, rows: pa.Table) -> str:
        edited = edited_name(source)
        return edited if self.reads_edits and edited in rows.column_names else source

    def _first_of(self, choices: Sequence[Expression], rows: pa.Table, kind: pa.DataType) -> _Column:
        """Return the first value of several choices; later choices are evaluated only for rows that need them."""
        first = self._value(choices[0], rows, kind)
        values, derived = first.values, np.broadcast_to(np.asarray(first.derived), rows.num_rows).copy()
        for choice in choices[1:]:
            empty = pc.is_null(values)
            places = np.flatnonzero(empty.to_numpy(zero_copy_only=False))
            if not len(places):
                break
            whole = isinstance(choice, FromTargets)  # reads target columns, so it needs all rows
            part = self._value(choice, rows if whole else rows.take(pa.array(places)), kind)
            found = part.values.take(pa.array(places)) if whole else part.values
            values = pc.replace_with_mask(values, empty, found)
            derived[places] = np.broadcast_to(np.asarray(part.derived), len(part.values))[
                places if whole else slice(None)
            ] & pc.is_valid(found).to_numpy(zero_copy_only=False)
        return _Column(values, derived)


def _typed(values: pd.Series, kind: pa.DataType) -> pa.Array:
    array = to_arrow_array(values)
    return array if array.type == kind else array.cast(kind)


def _evaluate(
    target: RosterTable,
    mapping: Mapping,
    rows: pa.Table,
    source: SourceFile,
    options: MappingABC[str, object],
    findings: FindingsBuilder,
    *,
    compared: bool = False,
) -> pa.Table:
    """Return the rows of one mapping as a table of `target`, with ORIGIN columns and both marks, without incomplete keys."""
    evaluator = _Evaluator(rows, options, target.arrow_schema)
    for name, expression in mapping.columns.items():
        evaluator.evaluate(name, expression)
    columns = {field.name: _made_column(evaluator, mapping, field, rows.num_rows) for field in target.arrow_schema}
    if not compared:
        columns["source_file"] = repeated(pa.scalar(source.file_name), rows.num_rows)
    columns["source_row"] = combine_chunks(rows.column(ROW))
    if not compared:
        columns["derived"] = _derived_lists(evaluator.made, rows.num_rows)
    columns["extensions"] = (
        _extensions(rows, _extension_columns(mapping, rows, source))
        if mapping.extensions or mapping.kept_as_extensions
        else repeated(pa.scalar("{}"), rows.num_rows)
    )
    columns |= {mark: combine_chunks(rows.column(mark)) for mark in (REFUSED, DELETED)}
    flags = {name: unsure_cells(expression, rows) for name, expression in mapping.columns.items() if name not in target.key}
    columns |= {unsure_name(name): flag for name, flag in flags.items() if flag is not None}
    table = _without_nameless_removals(target, mapping, _without_foreign_keys(target, mapping, pa.table(columns)))
    return _with_complete_keys(target, mapping, table, findings)


def _made_column(evaluator: _Evaluator, mapping: Mapping, field: pa.Field[Any], rows: int) -> pa.Array | pa.ChunkedArray:
    """Return the values of a target column; those of a long column with one value, or none, take the memory of a piece of it."""
    made = evaluator.made.get(field.name)
    if made is None:
        return repeated(pa.scalar(None, field.type), rows)
    same = rows > LONG and isinstance(mapping.columns[field.name], Const | OfUpload)
    return repeated(made.values[0], rows) if same else made.values


def _with_complete_keys(target: RosterTable, mapping: Mapping, table: pa.Table, findings: FindingsBuilder) -> pa.Table:
    """Return the rows with a complete key; report the others if the mapping says so."""
    needed = [combine_chunks(table.column(name)) for name in target.key if name not in target.optional_key]
    complete = np.logical_and.reduce([pc.is_valid(column).to_numpy(zero_copy_only=False) for column in needed])
    usable = complete | combine_chunks(table.column(REFUSED)).to_numpy(
        zero_copy_only=False
    )  # a rejected row without a key identifies no record
    if mapping.missing_key is not None:
        rows = combine_chunks(table.column("source_row")).to_numpy()[~usable]
        said = mapping.missing_key
        findings.add_rows("warning", said.code, rows, field=said.field, message=said.message)
    return table if usable.all() else table.filter(pa.array(usable))


def _without_foreign_keys(target: RosterTable, mapping: Mapping, table: pa.Table) -> pa.Table:
    """Empty the key cells of deleted rows that come from other files, whose values may have changed since publishing."""
    deleted = combine_chunks(table.column(DELETED))
    if not pc.any(deleted).as_py():
        return table
    reads = mapping.lineage()
    for name in target.key:
        if any(file != mapping.source for file, _ in reads.get(name, ())):
            values = combine_chunks(table.column(name))
            emptied = pc.if_else(deleted, pa.scalar(None, values.type), values)
            table = table.set_column(table.schema.get_field_index(name), name, emptied)
    return table


def _without_nameless_removals(target: RosterTable, mapping: Mapping, table: pa.Table) -> pa.Table:
    """Drop deleted rows that lack a key cell which their own file should give: they do not say which record is gone."""
    deleted = combine_chunks(table.column(DELETED))
    if not pc.any(deleted).as_py():
        return table
    reads = mapping.lineage()
    own = [
        n for n in target.key if n not in target.optional_key and reads.get(n) and {f for f, _ in reads[n]} == {mapping.source}
    ]
    lacking = np.zeros(table.num_rows, dtype=bool)
    for name in own:
        lacking |= pc.is_null(combine_chunks(table.column(name))).to_numpy(zero_copy_only=False)
    lacking &= deleted.to_numpy(zero_copy_only=False)
    return table.filter(pa.array(~lacking)) if lacking.any() else table


def _derived_lists(made: MappingABC[str, _Column], rows: int) -> pa.Array | pa.ChunkedArray:
    """Return a JSON list per row, of the columns that are derived and have a value."""
    combination = np.zeros(rows, dtype=np.int64)
    names: list[str] = []
    for name, column in made.items():
        flags = np.broadcast_to(np.asarray(column.derived), rows)
        if flags.any():
            flags = flags & pc.is_valid(column.values).to_numpy(zero_copy_only=False)
            combination |= flags.astype(np.int64) << len(names)
            names.append(name)
    inverse, distinct = pd.factorize(combination)  # few are distinct: a hash table takes a twentieth of the time of sorting
    lists = [json.dumps(sorted(n for i, n in enumerate(names) if bits >> i & 1)) for bits in distinct.tolist()]
    if len(lists) == 1:
        return repeated(pa.scalar(lists[0]), rows)
    return pa.array(lists, pa.string()).take(pa.array(inverse)) if rows else pa.array([], pa.string())


def _extension_columns(mapping: Mapping, rows: pa.Table, source: SourceFile) -> tuple[str, ...]:
    kept = [name for name in mapping.kept_as_extensions if name in rows.column_names]
    return (*(source.extensions if mapping.extensions else ()), *kept)


def _extensions(rows: pa.Table, names: Sequence[str]) -> pa.Array:
    """Return a JSON object per row, of the extension columns that have a value."""
    parts = []
    for name in sorted(names):  # a new order of the header is not a change
        cells = combine_chunks(rows.column(name)).dictionary_encode()
        named = f", {json.dumps(name, ensure_ascii=False)}: "
        members = [named + json.dumps(value, ensure_ascii=False) for value in cells.dictionary.to_pylist()]
        parts.append(pc.fill_null(pa.array(members, pa.string()).take(cells.indices), ""))
    if not parts:
        return pa.repeat(pa.scalar("{}"), rows.num_rows)
    inner = pc.utf8_slice_codeunits(pc.binary_join_element_wise(*parts, ""), start=2)
    return pc.binary_join_element_wise("{", inner, "}", "")


@dataclass(frozen=True)
class _RepeatedKeys:
    """Rows whose key an earlier row has (``later``), those earlier rows (``first``), and which rows of the table count."""

    later: np.ndarray
    first: np.ndarray
    counts: np.ndarray


def _repeats(target: RosterTable, table: pa.Table) -> _RepeatedKeys | None:
    """Return the accepted rows that repeat a key, in the order of mappings and files; None if there are none.

    Rejected rows are not compared: they only mark a record as seen, which may happen several times.
    """
    codes = row_codes([combine_chunks(table.column(name)) for name in target.key])
    refused = combine_chunks(table.column(REFUSED)).to_numpy(zero_copy_only=False)
    codes[refused] = -1 - np.arange(refused.sum())
    if not shares_code(codes).any():
        return None
    repeated = pd.Series(codes).duplicated().to_numpy()
    numbers, _ = pd.factorize(codes)  # in the order in which they occur
    winners = np.flatnonzero(~repeated)[numbers]
    return _RepeatedKeys(later=np.flatnonzero(repeated), first=winners[repeated], counts=~repeated)


def _collisions(yields: np.ndarray, mapping: np.ndarray, repeats: _RepeatedKeys) -> int:
    """Return how many accepted rows have a key that another mapping already produced, where none was expected."""
    later, first = repeats.later, repeats.first
    return int((~yields[later] & (mapping[later] != mapping[first])).sum())


def _report_conflicts(
    target: RosterTable,
    table: pa.Table,
    mapping: np.ndarray,
    repeats: _RepeatedKeys,
    mappings: Sequence[Mapping],
    findings: Sequence[FindingsBuilder],
) -> None:
    """Tell where rows that a mapping merges disagree: one finding per record and column, with the number of rows."""
    for number, noted in enumerate(findings):
        if not mappings[number].merges:
            continue
        chosen = (mapping[repeats.later] == number) & np.isin(mapping[repeats.first], _joined_with(mappings, number))
        _report_disagreements(target, table, mappings[number], repeats.later[chosen], repeats.first[chosen], noted)


def _joined_with(mappings: Sequence[Mapping], number: int) -> list[int]:
    """Return the mappings whose records are joined with those of a mapping: itself; of a fallback, those before it that merge rows of its file."""
    own = mappings[number]
    before = [n for n, other in enumerate(mappings[:number]) if other.merges and other.source == own.source]
    return [*(before if own.is_fallback else ()), number]


def _comparable_fields(target: RosterTable, mapping: Mapping) -> dict[str, str]:
    """Return the columns of `target` in which rows can disagree, with their source columns in the file."""
    reads = mapping.lineage()
    names = [name for name in target.names if name not in target.key and not _is_derived(mapping, name)]
    fields = {name: ", ".join(column for file, column in reads[name] if file == mapping.source) for name in names}
    return fields | ({"extensions": "ext.*"} if mapping.extensions else {})


def _is_derived(mapping: Mapping, name: str) -> bool:
    """Return whether rows cannot disagree about column `name`, because the source does not supply it."""
    expression = mapping.columns.get(name)
    return expression is None or getattr(expression, "derived", False) is True


def _report_disagreements(
    target: RosterTable,
    table: pa.Table,
    mapping: Mapping,
    later: np.ndarray,
    first: np.ndarray,
    findings: FindingsBuilder,
) -> None:
    """Tell once per record and column where a later row differs from the row of its key that counts."""
    if not len(later):
        return
    keys = [as_text(combine_chunks(table.column(name))) for name in target.key]
    numbers = combine_chunks(table.column("source_row")).to_numpy()
    counts = "this row does not count" if mapping.is_fallback else "the first row counts"
    for name, about in _comparable_fields(target, mapping).items():
        column = combine_chunks(table.column(name))
        one, other = column.take(pa.array(later)), column.take(pa.array(first))
        same = pc.or_(pc.fill_null(pc.equal(one, other), False), pc.and_(pc.is_null(one), pc.is_null(other)))
        differs = ~same.to_numpy(zero_copy_only=False)
        if differs.any():
            _, place, rows_of_each = np.unique(first[differs], return_index=True, return_counts=True)
            rows = later[differs][place]
            message = f"Rows of one record of {target.name} disagree about its {name}; {counts}."
            findings.add_rows(
                mapping.disagreement,
                "conflicting_rows",
                numbers[rows],
                field=about,
                message=message,
                keys=joined_keys(keys, rows),
                counts=rows_of_each,
            )
