"""The steps of a mapping: how the rows of a file become the rows that are mapped.

Rejected rows are used wherever a record must count as seen, but never to infer a value for an accepted row.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import reduce, singledispatch

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from roster_etl.engine.transform.unsure_cells import unsure_flags, unsure_lookups
from roster_etl.engine.validation.findings_builder import FindingsBuilder
from roster_etl.frames.arrow import ID_CONFLICT, REFUSED, ROW, combine_chunks, row_codes, to_arrow_array, unsure_name
from roster_etl.mapping.column_plan import (
    RECEIVED_ON,
    AnyGiven,
    AnyRow,
    AssignUnique,
    Computed,
    CurrentSpan,
    EnclosingItem,
    ForEvery,
    Lookup,
    MostCommon,
    NullIfConflicting,
    NullIfUniform,
    OnlyMatched,
    OnlyRows,
    RowNumber,
    SplitList,
    Step,
    Unpivot,
    WarnIfDifferent,
    WarnUnmatched,
)

Files = Mapping[str, pa.Table]


def edited_name(column: str) -> str:
    """Return the name of the column that holds the cells of `column` as stewards edited them."""
    return f"_edited {column}"


@singledispatch
def run_step(step: Step, rows: pa.Table, files: Files, findings: FindingsBuilder) -> pa.Table:
    """Return `rows` after `step`; `files` are the validated files by name. Raises TypeError for an unknown step."""
    raise TypeError(f"no verb for the step {type(step).__name__}")


@run_step.register
def _(step: OnlyRows, rows: pa.Table, files: Files, findings: FindingsBuilder) -> pa.Table:
    if step.column not in rows.column_names:
        return rows.slice(0, 0)
    if not step.values:
        return rows.filter(pc.is_valid(_cells(rows, step.column)))
    chosen = pc.fill_null(_is_one_of(rows, step.column, pa.array([value.lower() for value in step.values])), False)
    given = [pc.is_valid(_cells(rows, name)) for name in step.given if name in rows.column_names]
    unsure = unsure_flags(rows, step.column)
    if unsure is not None:  # the record counts as seen
        unsure = pc.and_not(unsure, chosen)
        rows = _set_column(rows, REFUSED, pc.or_(_cells(rows, REFUSED), unsure))
        chosen = pc.or_(chosen, unsure)
    if step.code is not None and given:
        told = pc.and_(pc.and_not(reduce(pc.or_, given), chosen), pc.invert(_cells(rows, REFUSED)))
        numbers = _cells(rows, ROW).filter(told).to_numpy()
        findings.add_rows("info", step.code, numbers, field=", ".join(step.given), message=step.message)
    return rows.filter(chosen)


@run_step.register
def _(step: AnyGiven, rows: pa.Table, files: Files, findings: FindingsBuilder) -> pa.Table:
    given = [pc.is_valid(_cells(rows, name)) for name in step.columns if name in rows.column_names]
    return rows.filter(reduce(pc.or_, given)) if given else rows.slice(0, 0)


@run_step.register
def _(step: Computed, rows: pa.Table, files: Files, findings: FindingsBuilder) -> pa.Table:
    absent = pa.nulls(rows.num_rows, pa.string())
    cells = (_cells(rows, name) if name in rows.column_names else absent for name in step.columns)
    made = step.via(*(pd.Series(pd.arrays.ArrowExtensionArray(column)) for column in cells))
    flags = [flag for name in step.columns if (flag := unsure_flags(rows, name)) is not None]
    rows = _set_column(rows, step.name, to_arrow_array(made))
    if flags:
        rows = _set_column(rows, unsure_name(step.name), pc.and_(reduce(pc.or_, flags), pc.is_null(_cells(rows, step.name))))
    return rows


@run_step.register
def _(step: OnlyMatched, rows: pa.Table, files: Files, findings: FindingsBuilder) -> pa.Table:
    """Mark rows as rejected, instead of dropping them, if all their partners were rejected: their records count as seen."""
    partners, keys = files[step.file], _cells(rows, step.on)
    encoded = _cells(partners, step.on).dictionary_encode()
    place = pc.index_in(keys, value_set=encoded.dictionary)
    accepted = pa.array(_named_by_accepted(partners, encoded)).take(pc.fill_null(place, len(encoded.dictionary)))
    seen = pc.or_(pc.is_valid(place), pc.is_null(keys)) if encoded.null_count else pc.is_valid(place)
    alone = pc.and_(pc.invert(accepted), pc.invert(_cells(rows, REFUSED)))
    if step.report and pc.any(alone).as_py():
        places = alone.to_numpy(zero_copy_only=False)
        findings.add_rows(
            "info", step.code, _cells(rows, ROW).to_numpy()[places], field=step.on, message=step.message, keys=keys.filter(alone)
        )
    rows = _set_column(rows, REFUSED, pc.or_(_cells(rows, REFUSED), pc.invert(accepted)))
    return rows.filter(seen)


def _named_by_accepted(rows: pa.Table, encoded: pa.DictionaryArray) -> np.ndarray:
    """Return which cells of an `encoded` column of `rows` an accepted row has, in the order of its dictionary, and false in the end."""
    named = np.zeros(len(encoded.dictionary) + 1, dtype=bool)
    named[pc.fill_null(encoded.indices, -1).to_numpy()[~_cells(rows, REFUSED).to_numpy(zero_copy_only=False)]] = True
    named[-1] = False
    return named


@run_step.register
def _(step: Unpivot, rows: pa.Table, files: Files, findings: FindingsBuilder) -> pa.Table:
    """Drop the family's own columns: ``value`` has their cells, and copying all into each row would grow quadratically."""
    family = family_members(step.family, rows.column_names)
    sources = [name for name in (*step.columns, *family) if name in rows.column_names]
    others = rows.drop_columns(family)
    parts = []
    for position, name in enumerate(sources, start=1):
        cells = _cells(rows, name)
        filled = others.filter(pc.is_valid(cells))
        part = _set_column(filled, step.value, pc.drop_null(cells))
        parts.append(_set_column(part, step.position, pa.repeat(pa.scalar(str(position)), filled.num_rows)))
    return _drop_duplicates(pa.concat_tables(parts).combine_chunks(), (ROW, step.value)) if parts else rows.slice(0, 0)


