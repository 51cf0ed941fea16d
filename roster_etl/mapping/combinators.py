"""Value functions that wrap other functions, or that take the value of a district option."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from roster_etl.frames.arrow import to_arrow_array, to_chunked_array
from roster_etl.mapping.value_functions import Values, day_after_midnight, local_midnight, parse_us_date, parse_us_or_iso_date


def us_day_start(days: pd.Series, zone: object) -> pd.Series:
    """Return the start of the first day "m/d/yyyy" in `zone` (timestamp[us, UTC])."""
    return local_midnight(str(zone))(parse_us_date(days))


def us_day_end(days: pd.Series, zone: object) -> pd.Series:
    """Return the end of the inclusive last day "m/d/yyyy" in `zone` (timestamp[us, UTC], exclusive)."""
    return day_after_midnight(str(zone))(parse_us_date(days))


def day_start(days: pd.Series, zone: object) -> pd.Series:
    """Return the start of the first day, "m/d/yyyy" or "yyyy-m-d", in `zone` (timestamp[us, UTC])."""
    return local_midnight(str(zone))(parse_us_or_iso_date(days))


def day_end(days: pd.Series, zone: object) -> pd.Series:
    """Return the end of the inclusive last day, "m/d/yyyy" or "yyyy-m-d", in `zone` (timestamp[us, UTC], exclusive)."""
    return day_after_midnight(str(zone))(parse_us_or_iso_date(days))


def with_us_dates(function: Values) -> Values:
    """Return `function` of a text and days "m/d/yyyy", which it receives as ISO dates, however they were written."""

    def with_days(text: pd.Series, *days: pd.Series) -> pd.Series:
        iso = (to_chunked_array(parse_us_date(day)).cast(pa.string()) for day in days)
        return function(text, *(pd.Series(pd.arrays.ArrowExtensionArray(day), index=text.index) for day in iso))

    return with_days


def or_else(function: Values) -> Values:
    """Return a function that gives its first column, or `function` of the other columns where the first is null."""

    def first_or(first: pd.Series, *others: pd.Series) -> pd.Series:
        chosen = pc.coalesce(to_chunked_array(first), to_chunked_array(function(*others)))
        return pd.Series(pd.arrays.ArrowExtensionArray(chosen), index=first.index)

    return first_or


def with_constants(function: Values, *texts: str) -> Values:
    """Return a function that calls `function` with its columns, followed by one constant column for each of `texts`."""

    def followed(*columns: pd.Series) -> pd.Series:
        size, index = len(columns[0]), columns[0].index
        fixed = (pd.Series(pd.arrays.ArrowExtensionArray(pa.repeat(pa.scalar(text), size)), index=index) for text in texts)
        return function(*columns, *fixed)

    return followed


def looked_up(values: pd.Series, table: object) -> pd.Series:
    """Look up `values` in `table` (text → text, an option's value), ignoring case; null if not found."""
    assert isinstance(table, Mapping)
    folded = {str(key).strip().casefold(): str(text).strip() for key, text in table.items()}
    encoded = to_arrow_array(values).dictionary_encode()
    answers = [folded.get(value.strip().casefold()) for value in encoded.dictionary.to_pylist()]
    found = pa.array(answers, pa.string()).take(encoded.indices)
    return pd.Series(pd.arrays.ArrowExtensionArray(found), index=values.index)


def unless_same_lookup(values: pd.Series, names: pd.Series, table: object) -> pd.Series:
    """Return `values`, but null where `table` gives the same value for the row's name, so that nothing is merged with itself."""
    same = pc.fill_null(pc.equal(to_chunked_array(values), to_chunked_array(looked_up(names, table))), False)
    return pd.Series(pd.arrays.ArrowExtensionArray(pc.if_else(same, None, to_chunked_array(values))), index=values.index)


def of_dates(function: Values) -> Values:
    """Return `function` of a null text and days, "m/d/yyyy" or "yyyy-m-d", which it receives as ISO dates.

    The null replaces a name that the format does not have.
    """

    def for_days(*days: pd.Series) -> pd.Series:
        nameless = pa.nulls(len(days[0]), pa.string())
        texts = (nameless, *(to_chunked_array(parse_us_or_iso_date(day)).cast(pa.string()) for day in days))
        return function(*(pd.Series(pd.arrays.ArrowExtensionArray(text), index=days[0].index) for text in texts))

    return for_days


def if_first_given(function: Values) -> Values:
    """Return `function` of several columns, but null where the first of them is null."""

    def with_first(first: pd.Series, *others: pd.Series) -> pd.Series:
        made = to_chunked_array(function(first, *others))
        return pd.Series(
            pd.arrays.ArrowExtensionArray(pc.if_else(pc.is_valid(to_chunked_array(first)), made, None)), index=first.index
        )

    return with_first
