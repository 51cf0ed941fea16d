"""Continue a file with changes: the records of the changes first, as they came, and then what goes on of the file before.

Belongs here: two files in, the bytes of one file out. Which of several records with one key counts is decided when the rows are
validated (``engine.validation.change_checks``), because a change that is refused changes nothing; here only those records go that no
validation could keep.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as arrow_csv

from roster_etl.engine.csv.header_match import match_header
from roster_etl.engine.csv.reader import RawFile
from roster_etl.frames.arrow import combine_chunks, row_codes
from roster_etl.frames.timestamps import parse_timestamps
from roster_etl.spec import File

_FIRST_ROW = 2  # the header is row 1
_NEVER = np.iinfo(np.int64).min


def continue_file(
    file: File,
    changes: RawFile,
    before: RawFile | None,
    *,
    changes_before: int = 0,
    refused_before: Collection[int] = (),
    dropped_before: Collection[int] = (),
) -> bytes:
    """Return `file` after `changes`, as UTF-8: first their records, in their order and so with their numbers, then those of `before`.

    A cell of a column that `changes` lacks comes from the record that was there; so does every empty cell of a row that removes
    its record, because such a row needs its key only.

    Args: changes_before: how many records at the start of `before` were changes themselves; refused_before: the numbers of records
          of `before` that were refused: they wait, and do not stand for their record; dropped_before: the numbers of those that
          do not go on at all, because they describe another record than the one with their id.
    """
    labels = _labels(file, changes)
    there = None if before is None else _standing(file, before, changes_before, refused_before, dropped_before)
    added = (
        [] if there is None else [name for name in there.column_names if name.casefold() not in {x.casefold() for x in labels}]
    )
    sink = io.StringIO()
    writer = csv.writer(sink, lineterminator="\n")
    writer.writerow([*changes.header, *added])
    records = dict(_records(file, changes, labels, added, there))
    damaged = {record.row: record.cells for record in changes.damaged}
    for number in range(_FIRST_ROW, changes.rows_read + _FIRST_ROW):
        writer.writerow(records.get(number) or damaged.get(number) or [""] * (len(labels) + len(added)))
    return sink.getvalue().encode() + (b"" if there is None else _rest(there, [*labels, *added]))


def is_all_changes(file: File, raw: RawFile) -> bool | None:
    """Return whether the rows of a file say that they are changes: all do, none does, or (None) only some do."""
    assert file.changes is not None
    place = match_header(raw.header, file).positions.get(file.changes.status)
    if place is None or not raw.table.num_rows:
        return False
    empty = raw.table.column(place).null_count
    return None if 0 < empty < raw.table.num_rows else not empty


def _labels(file: File, raw: RawFile) -> list[str]:
    """Return the spec's name of each column of the file; a column that the spec does not have keeps its spelling."""
    names = {place: name for name, place in match_header(raw.header, file).positions.items()}
    return [names.get(place, spelling) for place, spelling in enumerate(raw.header)]


def _standing(file: File, before: RawFile, changes: int, refused: Collection[int], dropped: Collection[int]) -> pa.Table:
    """Return the records that go on: newer ones that were refused, which wait, and then of each key the one that stands."""
    head = match_header(before.header, file)
    table = pa.table({name: before.table.column(place) for name, place in {**head.positions, **head.extensions}.items()})
    if not set(file.key) <= set(table.column_names):
        return table.slice(0, 0)
    assert file.changes is not None
    numbers = before.rows.to_numpy()
    fresh = numbers < changes + _FIRST_ROW
    there = np.logical_and.reduce([_given(table, name) for name in file.key])
    there &= ~fresh | (_given(table, file.changes.status) & _given(table, file.changes.modified))
    there &= ~np.isin(numbers, np.array(sorted(dropped), dtype=np.int64))
    rows = np.flatnonzero(there)
    codes = row_codes([combine_chunks(table.column(name)) for name in file.key])[rows]
    waits = np.isin(numbers[rows], np.array(sorted(refused), dtype=np.int64))
    place = np.where(fresh[rows], rows, -rows)  # of a whole file the first row counts
    order = np.lexsort((place, fresh[rows], _moments(table, file.changes.modified)[rows], codes))
    best: dict[int, list[int]] = {}
    for at in order[::-1]:  # newest first within a key
        kept = best.setdefault(int(codes[at]), [])
        if not kept or (waits[kept[-1]] and not waits[at]):
            kept.append(int(at))
    standing = {kept[-1] for kept in best.values()}
    waiting = {at for kept in best.values() for at in kept} - standing
    chosen = [*sorted(rows[at] for at in waiting), *sorted(rows[at] for at in standing)]
    return table.take(pa.array(chosen, pa.int64())).combine_chunks()