@run_step.register
def _(step: SplitList, rows: pa.Table, files: Files, findings: FindingsBuilder) -> pa.Table:
    if step.column not in rows.column_names:
        return _set_column(
            _set_column(rows.slice(0, 0), step.value, pa.array([], pa.string())), step.position, pa.array([], pa.string())
        )
    lists = pc.split_pattern(_cells(rows, step.column), ",")
    places = pc.list_parent_indices(lists)
    parents = places.to_numpy()
    starts = np.flatnonzero(np.r_[True, parents[1:] != parents[:-1]]) if len(parents) else np.zeros(0, dtype=np.int64)
    counts = np.diff(np.r_[starts, len(parents)])
    position = np.arange(len(parents)) - np.repeat(starts, counts) + 1
    made = _set_column(rows.take(places), step.value, pc.list_flatten(lists))
    made = _set_column(made, step.position, pa.array(position).cast(pa.string()))
    unsure = unsure_flags(made, step.column)  # an item before it may have been left out
    made = made if unsure is None else _set_column(made, unsure_name(step.position), unsure)
    return _drop_duplicates(made.combine_chunks(), (ROW, step.value))


@run_step.register
def _(step: EnclosingItem, rows: pa.Table, files: Files, findings: FindingsBuilder) -> pa.Table:
    other = files[step.file].filter(pc.invert(files[step.file].column(REFUSED)))
    columns = [_cells(other, name).to_pylist() for name in (step.key, step.start, step.end) if name in other.column_names]
    spans = {key: (start or "", end or "") for key, start, end in zip(*columns, strict=True)} if len(columns) == 3 else {}
    encoded = _cells(rows, step.column).dictionary_encode()
    chosen = pa.array([_enclosing(cell.split(","), spans) for cell in encoded.dictionary.to_pylist()], pa.string())
    return _set_column(rows, step.name, chosen.take(encoded.indices))


def _enclosing(items: list[str], spans: Mapping[str, tuple[str, str]]) -> str:
    """Return the item whose dates (ISO) hold those of all others, else the first one."""
    known = [(item, *spans[item]) for item in items if item in spans]
    for item, start, end in known:
        if len(known) == len(items) and all(start <= other_start and other_end <= end for _, other_start, other_end in known):
            return item
    return items[0]


