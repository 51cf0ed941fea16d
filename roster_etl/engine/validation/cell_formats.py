"""Validate cells against the spec's forms, a column at a time.

A null is valid. Regular expressions run in RE2, in time linear in the text.
"""

from __future__ import annotations

from functools import singledispatch

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from roster_etl.frames.timestamps import parse_timestamps
from roster_etl.spec import (
    Choice,
    Date,
    DateTime,
    Decimal,
    Digits,
    Email,
    Identifier,
    ListOf,
    Phone,
    SchoolYear,
    Status,
    Text,
    WholeNumber,
)
from roster_etl.spec.field_rules import CellFormat

EMAIL = r"^[^@\s\pZ,;<>\"]+@[^@\s\pZ.,;<>\"]+(\.[^@\s\pZ.,;<>\"]+)+$"
PHONE_PUNCTUATION = r"[\s().+\-]"
IDENTIFIER = r"^[0-9A-Za-z._/@\-]{1,255}$"
SCHOOL_YEAR = r"^[0-9]{4}(-[0-9]{4})?$"
DECIMAL = r"^[+-]?([0-9]{1,15}(\.[0-9]{0,15})?|\.[0-9]{1,15})$"

_ID_SIGNS, _ID_BYTES = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz._/@-", 255
_ROWS_AT_ONCE, _PIECE = 100_000, 1 << 20
_CHEAP = (Text, Digits, Identifier, Email, Phone)  # looking at a cell takes no longer than finding it among those of before
_SAMPLE = 1_000  # cells; where most of them differ, so do those that follow
FORMAT_CODES: dict[type, str] = {
    Text: "too_long",
    Status: "bad_status",
    Digits: "bad_value",
    Identifier: "bad_id",
    SchoolYear: "bad_value",
    WholeNumber: "bad_value",
    Decimal: "bad_value",
    Date: "bad_date",
    DateTime: "bad_date",
    Email: "invalid_email",
    Phone: "bad_phone",
}


def finding_code(form: CellFormat) -> str:
    """Return the finding code for a value that does not have `form`."""
    return form.code if isinstance(form, Choice) else FORMAT_CODES[type(form)]


def find_invalid(form: CellFormat, cells: pa.Array) -> np.ndarray:
    """Return a mask of the cells that do not have `form`; null cells are valid."""
    if pc.count(cells).as_py() == 0 or (isinstance(form, Text) and form.max_length is None):
        return np.zeros(len(cells), dtype=bool)
    if isinstance(form, Identifier) and _are_short_ids(cells):
        return np.zeros(len(cells), dtype=bool)
    if len(cells) > _ROWS_AT_ONCE:  # of ids, the distinct cells are as large as the column
        starts = range(0, len(cells), _ROWS_AT_ONCE)
        return np.concatenate([find_invalid(form, cells.slice(start, _ROWS_AT_ONCE)) for start in starts])
    if isinstance(form, _CHEAP) and 2 * pc.count_distinct(cells.slice(0, _SAMPLE)).as_py() > _SAMPLE:
        return ~_matches_format(form, cells) & pc.is_valid(cells).to_numpy(zero_copy_only=False)
    distinct = cells.dictionary_encode()
    wrong = ~_matches_format(form, distinct.dictionary)
    if not wrong.any():
        return np.zeros(len(cells), dtype=bool)
    return wrong[pc.fill_null(distinct.indices, 0).to_numpy()] & pc.is_valid(cells).to_numpy(zero_copy_only=False)


def _are_short_ids(cells: pa.Array) -> bool:
    """Return whether cells have no more bytes than an id may have characters, and those of ids alone. No cell is empty: it would be null."""
    _, offsets, data = cells.buffers()
    ends = np.frombuffer(offsets, dtype=np.int32)[cells.offset : cells.offset + len(cells) + 1]
    sizes = np.diff(ends)
    if sizes.max(initial=0) > _ID_BYTES or (sizes == 0).sum() > cells.null_count:
        return False
    view = memoryview(data)[ends[0] : ends[-1]]
    return not any(bytes(view[start : start + _PIECE]).translate(None, _ID_SIGNS) for start in range(0, len(view), _PIECE))


