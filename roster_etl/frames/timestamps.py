"""Parse timestamps in ISO 8601 that uploads contain as text.

Calendar dates in a vendor's own pattern are parsed elsewhere.
"""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

INSTANT = pa.timestamp("us", tz="UTC")
_SHAPE = (
    r"^(?P<year>[0-9]{4})-(?P<month>[0-9]{1,2})-(?P<day>[0-9]{1,2})"
    r"(?:(?:[Tt]| +)(?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2})(?:[.,](?P<part>[0-9]{1,9}))?)?"
    r" ?(?:[Zz]|UTC|(?P<sign>[+-])(?P<ahead>[0-9]{1,2}?)(?::?(?P<past>[0-9]{2}))?)?)?$"
)
_VALID_PATTERN = r"^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]$"
_FIRST, _LAST = "0001-01-01", "9999-12-31"


def parse_timestamps(values: pa.Array) -> pa.Array:
    """Parse `values` (text) as timestamps (timestamp[us, UTC]); null for text that is not an existing time.

    A blank may replace T. Months, days and hours may lack their leading zero, and so may the hours of an offset
    (a vendor's document has ``2013-08-26T17:00-5:00``). The default time is midnight, the default zone UTC.
    """
    encoded = values.dictionary_encode()
    return _parse_distinct(encoded.dictionary).take(encoded.indices)


def _parse_distinct(texts: pa.Array) -> pa.Array:
    parts = pc.extract_regex(texts, pattern=_SHAPE)
    local = _parse_local_time(parts)
    ahead = pc.multiply(_sign(parts), pc.add(pc.multiply(_number(parts, "ahead"), 60), _number(parts, "past")))
    plausible = pc.and_(pc.less_equal(_number(parts, "ahead"), 14), pc.less_equal(_number(parts, "past"), 59))
    offset = pc.multiply(ahead, 60_000_000)
    fraction = pc.cast(pc.utf8_slice_codeunits(pc.utf8_rpad(_part(parts, "part", "0"), 6, "0"), 0, 6), pa.int64())
    moment = pc.add(pc.subtract(pc.cast(local, pa.int64()), offset), fraction)
    instants = pc.cast(pc.if_else(plausible, moment, pa.scalar(None, pa.int64())), INSTANT)
    return pc.if_else(_is_in_calendar(instants), instants, pa.scalar(None, INSTANT))


def _parse_local_time(parts: Any) -> pa.Array:
    """Return the local time (timestamp[us]), null if it does not exist."""
    day = pc.binary_join_element_wise(
        _part(parts, "year", ""), _two(parts, "month"), _two(parts, "day"), "-", null_handling="emit_null"
    )
    time = pc.binary_join_element_wise(
        _two(parts, "hour"), _two(parts, "minute"), _two(parts, "second"), ":", null_handling="emit_null"
    )
    iso = pc.binary_join_element_wise(day, time, "T", null_handling="emit_null")
    named = pc.and_(pc.match_substring_regex(iso, pattern=_VALID_PATTERN), pc.invert(pc.starts_with(iso, pattern="0000")))
    stamps = pc.strptime(
        pc.if_else(named, iso, pa.scalar(None, pa.string())), format="%Y-%m-%dT%H:%M:%S", unit="us", error_is_null=True
    )
    same = pc.equal(pc.strftime(stamps, format="%Y-%m-%d"), day)  # strptime turns 02-30 into a day of the next month
    return pc.if_else(pc.fill_null(same, False), stamps, pa.scalar(None, pa.timestamp("us")))


def _is_in_calendar(instants: pa.Array) -> pa.Array:
    """Return which times are in the years 1 to 9999: an offset can move a time out of this range."""
    first, last = (pc.strptime(pa.array([day]), format="%Y-%m-%d", unit="us")[0].value for day in (_FIRST, _LAST))
    numbers = pc.cast(instants, pa.int64())
    return pc.and_(pc.greater_equal(numbers, first), pc.less(numbers, last + 86_400_000_000))


def _part(parts: Any, name: str, otherwise: str) -> pa.Array:
    found = pc.struct_field(parts, name)
    return pc.if_else(pc.equal(found, ""), otherwise, found)


def _two(parts: Any, name: str) -> pa.Array:
    return pc.utf8_lpad(_part(parts, name, "00"), 2, "0")


def _number(parts: Any, name: str) -> pa.Array:
    return pc.cast(_part(parts, name, "0"), pa.int64())


def _sign(parts: Any) -> pa.Array:
    return pc.if_else(pc.equal(pc.struct_field(parts, "sign"), "-"), -1, 1)