@run_step.register
def _(step: CurrentSpan, rows: pa.Table, files: Files, findings: FindingsBuilder) -> pa.Table:
    """The day of arrival is in the column ``RECEIVED_ON`` of the rows, which the mapper adds."""
    live = np.flatnonzero(~_cells(rows, REFUSED).to_numpy(zero_copy_only=False))
    codes = row_codes([_cells(rows, name) for name in step.by])[live]
    if not pd.Series(codes).duplicated().any():
        return rows
    today = _cells(rows, RECEIVED_ON)
    absent = pa.nulls(rows.num_rows, pa.string())
    begin, end = (_cells(rows, name) if name in rows.column_names else absent for name in (step.begin, step.end))
    holds = pc.and_(pc.fill_null(pc.less_equal(begin, today), True), pc.fill_null(pc.less(today, end), True))
    first = pc.rank(pc.fill_null(begin, ""), sort_keys="ascending", tiebreaker="dense").to_numpy()
    order = np.lexsort((-live, first[live], holds.to_numpy(zero_copy_only=False)[live], codes))
    last = np.r_[codes[order][1:] != codes[order][:-1], True]
    beaten = np.sort(live[order[~last]])
    message = (
        f"Another row has the same {', '.join(step.by)}; the one that holds on this day counts, else the one that begins last."
    )
    findings.add_rows("info", "duplicate_row", _cells(rows, ROW).to_numpy()[beaten], field=", ".join(step.by), message=message)
    kept = np.ones(rows.num_rows, dtype=bool)
    kept[beaten] = False
    return rows.filter(pa.array(kept))


@run_step.register
def _(step: WarnUnmatched, rows: pa.Table, files: Files, findings: FindingsBuilder) -> pa.Table:
    other = files[step.file]
    if not set(step.columns) <= set(rows.column_names) or not set(step.keys) <= set(other.column_names):
        return rows
    other = _without_refused(other.select([*dict.fromkeys([*step.keys, REFUSED])]))
    own, known = (
        pc.binary_join_element_wise(*(_cells(table, name) for name in names), "\x1f", null_handling="emit_null")
        for table, names in ((rows, step.columns), (other, step.keys))
    )
    wrong = pc.and_(pc.is_valid(own), pc.invert(pc.or_(pc.is_in(own, value_set=pc.drop_null(known)), _cells(rows, REFUSED))))
    if step.unless and step.unless in rows.column_names:
        wrong = pc.and_not(wrong, pc.is_valid(_cells(rows, step.unless)))
    numbers = _cells(rows, ROW).filter(wrong).to_numpy()
    findings.add_rows("warning", step.code, numbers, field=", ".join(step.columns), message=step.message)
    return rows


@run_step.register
def _(step: ForEvery, rows: pa.Table, files: Files, findings: FindingsBuilder) -> pa.Table:
    """Mark new rows as rejected if only rejected rows of the file have their value: the records count as seen, not removed."""
    chosen = pc.fill_null(pc.equal(_cells(rows, step.column), step.value), False)
    plain, wide = rows.filter(pc.invert(chosen)), rows.filter(chosen)
    plain = _set_column(plain, step.name, pa.nulls(plain.num_rows, pa.string()))
    targets = pc.unique(pc.drop_null(_cells(files[step.file], step.take)))
    unsure = pc.invert(pc.is_in(targets, value_set=_accepted_values(files[step.file], step.take)))
    repeated = wide.take(pa.array(np.repeat(np.arange(wide.num_rows), len(targets))))
    repeated = _set_column(repeated, step.column, pa.nulls(repeated.num_rows, pa.string()))
    places = pa.array(np.tile(np.arange(len(targets)), wide.num_rows))
    repeated = _set_column(repeated, REFUSED, pc.or_(_cells(repeated, REFUSED), unsure.take(places)))
    values = targets.take(places)
    return pa.concat_tables([plain, _set_column(repeated, step.name, values)]).combine_chunks()