def describe_format(form: CellFormat) -> str:
    """Return the requirement of `form` as text for a message."""
    match form:
        case Choice() | Status():
            words = _describe_options(form)
        case Text(max_length=length):
            words = f"at most {length} characters" if length else "any text"
        case WholeNumber(minimum=low, maximum=high):
            words = f"a whole number from {low} to {high}"
        case Date(patterns=patterns):
            words = f"a date that exists, written {' or '.join(patterns)}"
        case DateTime(keywords=others):
            words = " or ".join(["a moment such as 2026-08-26T17:00:00Z", *others])
        case Phone(lengths=lengths):
            words = "a phone number of " + " or ".join(map(str, lengths)) + " digits"
        case _:
            words = _WORDS[type(form)]
    return words


_WORDS: dict[type, str] = {
    Digits: "digits only",
    Decimal: "a number such as 3 or 3.75",
    Email: "an address such as name@school.example.org",
    Identifier: "an id of at most 255 digits, letters and the signs . - _ / @",
    ListOf: "items separated by commas in one cell",
    SchoolYear: "the year in which the school year ends, such as 2027",
}


def _describe_options(form: Choice | Status) -> str:
    words = f"one of: {', '.join(form.options)}" if len(form.options) <= 25 else f"one of {len(form.options)} options"
    if isinstance(form, Status):
        return words
    words += f", or a value that begins with {form.prefix}" if form.prefix else ""
    return words + (", or a range such as 9-12" if form.ranges else "")


@singledispatch
def _matches_format(form: CellFormat, values: pa.Array) -> np.ndarray:
    raise TypeError(f"no check for the form {type(form).__name__}")


@_matches_format.register
def _(form: Text, values: pa.Array) -> np.ndarray:
    return _to_mask(pc.less_equal(pc.utf8_length(values), form.max_length))


@_matches_format.register
def _(form: Choice, values: pa.Array) -> np.ndarray:
    folded = pc.utf8_lower(values)
    known = [option.lower() for option in (*form.options, *form.tolerated)]
    fits = _to_mask(pc.is_in(folded, value_set=pa.array(known)))
    if form.prefix:
        fits |= _to_mask(pc.and_(pc.starts_with(values, form.prefix), pc.greater(pc.utf8_length(values), len(form.prefix))))
    if form.ranges:
        numbers = {option for option in form.options if option.isdigit()}
        bounds = [value.partition("-")[::2] for value in values.to_pylist()]
        fits |= np.array([low in numbers and high in numbers and int(low) <= int(high) for low, high in bounds], dtype=bool)
    return fits


@_matches_format.register
def _(form: Identifier, values: pa.Array) -> np.ndarray:
    return _to_mask(pc.match_substring_regex(values, IDENTIFIER))


@_matches_format.register
def _(form: SchoolYear, values: pa.Array) -> np.ndarray:
    shaped = _to_mask(pc.match_substring_regex(values, SCHOOL_YEAR))
    texts = values.filter(pa.array(shaped)).to_pylist()
    shaped[shaped] = [not last or int(last) == int(first) + 1 for first, _, last in (text.partition("-") for text in texts)]
    return shaped


@_matches_format.register
def _(form: Status, values: pa.Array) -> np.ndarray:
    return _to_mask(pc.is_in(pc.utf8_lower(values), value_set=pa.array(form.options)))


@_matches_format.register
def _(form: Digits, values: pa.Array) -> np.ndarray:
    return _to_mask(pc.match_substring_regex(values, "^[0-9]+$"))


