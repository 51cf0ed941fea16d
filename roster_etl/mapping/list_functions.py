"""Value functions for lists in one cell: items joined by commas, as validation leaves them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from roster_etl.frames.arrow import row_codes, to_arrow_array
from roster_etl.mapping.value_functions import Values, parse_integer


def json_list(codes: Mapping[str, str] | None = None) -> Values:
    """Return a function from a list to JSON; items are translated by `codes` (ignoring case), and left out where it has none."""

    def listed(values: pd.Series) -> pd.Series:
        return _each_text(values, lambda items: json.dumps(items, ensure_ascii=False) if items else None, codes)

    return listed


def only_item(codes: Mapping[str, str] | None = None) -> Values:
    """Return a function from a list to its item, null where it has several."""

    def item(values: pd.Series) -> pd.Series:
        return _each_text(values, lambda items: items[0] if len(items) == 1 else None, codes)

    return item


def first_item(codes: Mapping[str, str] | None = None) -> Values:
    """Return a function from a list to its first item."""

    def first(values: pd.Series) -> pd.Series:
        return _each_text(values, lambda items: items[0] if items else None, codes)

    return first


def lowest_item(codes: Mapping[str, str], order: Sequence[str]) -> Values:
    """Return a function from a list to the item that comes first in `order`."""
    place = {code: number for number, code in enumerate(order)}

    def lowest(values: pd.Series) -> pd.Series:
        return _each_text(values, lambda items: min(items, key=lambda item: place[item]) if items else None, codes)

    return lowest


def pair_type(values: pd.Series) -> pd.Series:
    """Return the type of a pair ``{type:id}``."""
    return _map_text(values, lambda text: text.strip("{}").partition(":")[0])


def pair_id(values: pd.Series) -> pd.Series:
    """Return the id of a pair ``{type:id}``."""
    return _map_text(values, lambda text: text.strip("{}").partition(":")[2])


def school_year_end(values: pd.Series) -> pd.Series:
    """Return the year in which a school year ends (int64): ``2026``, or the second one of ``2025-2026``."""
    return parse_integer(_map_text(values, lambda text: text.rpartition("-")[2]))


def flagged_codes(codes: Sequence[str]) -> Values:
    """Return a function from one flag column a code (true, false) to the JSON list of those that are true; null where all are blank."""

    def listed(*flags: str | None) -> str | None:
        found = _flagged(codes, flags)
        return None if found is None else json.dumps(found)

    return _each_combination(listed)


def flagged_code(codes: Sequence[str], several: str) -> Values:
    """Return a function from one flag column a code, and one that says "several", to the one code that is true; `several` if more are."""

    def code(*flags: str | None) -> str | None:
        found = _flagged(codes, flags[:-1]) or []
        return several if flags[-1] == "true" or len(found) > 1 else found[0] if found else None

    return _each_combination(code)


def completed_when_past(ends: pd.Series, today: object) -> pd.Series:
    """Return ``completed`` where a date (ISO, exclusive) is not after `today`, else null."""
    return _completed(ends, today, timedelta(0))


def completed_after_last_day(ends: pd.Series, today: object) -> pd.Series:
    """Return ``completed`` where a date (ISO), the last day, is before `today`, else null."""
    return _completed(ends, today, timedelta(days=1))


def _completed(ends: pd.Series, today: object, after: timedelta) -> pd.Series:
    assert isinstance(today, date)

    def status(text: str) -> str | None:
        try:
            return "completed" if date.fromisoformat(text) + after <= today else None
        except (ValueError, OverflowError):
            return None

    return _map_text(ends, status)


def _flagged(codes: Sequence[str], flags: Sequence[str | None]) -> list[str] | None:
    if all(flag is None for flag in flags):
        return None
    return [code for code, flag in zip(codes, flags, strict=True) if flag == "true"]


def _each_combination(function: Callable[..., str | None]) -> Values:
    """Return a function of columns that asks `function` once for each combination of cells, in lower case, that they have."""

    def of(*columns: pd.Series) -> pd.Series:
        cells = [pc.utf8_lower(to_arrow_array(values).cast(pa.string())) for values in columns]
        _, first, at = np.unique(row_codes(cells), return_index=True, return_inverse=True)
        rows = zip(*(values.take(pa.array(first)).to_pylist() for values in cells), strict=True)
        return _series(pa.array([function(*row) for row in rows], pa.string()).take(pa.array(at)), columns[0])

    return of


def _each_text(values: pd.Series, read: Callable[[list[str]], str | None], codes: Mapping[str, str] | None) -> pd.Series:
    folded = {key.casefold(): code for key, code in (codes or {}).items()}

    def of(cell: str) -> str | None:
        items = [item for item in cell.split(",") if item]
        chosen = items if codes is None else [folded[item.casefold()] for item in items if item.casefold() in folded]
        return read(list(dict.fromkeys(chosen)))

    return _map_text(values, of)


def _map_text(values: pd.Series, function: Callable[[str], str | None]) -> pd.Series:
    encoded = to_arrow_array(values).cast(pa.string()).dictionary_encode()
    answers = pa.array([function(text) or None for text in encoded.dictionary.to_pylist()], pa.string())
    return _series(answers.take(encoded.indices), values)


def _series(array: pa.Array, like: pd.Series) -> pd.Series:
    return pd.Series(pd.arrays.ArrowExtensionArray(array), index=like.index)