@run_step.register
def _(step: Lookup, rows: pa.Table, files: Files, findings: FindingsBuilder) -> pa.Table:
    other = _accepted_first(_needed_columns(step, files[step.file]))
    if step.accepted:
        other = _without_refused(other)
    if step.where and step.where.column not in other.column_names:
        other = other.slice(0, 0)
    elif step.where:
        wanted = pa.array([value.lower() for value in step.where.values])
        other = other.filter(pc.and_(_is_one_of(other, step.where.column, wanted), pc.invert(_cells(other, REFUSED))))
    places = pc.index_in(_cells(rows, step.on), value_set=_cells(other, step.key))
    places = pc.if_else(pc.is_valid(_cells(rows, step.on)), places, pa.scalar(None, pa.int32()))
    unsure = unsure_lookups(step, rows, files[step.file], places)
    for name, column in step.take.items():
        theirs = unsure_flags(other, column)
        flags = [unsure, None if theirs is None else pc.fill_null(theirs.take(places), fill_value=False)]
        there = [flag for flag in flags if flag is not None]
        rows = _set_column(rows, unsure_name(name), reduce(pc.or_, there)) if there else rows
        found = _cells(other, column).take(places) if column in other.column_names else pa.nulls(rows.num_rows, pa.string())
        rows = _set_column(rows, name, found)
        if edited_name(column) in other.column_names:
            rows = _set_column(rows, edited_name(name), _cells(other, edited_name(column)).take(places))
    return rows


def _needed_columns(step: Lookup, other: pa.Table) -> pa.Table:
    """Return the columns of the other file that a look-up reads."""
    taken = [spelling for name in step.take.values() for spelling in (name, edited_name(name), unsure_name(name))]
    needed = {step.key, *taken, *([step.where.column] if step.where else []), ROW, REFUSED}
    return other.select([name for name in other.column_names if name in needed])


def _accepted_first(rows: pa.Table) -> pa.Table:
    """Return rows with the accepted ones first, each kind in the order of the file; as they are if they are so already."""
    numbers = _cells(rows, ROW).to_numpy()
    if not pc.any(rows.column(REFUSED)).as_py() and bool((numbers[1:] > numbers[:-1]).all()):
        return rows
    return rows.sort_by([(REFUSED, "ascending"), (ROW, "ascending")])


@run_step.register
def _(step: MostCommon, rows: pa.Table, files: Files, findings: FindingsBuilder) -> pa.Table:
    links = _accepted(files[step.through], (step.by, step.member))
    others = _accepted(files[step.file], (step.member, step.value, edited_name(step.value)))
    if step.value not in others.column_names:
        return _set_column(rows, step.name, pa.nulls(rows.num_rows, pa.string()))
    edited = edited_name(step.value) in others.column_names
    codes = _code_positions(_cells(others, edited_name(step.value) if edited else step.value), step.codes, step.order)
    groups = pc.unique(pc.drop_null(_cells(rows, step.by)))
    group = pc.fill_null(pc.index_in(_cells(links, step.by), value_set=groups), -1).to_numpy()
    member = pc.fill_null(pc.index_in(_cells(links, step.member), value_set=_cells(others, step.member)), -1).to_numpy()
    value = np.where(member >= 0, codes[member] if len(codes) else -1, -1)
    counted = (group >= 0) & (value >= 0)
    width = len(step.order)
    counts = np.bincount(group[counted] * width + value[counted], minlength=len(groups) * width).reshape(len(groups), width)
    best = pa.array(step.order).take(pa.array(counts.argmax(axis=1)))
    best = pc.if_else(pa.array(counts.max(axis=1, initial=0) > 0), best, pa.scalar(None, pa.string()))
    return _set_column(rows, step.name, best.take(pc.index_in(_cells(rows, step.by), value_set=groups)))


@run_step.register
def _(step: NullIfUniform, rows: pa.Table, files: Files, findings: FindingsBuilder) -> pa.Table:
    if step.column not in rows.column_names:
        return _set_column(rows, step.name, pa.nulls(rows.num_rows, pa.string()))
    cells = _cells(rows, step.column)
    given = pc.drop_null(cells.filter(pc.invert(_cells(rows, REFUSED))))
    uniform = len(given) > 1 and len(pc.unique(given)) == 1
    return _set_column(rows, step.name, pa.nulls(rows.num_rows, pa.string()) if uniform else cells)


