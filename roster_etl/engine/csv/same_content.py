"""Compare two files: whether they have the same records, in any order of rows and columns."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from roster_etl.engine.csv.arrow_columns import column_names
from roster_etl.engine.csv.reader import RawFile


def have_same_records(one: RawFile, other: RawFile) -> bool:
    """Return whether two parsed files have the same columns (ignoring case) and the same records."""
    names = sorted(name.casefold() for name in one.header)
    if one.refused or other.refused or names != sorted(name.casefold() for name in other.header):
        return False
    if len(set(names)) < len(names) or one.rows_read != other.rows_read:
        return False
    return _damaged_records(one) == _damaged_records(other) and _sorted_records(one).equals(_sorted_records(other))


def _damaged_records(raw: RawFile) -> list[tuple[str, tuple[str, ...]]]:
    """Return the records that could not be read with certainty; their cells are compared by position."""
    return sorted((record.code, tuple(record.cells)) for record in raw.damaged)


def _sorted_records(raw: RawFile) -> pa.ChunkedArray[Any]:
    """Return one text per record, sorted, with its cells in the order of the column names; an empty cell is U+0000."""
    named = sorted(zip((name.casefold() for name in raw.header), column_names(len(raw.header)), strict=True))
    cells = [raw.table.column(column) for _, column in named]
    texts = pc.binary_join_element_wise(*cells, "\x1f", null_handling="replace", null_replacement="\x00")
    return texts.take(pc.sort_indices(texts))
