"""Value functions: text columns in, typed columns out.

All of them keep length and index, and return null for null, unless documented otherwise. A value that a function cannot parse
becomes null: validation has already reported it, and rejected rows are mapped too, for display.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from functools import reduce
from hashlib import sha256
from typing import Any, TypeAlias
from unicodedata import normalize
from zoneinfo import ZoneInfo

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from roster_etl.frames.arrow import to_chunked_array
from roster_etl.frames.timestamps import INSTANT, parse_timestamps

Chunk: TypeAlias = pa.Array
Chunks: TypeAlias = pa.ChunkedArray

Values = Callable[..., pd.Series]

UNIT_SEPARATOR = "\x1f"  # joins the cells of a derived ID

_YES = ("true", "1", "yes", "y", "t", "on")
_NO = ("false", "0", "no", "n", "f", "off")
_US_DATE = re.compile(r"(?P<month>\d{1,2})/(?P<day>\d{1,2})/(?P<year>\d{4})", re.ASCII)
_US_DAY = re.compile(r"(?P<month>\d{1,2})/(?P<day>\d{1,2})/(?P<year>\d{2}|\d{4})", re.ASCII)
_ISO_DATE = re.compile(r"(?P<year>\d{4})-(?P<month>\d{1,2})-(?P<day>\d{1,2})", re.ASCII)
_CENTURY = "20"  # of years that have two digits
_WHOLE = r"^[+-]?[0-9]{1,18}$"
_DECIMAL = r"^[+-]?([0-9]{1,30}(\.[0-9]{0,30})?|\.[0-9]{1,30})$"
_EDGE_WHITESPACE = r"^[\s\x0b-\x1e]|[\s\x0b-\x1e]\x1f|\x1f[\s\x0b-\x1e]|[\s\x0b-\x1e]$"
_RANGE = r"^\s*([0-9]+)\s*-\s*[0-9]+\s*$"


def recode(table: Mapping[str, Any], *, otherwise: Any = None) -> Values:
    """Return a function that replaces each value according to `table`, ignoring case.

    Args:    otherwise: the result for a value that is not in `table`.
    Returns: values of the type that `table` holds (text, bool, int64).
    """
    folded = {key.casefold(): value for key, value in table.items()}
    kind = pa.array([*table.values(), otherwise]).type

    def recoded(values: pd.Series) -> pd.Series:
        return _map_distinct(values, lambda text: folded.get(text.strip().casefold(), otherwise), kind)

    return recoded


def keyword_subject(table: Iterable[tuple[str, Iterable[str]]], *, otherwise: str) -> Values:
    """Return a function from a name to the subject of the first line of `table` with a keyword that occurs in the name.

    Keywords and phrases match as whole words, ignoring case and punctuation. The result is `otherwise` for a name without any of
    them, and for a missing name.
    """
    lines = [(subject, _any_word_pattern(words)) for subject, words in table]

    def subject_of(name: str) -> str:
        plain = " ".join(re.findall(r"\w+", name.casefold()))
        return next((subject for subject, words in lines if words.search(plain)), otherwise)

    def subjects(names: pd.Series) -> pd.Series:
        return _series(to_chunked_array(_map_distinct(names, subject_of, pa.string())).fill_null(otherwise), names)

    return subjects


def chained(*functions: Values) -> Values:
    """Return a function that applies `functions` one after the other; the first one may take several columns."""

    def chain(*columns: pd.Series) -> pd.Series:
        result = functions[0](*columns)
        for function in functions[1:]:
            result = function(result)
        return result

    return chain


def range_low(values: pd.Series) -> pd.Series:
    """Return the lower bound of a range of whole numbers ("9-13" → "9"); other text is returned unchanged.

    Source: Clever SFTP Instructions, schools.csv, "Low_grade".
    """
    return _series(pc.replace_substring_regex(_text(values), pattern=_RANGE, replacement=r"\1"), values)


def parse_us_date(values: pd.Series) -> pd.Series:
    """Parse dates "m/d/yyyy", leading zeros optional.

    Returns: date32. A date that does not exist is null.
    Source:  Clever SFTP Instructions, students.csv, "DOB".
    """
    return _map_distinct(values, lambda text: _date(text, _US_DATE), pa.date32())


def parse_us_or_iso_date(values: pd.Series) -> pd.Series:
    """Parse dates "m/d/yyyy" or "yyyy-m-d", leading zeros optional.

    Returns: date32. A date that does not exist is null.
    """
    return _map_distinct(values, lambda text: _date(text, _US_DATE) or _date(text, _ISO_DATE), pa.date32())


def parse_short_us_date(values: pd.Series) -> pd.Series:
    """Parse dates "m/d/yy" or "m/d/yyyy", leading zeros optional; a two-digit year is one of 2000 to 2099.

    Returns: date32. A date that does not exist is null.
    Source:  SIS Data Requirements for CatapultCONNECT, AttendanceExport.csv, "Date".
    """
    return _map_distinct(values, lambda text: _date(text, _US_DAY), pa.date32())


def local_midnight(zone: str) -> Values:
    """Return a function from a date (date32) to its start in time zone `zone` (timestamp[us, UTC]).

    If clocks skip midnight, the day starts at its first existing moment; if midnight occurs twice, at the first one.
    """
    return _day_start(zone, timedelta(0))


def day_after_midnight(zone: str) -> Values:
    """Return a function from a last day (date32, inclusive) to the start of the next day in `zone`, an exclusive end.

    12/31/9999, which systems write for "no end", has no next day and becomes null.
    """
    return _day_start(zone, timedelta(days=1))


def parse_yes_no(values: pd.Series) -> pd.Series:
    """Parse Y as true and N as false (bool)."""
    return recode({"Y": True, "N": False})(values)


def parse_boolean(values: pd.Series) -> pd.Series:
    """Parse true, 1, yes, y, t, on as true, and false, 0, no, n, f, off as false (bool)."""
    return recode(dict.fromkeys(_YES, True) | dict.fromkeys(_NO, False))(values)


def parse_timestamp(values: pd.Series) -> pd.Series:
    """Parse ISO 8601 timestamps, "2013-08-26T17:00:00Z"; a blank may replace T, padding and seconds are optional.

    Returns: timestamp[us, UTC]. A date alone means midnight; the default zone is UTC. A time that does not exist is null.
    Source:  Canvas SIS import format, "start_date".
    """
    return _series(parse_timestamps(_text(values).combine_chunks()), values)


def digits(values: pd.Series) -> pd.Series:
    """Return the digits of a phone number without other characters; null if there are none."""
    return _series(_blank_to_null(pc.replace_substring_regex(_text(values), pattern="[^0-9]+", replacement="")), values)


def parse_integer(values: pd.Series) -> pd.Series:
    """Parse whole numbers (int64)."""
    return _cast_where(values, _WHOLE, pa.int64())


def parse_decimal(values: pd.Series) -> pd.Series:
    """Parse decimal numbers (float64)."""
    return _cast_where(values, _DECIMAL, pa.float64())


def joined(separator: str) -> Values:
    """Return a function that joins several columns with `separator`, skipping nulls; null if all are null."""

    def join(*columns: pd.Series) -> pd.Series:
        text = _text(columns[0])
        for column in columns[1:]:
            more = _text(column)
            both = pc.binary_join_element_wise(
                text, more, pa.scalar(separator)
            )  # null where either operand is null; "skip" would lose all-null rows
            text = pc.coalesce(both, text, more)
        return _series(text, columns[0])

    return join


def coalesce(*columns: pd.Series) -> pd.Series:
    """Return, for each row, the first value of `columns` that is not null."""
    return _series(pc.coalesce(*map(to_chunked_array, columns)), columns[0])


def derived_id(what: str) -> Values:
    """Return a function from several columns to a stable ID: "<what>:" and 16 hex digits. Null if all columns are null.

    The digits are the first of sha256 over the cells, trimmed, casefolded, NFC, joined by U+001F (null as an empty cell).
    """

    def ids(*columns: pd.Series) -> pd.Series:
        cells = [_text(column) for column in columns]
        rows = pc.binary_join_element_wise(*(cell.fill_null("") for cell in cells), pa.scalar(UNIT_SEPARATOR))
        encoded = rows.combine_chunks().dictionary_encode()
        answers = pa.array([f"{what}:{sha256(row).hexdigest()[:16]}" for row in _normalize_rows(encoded.dictionary)], pa.string())
        found = answers.take(encoded.indices)
        return _series(pc.if_else(_all_null(cells), None, found), columns[0])

    return ids


def _normalize_rows(rows: Chunk) -> Iterator[bytes]:
    """Yield each of `rows` (cells joined by U+001F) as UTF-8, its cells trimmed, casefolded, NFC."""
    spaced = pc.match_substring_regex(rows, pattern=_EDGE_WHITESPACE)
    plain = pc.and_not(pc.string_is_ascii(rows), spaced)
    lower: list[Any] = pc.utf8_lower(rows).cast(pa.binary()).to_pylist()
    others = iter(rows.filter(pc.invert(plain)).to_pylist())
    for is_plain, lowered in zip(plain.to_pylist(), lower, strict=True):
        yield lowered if is_plain else _normalize_row(next(others))


def _normalize_row(row: str) -> bytes:
    cells = (normalize("NFC", cell.strip().casefold()) for cell in row.split(UNIT_SEPARATOR))
    return UNIT_SEPARATOR.join(cells).encode()


def _date(text: str, pattern: re.Pattern[str]) -> date | None:
    found = pattern.fullmatch(text.strip())
    if not found:
        return None
    year = found["year"] if len(found["year"]) == len("2026") else _CENTURY + found["year"]
    try:
        return date(int(year), int(found["month"]), int(found["day"]))
    except ValueError:
        return None


def _day_start(zone: str, after: timedelta) -> Values:
    tz = ZoneInfo(zone)

    def instant(day: date) -> datetime | None:
        try:
            return datetime.combine(day + after, time(), tz).astimezone(UTC)
        except OverflowError:
            return None

    def starts(days: pd.Series) -> pd.Series:
        return _map_distinct(days, instant, INSTANT)

    return starts


def _any_word_pattern(words: Iterable[str]) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{'|'.join(re.escape(word) for word in words)})\b")


def _map_distinct(values: pd.Series, function: Callable[[Any], Any], kind: pa.DataType) -> pd.Series:
    """Apply `function` once to each distinct value, because rosters repeat few values many times."""
    encoded = to_chunked_array(values).combine_chunks().dictionary_encode()
    answers = pa.array([function(value) for value in encoded.dictionary.to_pylist()], type=kind)
    return _series(answers.take(encoded.indices), values)


def _cast_where(values: pd.Series, pattern: str, kind: pa.DataType) -> pd.Series:
    text = pc.utf8_trim_whitespace(_text(values))
    readable = pc.if_else(pc.match_substring_regex(text, pattern=pattern), text, None)
    return _series(pc.cast(pc.utf8_ltrim(readable, characters="+"), kind), values)


def _blank_to_null(text: Chunks) -> Chunks:
    return pc.if_else(pc.equal(text, pa.scalar("")), pa.scalar(None, text.type), text)


def _all_null(columns: Iterable[Chunks]) -> Chunks:
    return reduce(pc.and_, [column.is_null() for column in columns])


def _text(values: pd.Series) -> Chunks:
    return to_chunked_array(values).cast(pa.string())


def _series(values: Chunk | Chunks, like: pd.Series) -> pd.Series:
    return pd.Series(pd.arrays.ArrowExtensionArray(values), index=like.index)