@run_step.register
def _(step: AnyRow, rows: pa.Table, files: Files, findings: FindingsBuilder) -> pa.Table:
    """Accepted rows mark their group; a rejected row marks only itself, so that it is mapped with its own value."""
    wanted = pa.array([value.lower() for value in step.values])
    owners = pa.array([], pa.string())
    for table in (rows, *([files[step.file]] if step.file else [])):
        if step.column in table.column_names:
            telling = pc.and_(_is_one_of(table, step.column, wanted), pc.invert(_cells(table, REFUSED)))
            owners = pa.concat_arrays([owners, _cells(table, step.by).filter(telling)])
    marked = pc.is_in(_cells(rows, step.by), value_set=owners)
    if step.column in rows.column_names:
        marked = pc.or_(marked, _is_one_of(rows, step.column, wanted))
    return _set_column(rows, step.name, pc.if_else(marked, pa.scalar("Y"), pa.scalar(None, pa.string())))


@run_step.register
def _(step: RowNumber, rows: pa.Table, files: Files, findings: FindingsBuilder) -> pa.Table:
    """Number the rows of each group, also rejected ones; those that describe another record than the one of their id are not of its group."""
    groups = _cells(rows, step.by).dictionary_encode(null_encoding="encode").indices.to_numpy()
    if ID_CONFLICT in rows.column_names:
        groups = 2 * groups + pc.fill_null(_cells(rows, ID_CONFLICT), fill_value=False).to_numpy(zero_copy_only=False)
    order = np.argsort(groups, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(groups[order]) != 0]) if len(order) else np.zeros(0, int)
    counts = np.diff(np.r_[starts, len(order)])
    positions = np.empty(len(order), dtype=np.int64)
    positions[order] = np.arange(len(order)) - np.repeat(starts, counts) + 1
    return _set_column(rows, step.name, pa.array(positions).cast(pa.string()))


@run_step.register
def _(step: NullIfConflicting, rows: pa.Table, files: Files, findings: FindingsBuilder) -> pa.Table:
    cells = _cells(rows, step.column)
    if step.by not in rows.column_names:
        return _set_column(rows, step.name, cells)
    groups = _cells(rows, step.by).dictionary_encode()
    values = cells.dictionary_encode(null_encoding="encode").indices.to_numpy()
    group = pc.fill_null(groups.indices, -1).to_numpy()
    usable = (group >= 0) & ~_cells(rows, REFUSED).to_numpy(zero_copy_only=False)
    low = np.full(len(groups.dictionary), np.iinfo(np.int64).max)
    high = np.full(len(groups.dictionary), -1)
    np.minimum.at(low, group[usable], values[usable])
    np.maximum.at(high, group[usable], values[usable])
    disagree = (group >= 0) & (low < high)[np.maximum(group, 0)] if len(low) else np.zeros(len(group), bool)
    return _set_column(rows, step.name, pc.if_else(pa.array(disagree), pa.scalar(None, pa.string()), cells))


@run_step.register
def _(step: AssignUnique, rows: pa.Table, files: Files, findings: FindingsBuilder) -> pa.Table:
    absent = pa.nulls(rows.num_rows, pa.string())
    given = [_cells(rows, name) if name in rows.column_names else absent for name in step.take.values()]
    values = pc.coalesce(*given)
    rank = np.argmax([pc.is_valid(column).to_numpy(zero_copy_only=False) for column in given], axis=0)
    usable = pc.and_not(pc.is_valid(values), _cells(rows, REFUSED)).to_numpy(zero_copy_only=False)
    claims = np.flatnonzero(usable)
    claims = claims[np.argsort(rank[claims], kind="stable")]
    codes = row_codes([values])[claims]
    later = pd.Series(codes).duplicated().to_numpy()
    taken = np.zeros(rows.num_rows, dtype=bool)
    taken[claims[later]] = True
    places = np.flatnonzero(taken)
    field = next(iter(step.take.values()))
    numbers = _cells(rows, ROW).to_numpy()[places]
    findings.add_rows(
        "warning",
        step.code,
        numbers,
        field=field,
        message=_with_holders(step.message, rows, claims, codes, places),
        keys=values.take(pa.array(places)),
    )
    for place, (name, column) in enumerate(zip(step.take, given, strict=True)):
        chosen = pa.array((rank == place) & ~taken)
        rows = _set_column(rows, name, pc.if_else(chosen, column, pa.scalar(None, pa.string())))
        edited = edited_name(step.take[name])
        if edited in rows.column_names:
            rows = _set_column(rows, edited_name(name), pc.if_else(chosen, _cells(rows, edited), pa.scalar(None, pa.string())))
    return rows


