"""Read the rows of an upload: vendor columns are renamed to the names that the row handlers use."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from roster_etl.frames.arrow import REFUSED, ROW, combine_chunks, to_arrow_array
from roster_etl.frames.row_hashes import key_text
from roster_etl.mapping.change_plan import RowKind

DROPPED = "_dropped"  # on rows that a comparison with an earlier upload generated: the record was omitted (bool)
SHARED_ID = "_shared_id"  # why a row was rejected that describes another person than its id stands for (text); absent: none
STATUS = "status"


@dataclass(frozen=True, kw_only=True)
class ChangeFile:
    """One validated file of a kind: rows in vendor spelling (absent columns are absent), with ``_row`` and ``_refused``.

    ``import_id``: set for rows that this earlier import rejected and that are retried.
    """

    kind: str
    file: str
    rows: pa.Table
    import_id: int | None = None

    @property
    def is_retried(self) -> bool:
        """Whether these rows come from the quarantine."""
        return self.import_id is not None


@dataclass(slots=True)
class Row:
    """One row. ``cells``: by handler names, without columns that the file lacks; ``status``: as the change plan reads it."""

    source: ChangeFile
    position: int
    number: int | None
    cells: dict[str, Any]
    status: str | None
    dropped: bool = False

    @property
    def origin(self) -> tuple[str, int | None]:
        """The file and the record number."""
        return self.source.file, self.number

    def get(self, name: str) -> Any:
        """Return a cell; None if it is blank, or if its column is absent."""
        return self.cells.get(name)


@dataclass(frozen=True, kw_only=True)
class ReadRows:
    """The columns of one source: name → values, and for each row its status and whether it is applied."""

    source: ChangeFile
    columns: Mapping[str, pa.Array]
    status: pa.Array
    applies: np.ndarray
    numbers: pa.Array
    dropped: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=bool))

    def rows(self) -> Iterator[Row]:
        """Yield the rows to apply, in order."""
        places = pa.array(np.flatnonzero(self.applies))
        names = list(self.columns)
        cells = zip(*(self.columns[name].take(places).to_pylist() for name in names), strict=True)
        numbers, words = self.numbers.take(places).to_pylist(), self.status.take(places).to_pylist()
        for place, number, word, values in zip(places.to_pylist(), numbers, words, cells, strict=True):
            yield Row(self.source, place, number, dict(zip(names, values, strict=True)), word, bool(self.dropped[place]))


def read_source(kind: RowKind, source: ChangeFile, *, skip_deletes: bool) -> ReadRows:
    """Read the columns of `source` that `kind` knows."""
    rows = source.rows
    columns: dict[str, pa.Array] = {}
    for given in kind.columns:
        if given.column in rows.column_names:
            cells = combine_chunks(rows.column(given.column)).cast(pa.string())
            if given.via is not None and cells.null_count < len(cells):
                cells = to_arrow_array(given.via(pd.Series(pd.arrays.ArrowExtensionArray(cells))))
            columns[given.to] = cells
    taken = ~combine_chunks(rows.column(REFUSED)).to_numpy(zero_copy_only=False)
    words = columns.pop(STATUS, pa.nulls(rows.num_rows, pa.string()))
    status = _parse_statuses(words, kind.statuses)
    if skip_deletes:
        taken = taken & ~_to_mask(pc.match_substring(words, "deleted", ignore_case=True))
    dropped = (
        _to_mask(combine_chunks(rows.column(DROPPED))) if DROPPED in rows.column_names else np.zeros(rows.num_rows, dtype=bool)
    )
    return ReadRows(
        source=source, columns=columns, status=status, applies=taken, numbers=combine_chunks(rows.column(ROW)), dropped=dropped
    )


def drop_superseded(
    sources: Sequence[ChangeFile], keys: Callable[[pa.Table], pa.Array]
) -> tuple[list[ChangeFile], list[tuple[int | None, str, int]]]:
    """Return the sources of a kind, retried ones first and without superseded rows, and the places of these rows.

    A retried row is superseded if there is a newer row about its record. ``keys``: the record of each row.
    """
    new = [source for source in sources if not source.is_retried]
    if len(new) == len(sources):
        return new, []
    newer = pa.concat_arrays([*(keys(source.rows) for source in new), pa.array([], pa.string())])
    left: list[ChangeFile] = []
    gone: list[tuple[int | None, str, int]] = []
    retried = sorted((source for source in sources if source.is_retried), key=lambda source: source.import_id or 0)
    # All at once: a look-up for each would cost all records.
    every = pa.concat_tables([source.rows for source in retried], promote_options="default")
    superseded, start = pc.is_in(keys(every), value_set=newer), 0
    for source in retried:
        again = superseded.slice(start, source.rows.num_rows)
        start += source.rows.num_rows
        numbers = combine_chunks(source.rows.column(ROW)).filter(again).to_pylist()
        gone += [(source.import_id, source.file, number) for number in numbers]
        rows = source.rows.filter(pc.invert(again))
        left.append(ChangeFile(kind=source.kind, file=source.file, rows=rows, import_id=source.import_id))
    return [*left, *new], gone


def raw_keys(kind: RowKind, rows: pa.Table) -> pa.Array:
    """Return the key cells of each row as one text, as uploaded."""
    cells = key_cells(kind, rows)
    return key_text(pa.table(cells), list(cells))


def key_cells(kind: RowKind, rows: pa.Table) -> dict[str, pa.Array]:
    """Return the key cells of each row by handler names, as uploaded; absent columns are null."""
    absent = pa.nulls(rows.num_rows, pa.string())
    columns = {name: kind.column(name) for name in kind.key}
    return {n: combine_chunks(rows.column(c)).cast(pa.string()) if c in rows.column_names else absent for n, c in columns.items()}


def _parse_statuses(texts: pa.Array, statuses: Mapping[str, str]) -> pa.Array:
    encoded = texts.dictionary_encode()
    meant = [statuses.get(word.strip().lower()) for word in encoded.dictionary.to_pylist()]
    return pa.array(meant, pa.string()).take(encoded.indices)


def _to_mask(flags: pa.Array) -> np.ndarray:
    return pc.fill_null(flags, fill_value=False).to_numpy(zero_copy_only=False)
