"""The remains of rows that do not apply: their cells as uploaded, for people; and their possible keys, for the plan.

Belongs here: the quarantine, and evidence of records. Neither ever contains a cell of a secret column.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import chain, islice

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from roster_etl.engine.csv.redact_columns import blank_cells
from roster_etl.engine.validation.row_rejection import FileState, to_mask
from roster_etl.frames.arrow import combine_chunks
from roster_etl.frames.folded_text import WHITE_SPACE

_AT_ONCE = 1 << 14  # lines that are Python objects at one time: of a refused file these would take fifty times its memory
QUARANTINE = pa.schema([("file", pa.string()), ("row", pa.int64()), ("code", pa.string()), ("record", pa.string())])


def quarantine_table(state: FileState) -> pa.Table:
    """Return one line per ``reject`` finding (QUARANTINE): the record as uploaded, as JSON."""
    lines = ({"file": state.file_name, **line} for line in chain(_refused_lines(state), _damaged_lines(state)))
    pieces = []
    while some := list(islice(lines, _AT_ONCE)):
        pieces.append(pa.Table.from_pylist(some, schema=QUARANTINE))
    return pa.concat_tables(pieces) if pieces else QUARANTINE.empty_table()


def unidentified_records(state: FileState) -> tuple[tuple[str, ...], ...]:
    """Return the cells of records whose key could not be read: they might be about any record, so they prove no removal."""
    if state.file.ordered_changes:  # parts of a key may be left out; and the rows of delta formats mark deletions themselves
        return tuple(_damaged_cells(state))
    keyless = state.refused & np.logical_or.reduce([to_mask(pc.is_null(column)) for column in state.key()] or [state.refused])
    places = pa.array(np.flatnonzero(keyless))
    rows = zip(*(column.take(places).to_pylist() for column in state.columns.values()), strict=True)
    return (*(tuple(cell for cell in row if cell) for row in rows), *_damaged_cells(state))


def _damaged_cells(state: FileState) -> Iterator[tuple[str, ...]]:
    """Yield the cells of each damaged record."""
    for record in state.raw.damaged:
        cells = (cell.strip(WHITE_SPACE) for cell in record.cells)
        yield tuple(cell for cell in cells if cell)


def doubtful_keys(state: FileState) -> pa.Table:
    """Return the keys of rejected or partly cleared rows, and of records that rejected rows describe: they may have been meant to stay."""
    places = pa.array(np.flatnonzero(state.refused | state.doubted))
    keys = pa.table({name: state.columns[name].take(places) for name in state.file.key if name in state.columns})
    return pa.concat_tables([keys, state.described], promote_options="default") if state.described.num_rows else keys


def _refused_lines(state: FileState) -> Iterator[dict[str, object]]:
    secret = {place for name, place in state.header.positions.items() if state.header.columns[name].secret}
    sent = {
        name: combine_chunks(state.raw.table.column(place)) for place, name in enumerate(state.raw.header) if place not in secret
    }
    for every, code in state.reasons:
        for first in range(0, len(every), _AT_ONCE):
            places = every[first : first + _AT_ONCE]
            records = pa.table(
                {name: pc.fill_null(column.take(pa.array(places)), "") for name, column in sent.items()}
            ).to_pylist()
            for row, record in zip(state.numbers[places].tolist(), records, strict=True):
                yield {"row": row, "code": code, "record": _json(record)}


def _damaged_lines(state: FileState) -> Iterator[dict[str, object]]:
    """Yield a line per damaged record; cells that may have moved into, or out of, a secret column are blanked."""
    secret = {name.casefold() for c in state.file.columns if c.secret for name in (c.name, *c.aliases)}
    for damage in state.raw.damaged:
        cells = blank_cells(damage.cells, state.raw.header, lambda name: name.casefold() in secret)
        yield {"row": damage.row, "code": damage.code, "record": _json({"cells": list(cells)})}


_ENCODER = json.JSONEncoder(ensure_ascii=False)  # made once: json.dumps makes one for each record


def _json(record: Mapping[str, object]) -> str:
    return _ENCODER.encode(record)