@_matches_format.register
def _(form: WholeNumber, values: pa.Array) -> np.ndarray:
    digits = f"{{{form.digits}}}" if form.digits else "{1,15}"
    shaped = pc.match_substring_regex(values, f"^[0-9]{digits}$")
    numbers = pc.cast(pc.if_else(shaped, values, pa.scalar(None, pa.string())), pa.int64())
    inside = pc.and_(pc.greater_equal(numbers, form.minimum), pc.less_equal(numbers, form.maximum))
    return _to_mask(pc.fill_null(inside, False))


@_matches_format.register
def _(form: Decimal, values: pa.Array) -> np.ndarray:
    return _to_mask(pc.match_substring_regex(values, DECIMAL))


@_matches_format.register
def _(form: Date, values: pa.Array) -> np.ndarray:
    return _to_mask(pc.is_valid(parse_dates(form, values)))


@_matches_format.register
def _(form: DateTime, values: pa.Array) -> np.ndarray:
    return _to_mask(
        pc.or_(pc.is_valid(parse_timestamps(values)), pc.is_in(values, value_set=pa.array(form.keywords, pa.string())))
    )


@_matches_format.register
def _(form: Email, values: pa.Array) -> np.ndarray:
    return _to_mask(pc.match_substring_regex(values, EMAIL))


@_matches_format.register
def _(form: Phone, values: pa.Array) -> np.ndarray:
    bare = pc.replace_substring_regex(values, PHONE_PUNCTUATION, "")
    lengths = "|".join(f"[0-9]{{{length}}}" for length in form.lengths)
    return _to_mask(pc.match_substring_regex(bare, f"^({lengths})$"))


def parse_dates(form: Date, values: pa.Array) -> pa.Array:
    """Parse text to date32, null where it is no existing date in one of the form's patterns (leading zeros optional)."""
    if values.null_count == len(values):
        return pa.nulls(len(values), pa.date32())
    days = [_parse_pattern(pattern, values, any_year=form.any_year) for pattern in form.patterns]
    return days[0] if len(days) == 1 else pc.coalesce(*days)


def _parse_pattern(pattern: str, values: pa.Array, *, any_year: bool) -> pa.Array:
    order = pattern.replace("-", "/").split("/")
    separator = "-" if "-" in pattern else "/"
    digits = {"MM": "(?P<m>[0-9]{1,2})", "DD": "(?P<d>[0-9]{1,2})", "YYYY": "(?P<y>[0-9]{4})", "YY": "(?P<y>[0-9]{2})"}
    if any_year:
        digits |= dict.fromkeys(("YYYY", "YY"), "(?P<y>[0-9]{4}|[0-9]{2})")
    parts = pc.extract_regex(values, f"^{separator.join(digits[part] for part in order)}$")
    year, month, day = (pc.struct_field(parts, name) for name in ("y", "m", "d"))
    if any_year or "YY" in order:
        year = pc.if_else(pc.equal(pc.utf8_length(year), 2), pc.binary_join_element_wise("20", year, ""), year)
    iso = pc.binary_join_element_wise(
        year, pc.utf8_lpad(month, 2, "0"), pc.utf8_lpad(day, 2, "0"), "-", null_handling="emit_null"
    )
    return _parse_existing_days(iso)


def _parse_existing_days(iso: pa.Array) -> pa.Array:
    """Parse ISO texts to dates; where the parser moved a nonexistent day (02/30) to the next month, the result is null."""
    plausible = pc.match_substring_regex(iso, r"^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$")
    plausible = pc.and_(plausible, pc.invert(pc.starts_with(iso, "0000")))  # year 0 does not exist
    stamps = pc.strptime(
        pc.if_else(plausible, iso, pa.scalar(None, pa.string())), format="%Y-%m-%d", unit="s", error_is_null=True
    )
    same = pc.equal(pc.strftime(stamps, format="%Y-%m-%d"), iso)
    return pc.cast(pc.if_else(pc.fill_null(same, False), stamps, pa.scalar(None, pa.timestamp("s"))), pa.date32())


def _to_mask(mask: pa.Array) -> np.ndarray:
    return np.asarray(pc.fill_null(mask, False).to_numpy(zero_copy_only=False), dtype=bool).copy()
