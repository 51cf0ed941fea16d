"""Functions of column plans that are put together from others, or that take the value of a district option.

Belongs here: what several vendors need as one step. The plain functions are in ``mapping.columns``.
"""

from __future__ import annotations

import pandas as pd
import pyarrow.compute as pc

from roster_etl.mapping.columns import Values, day_after_midnight, joined, local_midnight, parse_us_date
from roster_etl.mapping.frames import arrow


def begins_us(days: pd.Series, zone: object) -> pd.Series:
    """Return when the first day "m/d/yyyy" begins in `zone` (timestamp[us, UTC])."""
    return local_midnight(str(zone))(parse_us_date(days))


def ends_us(days: pd.Series, zone: object) -> pd.Series:
    """Return when the inclusive last day "m/d/yyyy" is over in `zone` (timestamp[us, UTC], exclusive)."""
    return day_after_midnight(str(zone))(parse_us_date(days))


def joined_if_first(separator: str) -> Values:
    """Return a function that joins several columns by `separator`, nulls left out; null where the first one is null."""
    join = joined(separator)

    def join_if_first(first: pd.Series, *others: pd.Series) -> pd.Series:
        text = arrow(join(first, *others))
        given = pc.if_else(pc.is_valid(arrow(first)), text, None)
        return pd.Series(pd.arrays.ArrowExtensionArray(given), index=first.index)

    return join_if_first
