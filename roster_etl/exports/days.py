"""Moments and local days: rounding to the beginning of a day, which formats with dates alone can say."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from roster_etl.exports.arrays import Array, each_distinct
from roster_etl.exports.cells import local_midnight_of
from roster_etl.frames.timestamps import INSTANT


def round_days(moments: Array, zone: str, *, up: bool) -> Array:
    """Return `moments` rounded to the beginning of their local day, or of the next one."""
    tz = ZoneInfo(zone)

    def rounded(moment: datetime) -> datetime:
        day, begins = local_midnight_of(moment, zone)
        if begins:
            return moment
        return datetime.combine(day + timedelta(days=1) if up else day, time(), tz).astimezone(UTC)

    return each_distinct(moments, rounded, INSTANT)