def _with_holders(message: str, rows: pa.Table, claims: np.ndarray, codes: np.ndarray, places: np.ndarray) -> pa.Array:
    """Return `message` for each of `places`, with the number of the row that holds the value: the first of `claims` with its code."""
    distinct, first = np.unique(codes, return_index=True)
    by_place = dict(zip(claims.tolist(), codes.tolist(), strict=True))
    own = np.array([by_place[place] for place in places.tolist()], dtype=codes.dtype)
    holders = claims[first[np.searchsorted(distinct, own)]]
    numbers = pa.array(_cells(rows, ROW).to_numpy()[holders]).cast(pa.string())
    return pc.binary_join_element_wise(message, pc.binary_join_element_wise("Row ", numbers, " has it.", ""), " ")


@run_step.register
def _(step: WarnIfDifferent, rows: pa.Table, files: Files, findings: FindingsBuilder) -> pa.Table:
    own, other = _cells(rows, step.column), _cells(rows, step.other)
    differs = pc.and_not(pc.fill_null(pc.not_equal(own, other), False), _cells(rows, REFUSED))
    own, other, numbers = own.filter(differs), other.filter(differs), _cells(rows, ROW).filter(differs)
    numbers = numbers.filter(pc.not_equal(pc.utf8_lower(own), pc.utf8_lower(other))).to_numpy()
    findings.add_rows("warning", step.code, numbers, field=step.column, message=step.message)
    return rows


def family_members(family: str | None, names: list[str]) -> list[str]:
    """Return the columns of a numbered family (``Teacher_{n}_id``) among `names`, by their number."""
    if family is None:
        return []
    before, after = family.split("{n}")
    pattern = re.compile(re.escape(before) + "([1-9][0-9]*)" + re.escape(after))
    found = [(int(match.group(1)), name) for name in names if (match := pattern.fullmatch(name))]
    return [name for _, name in sorted(found)]


def _cells(rows: pa.Table, name: str) -> pa.Array:
    return combine_chunks(rows.column(name))


def _is_one_of(rows: pa.Table, name: str, lower: pa.Array) -> pa.Array:
    """Return which rows have one of `lower` in column `name`, ignoring case."""
    return pc.is_in(pc.utf8_lower(_cells(rows, name)), value_set=lower)


def _accepted(rows: pa.Table, names: tuple[str, ...]) -> pa.Table:
    """Return the accepted ones of `rows`, with those of the columns `names` that they have."""
    there = [name for name in dict.fromkeys((*names, REFUSED)) if name in rows.column_names]
    return _without_refused(rows.select(there))


def _without_refused(rows: pa.Table) -> pa.Table:
    refused = rows.column(REFUSED)
    return rows.filter(pc.invert(refused)) if pc.any(refused).as_py() else rows


def _accepted_values(rows: pa.Table, name: str) -> pa.Array:
    return pc.unique(pc.drop_null(_cells(rows, name).filter(pc.invert(_cells(rows, REFUSED)))))


def _set_column(rows: pa.Table, name: str, values: pa.Array) -> pa.Table:
    place = rows.schema.get_field_index(name)
    return rows.append_column(name, values) if place < 0 else rows.set_column(place, name, values)


def _drop_duplicates(rows: pa.Table, names: tuple[str, ...]) -> pa.Table:
    """Return the first row of each combination of `names`."""
    repeated = pd.Series(row_codes([_cells(rows, name) for name in names])).duplicated().to_numpy()
    return rows.filter(pa.array(~repeated)) if repeated.any() else rows


def _code_positions(cells: pa.Array, codes: Mapping[str, str], order: tuple[str, ...]) -> np.ndarray:
    """Return the position in `order` of the code of each cell (by `codes`); -1 if it has none."""
    names = pa.array([name.lower() for name in codes])
    places = np.array([order.index(code) if code in order else -1 for code in codes.values()], dtype=np.int64)
    found = pc.fill_null(pc.index_in(pc.utf8_lower(cells), value_set=names), -1).to_numpy()
    return np.where(found >= 0, places[found], -1)
