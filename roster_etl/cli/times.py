"""Moments and days as a person types them: ``2026-09-01T08:00``, ``now``, ``yesterday``, ``7d``.

Belongs here: parsing them, the same way for every command. Times without an offset are in the zone that the command names.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from roster_etl.cli.global_options import UsageError
from roster_etl.spec.options import parse_duration

EXPECTED_MOMENT = "a moment such as 2026-09-01, 2026-09-01T08:00:00Z, yesterday or now, or an age such as 7d"
EXPECTED_DAY = "a day such as 2026-08-10, today, tomorrow or yesterday"
_DAYS = {"yesterday": -1, "today": 0, "tomorrow": 1}


def parse_moment(text: str, zone: str, label: str, *, now: datetime | None = None) -> datetime:
    """Return the moment in UTC that `text` names.

    ``yesterday``, ``today`` and ``tomorrow`` are midnight at the beginning of that day in `zone`; ``7d``, ``12h`` or ``30m`` are so long ago.
    Args:   label: the option or argument, for the message. now: the present; None: of the clock.
    Raises: UsageError.
    """
    present = now or datetime.now(UTC)
    word = text.strip().casefold()
    if word == "now":
        return present
    try:
        if word in _DAYS:
            day = present.astimezone(ZoneInfo(zone)).date() + timedelta(days=_DAYS[word])
            return datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone)).astimezone(UTC)
        if (age := _age(word)) is not None:
            return present - age
        moment = datetime.fromisoformat(text.strip())
        return (moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(zone))).astimezone(UTC)
    except (ValueError, OverflowError):
        raise UsageError(problem=f"{label}: expected {EXPECTED_MOMENT}") from None


def parse_day(text: str, zone: str, label: str, *, now: datetime | None = None) -> date:
    """Return the day that `text` names: a date, or ``today``, ``tomorrow``, ``yesterday`` in `zone`. Raises UsageError."""
    word = text.strip().casefold()
    if word in _DAYS:
        return (now or datetime.now(UTC)).astimezone(ZoneInfo(zone)).date() + timedelta(days=_DAYS[word])
    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        raise UsageError(problem=f"{label}: expected {EXPECTED_DAY}") from None


def parse_age(text: str, label: str) -> timedelta:
    """Return the age that a text such as 730d or 12h is. Raises UsageError."""
    try:
        return parse_duration(text.strip())
    except ValueError:
        raise UsageError(problem=f"{label}: expected an age such as 730d") from None


def _age(word: str) -> timedelta | None:
    """Return the duration in `word`; None: it is none. A bare number is a year of a date."""
    if word.isdigit():
        return None
    try:
        return parse_duration(word)
    except ValueError:
        return None
