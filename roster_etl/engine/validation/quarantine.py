"""What is left of rows that do not apply: their cells as sent, for people; and what they may have been about, for the plan.

Belongs here: quarantine and evidence. Neither ever holds the cell of a secret column.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from roster_etl.engine.csv.redact_columns import blank_cells
from roster_etl.engine.validation.row_state import Sheet, true
from roster_etl.frames.arrow import flat

QUARANTINE = pa.schema([("file", pa.string()), ("row", pa.int64()), ("code", pa.string()), ("record", pa.string())])


def quarantine(sheet: Sheet) -> pa.Table:
    """Return one line a ``reject`` finding (QUARANTINE): the record as it was sent, as JSON."""
    lines = [{"file": sheet.file_name, **line} for line in (*_refused(sheet), *_damaged(sheet))]
    return pa.Table.from_pylist(lines, schema=QUARANTINE)


def evidence(sheet: Sheet) -> tuple[tuple[str, ...], ...]:
    """Return the cells of each record whose key could not be read: it proves of nobody that he is gone."""
    if sheet.file.in_order:  # parts of a key may be left out; and rows of changes say themselves what is gone
        return tuple(_cells_of(sheet))
    keyless = sheet.refused & np.logical_or.reduce([true(pc.is_null(column)) for column in sheet.key()] or [sheet.refused])
    places = pa.array(np.flatnonzero(keyless))
    rows = zip(*(column.take(places).to_pylist() for column in sheet.columns.values()), strict=True)
    return (*(tuple(cell for cell in row if cell) for row in rows), *_cells_of(sheet))


def _cells_of(sheet: Sheet) -> Iterator[tuple[str, ...]]:
    """Yield the cells of each damaged record."""
    for record in sheet.raw.damaged:
        cells = (cell.strip() for cell in record.cells)
        yield tuple(cell for cell in cells if cell)


def named(sheet: Sheet) -> pa.Table:
    """Return the key cells of the rows that were refused or doubted: whatever came of such a record may have been meant still."""
    places = pa.array(np.flatnonzero(sheet.refused | sheet.doubted))
    return pa.table({name: sheet.columns[name].take(places) for name in sheet.file.key if name in sheet.columns})


def _refused(sheet: Sheet) -> Iterator[dict[str, object]]:
    secret = {place for name, place in sheet.header.positions.items() if sheet.header.columns[name].secret}
    sent = {name: flat(sheet.raw.table.column(place)) for place, name in enumerate(sheet.raw.header) if place not in secret}
    for places, code in sheet.reasons:
        records = pa.table({name: pc.fill_null(column.take(pa.array(places)), "") for name, column in sent.items()}).to_pylist()
        for row, record in zip(sheet.numbers[places].tolist(), records, strict=True):
            yield {"row": row, "code": code, "record": _json(record)}


def _damaged(sheet: Sheet) -> Iterator[dict[str, object]]:
    """Cells of a damaged record may have moved into, or out of, a secret column."""
    secret = {name.casefold() for c in sheet.file.columns if c.secret for name in (c.name, *c.aliases)}
    for damage in sheet.raw.damaged:
        cells = blank_cells(damage.cells, sheet.raw.header, lambda name: name.casefold() in secret)
        yield {"row": damage.row, "code": damage.code, "record": _json({"cells": list(cells)})}


def _json(record: Mapping[str, object]) -> str:
    return json.dumps(record, ensure_ascii=False)
