"""Lines that an export writes beside its records: the header once more, rulers, totals and counts.

Lines with too few cells are ragged anyway (``record_scan``).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from roster_etl.engine.csv.record_scan import NO_RECORD, REPEATED, SOUND, Codes

WHITE = " \t\ufeff\u00a0"
LAST_ROWS = 10
"""Totals and counts are looked for among so many last records."""
_BETWEEN = r"\s_.\-"
_ROWS = 1 << 16  # tested at a time

_RULES = r"-=_*~+|.#:\x{2013}\x{2014}\x{2500}\x{2501}\x{2502}\x{253c}\x{2550}"
_RULER = rf"^\s*([{_RULES}][{_RULES}\s]*|(?i:\(?null\)?|\\N|#?n/a|none|nil))\s*$"
"""A cell of a ruler, or of a line in which an export writes its word for an empty value everywhere."""
_OF_VALUES = np.array([chr(byte).isascii() and chr(byte).isalnum() and chr(byte) not in "nN" for byte in range(256)])
_FOOTER = re.compile(
    r"\(?[0-9][0-9,.]* *(rows?|records?|lines?)( (affected|selected|returned|exported|fetched|processed|in set))?\)?\.?"
    r"|(grand |sub-?)?totals?( (rows?|records?|lines?|count))? ?[:=]? ?[0-9,.]*"
    r"|((row|record|line) ?)?count ?[:=]? ?[0-9,.]*"
    r"|number of (rows|records|lines) ?[:=]? ?[0-9,.]*"
    r"|eof|end of (file|report|export|data)\.?"
)
_NUMBER = re.compile(r"[0-9][0-9,.]*%?")


def non_record_codes(columns: Sequence[pa.Array[Any]], header: Sequence[str]) -> Codes | None:
    """Return a verdict on each row of `columns`: SOUND, REPEATED or NO_RECORD; None if all are sound."""
    if not columns or not len(columns[0]):
        return None
    repeated = _where(columns, lambda column, at: _is_name(column, header[at]), _may_be_name(columns[0], header[0]))
    ruled = _where(columns, lambda column, _: _is_ruler(column), _may_be_ruler(columns[0]))
    last = _footers(columns)
    if not len(repeated) + len(ruled) + len(last):
        return None
    codes = np.full(len(columns[0]), SOUND, dtype=np.uint8)
    codes[ruled] = codes[last] = NO_RECORD
    codes[repeated] = REPEATED
    return codes


def _where(columns: Sequence[pa.Array[Any]], test: Any, among: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """Return the rows that pass `test` in every column, of those `among` which they are; after a column, only those that are left are tested.

    So many rows are looked at together that what a test makes of them is small beside the columns.
    """
    found = [
        _where_in([column.slice(begin, _ROWS) for column in columns], test, np.flatnonzero(among[begin : begin + _ROWS])) + begin
        for begin in range(0, len(columns[0]), _ROWS)
    ]
    return np.concatenate(found)


def _where_in(columns: Sequence[pa.Array[Any]], test: Any, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    for at, column in enumerate(columns):
        if not len(rows):
            break
        cells = column if len(rows) == len(column) else column.take(pa.array(rows))
        rows = rows[np.asarray(pc.fill_null(test(cells, at), False).to_numpy(zero_copy_only=False), dtype=bool)]
    return rows


def _may_be_name(column: pa.Array[Any], name: str) -> npt.NDArray[np.bool_]:
    """Return the cells with as many bytes as `name` has letters: in any spelling of it a letter has a byte."""
    return np.asarray(np.diff(_ends(column)) >= len(_letters(name)))


def _may_be_ruler(column: pa.Array[Any]) -> npt.NDArray[np.bool_]:
    """Return the empty cells, and those with the first byte of a ruler, or of a word for an empty value."""
    data = column.buffers()[2]
    ends = _ends(column)
    if data is None or not data.size:
        return np.ones(len(column), dtype=bool)
    first = np.frombuffer(data, dtype=np.uint8).take(ends[:-1], mode="clip")
    return np.asarray(~_OF_VALUES[first] | (ends[1:] == ends[:-1]))


def _ends(column: pa.Array[Any]) -> npt.NDArray[np.int32]:
    """Return where the bytes of each cell begin, and where those of the last one end."""
    return np.frombuffer(column.buffers()[1], dtype=np.int32)[column.offset : column.offset + len(column) + 1]


def _is_name(column: pa.Array[Any], name: str) -> pa.Array[Any]:
    """In any case, and with other blanks or signs between its words: ``Student ID`` is ``student_id`` once more."""
    letters = _letters(name)
    if not letters:
        trimmed: Any = pc.utf8_trim(column, WHITE)
        return pc.equal(trimmed, pa.scalar(name))
    between = rf"[{_BETWEEN}\x{{feff}}\x{{00a0}}]*"
    pattern = f"(?i)^{between}{between.join(map(re.escape, letters))}{between}$"
    return pc.fill_null(pc.match_substring_regex(column, pattern), False)


def _letters(name: str) -> list[str]:
    return [char for char in name if not re.match(rf"[{_BETWEEN}]", char)]


def _is_ruler(column: pa.Array[Any]) -> pa.Array[Any]:
    """An empty cell fits, as rulers leave out columns that were blanked; a record without any cell was set aside before."""
    return pc.or_(pc.is_null(column), pc.fill_null(pc.match_substring_regex(column, _RULER), False))


def _footers(columns: Sequence[pa.Array[Any]]) -> list[int]:
    count = len(columns[0]) if columns else 0
    begin = max(0, count - LAST_ROWS)
    rows = zip(*(column.slice(begin).to_pylist() for column in columns), strict=True)
    return [begin + at for at, cells in enumerate(rows) if _is_footer([cell.strip(WHITE).lower() for cell in cells if cell])]


def _is_footer(filled: Sequence[str]) -> bool:
    first, *others = filled or [""]
    return _FOOTER.fullmatch(first) is not None and all(_NUMBER.fullmatch(cell) or _FOOTER.fullmatch(cell) for cell in others)