def _given(table: pa.Table, name: str) -> np.ndarray:
    if name not in table.column_names:
        return np.zeros(table.num_rows, dtype=bool)
    return np.asarray(pc.is_valid(combine_chunks(table.column(name))).to_numpy(zero_copy_only=False), dtype=bool)


def _moments(table: pa.Table, name: str) -> np.ndarray:
    if name not in table.column_names:
        return np.full(table.num_rows, _NEVER)
    moments = pc.cast(parse_timestamps(combine_chunks(table.column(name))), pa.int64())
    return np.asarray(pc.fill_null(moments, _NEVER).to_numpy(zero_copy_only=False))


def _records(
    file: File, changes: RawFile, labels: Sequence[str], added: Sequence[str], there: pa.Table | None
) -> Iterator[tuple[int, list[str]]]:
    """Yield number and cells of each record of the changes, with the cells that it takes over."""
    known = _by_key(file, changes, labels, there)
    keys = [labels.index(name) for name in file.key if name in labels]
    removed = _removal(file, labels)
    columns = [column.to_pylist() for column in changes.table.columns]
    for number, *cells in zip(changes.rows.to_pylist(), *columns, strict=True):
        before = known.get(tuple(cells[place] for place in keys), {})
        gone = removed is not None and (cells[removed] or "").strip().casefold() in _removal_words(file)
        own = [cell or (before.get(label) if gone else None) or "" for label, cell in zip(labels, cells, strict=True)]
        yield number, [*own, *(before.get(name) or "" for name in added)]


def _by_key(
    file: File, changes: RawFile, labels: Sequence[str], there: pa.Table | None
) -> Mapping[tuple[str | None, ...], Mapping[str, str | None]]:
    """Return the records of `there` that the changes may be about, by key; of several the last, which is the one that stands."""
    if there is None or file.key[0] not in labels:
        return {}
    named = combine_chunks(changes.table.column(labels.index(file.key[0])))
    there = there.filter(pc.is_in(there.column(file.key[0]), value_set=pc.drop_null(named)))
    return {tuple(row[name] for name in file.key): row for row in there.to_pylist()}


def _removal(file: File, labels: Sequence[str]) -> int | None:
    return labels.index(file.deleted.column) if file.deleted and file.deleted.column in labels else None


def _removal_words(file: File) -> tuple[str, ...]:
    return tuple(word.casefold() for word in file.deleted.values) if file.deleted else ()


def _rest(there: pa.Table, names: Sequence[str]) -> bytes:
    """Return the records that go on, under the columns `names`."""
    folded = {name.casefold(): name for name in there.column_names}
    absent = pa.nulls(there.num_rows, pa.string())
    columns = [there.column(folded[name.casefold()]) if name.casefold() in folded else absent for name in names]
    sink = io.BytesIO()
    table = pa.table(columns, names=[f"c{at}" for at in range(len(names))])
    arrow_csv.write_csv(table, sink, arrow_csv.WriteOptions(include_header=False, quoting_style="needed"))
    return sink.getvalue()
