"""Moments, days and ages as people type them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from roster_etl.cli.global_options import UsageError
from roster_etl.cli.times import parse_age, parse_day, parse_moment

NOW = datetime(2026, 9, 10, 3, 30, tzinfo=UTC)  # still the 9th in Chicago
CHICAGO = "America/Chicago"


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-09-01", datetime(2026, 9, 1, 5, tzinfo=UTC)),
        ("2026-09-01T00:00:00Z", datetime(2026, 9, 1, tzinfo=UTC)),
        ("now", NOW),
        (" Today ", datetime(2026, 9, 9, 5, tzinfo=UTC)),
        ("yesterday", datetime(2026, 9, 8, 5, tzinfo=UTC)),
        ("tomorrow", datetime(2026, 9, 10, 5, tzinfo=UTC)),
        ("7d", NOW - timedelta(days=7)),
        ("12h", NOW - timedelta(hours=12)),
        ("30m", NOW - timedelta(minutes=30)),
    ],
)
def test_a_moment_is_read_in_the_zone_of_the_district(text: str, moment: datetime) -> None:
    assert parse_moment(text, CHICAGO, "TIME", now=NOW) == moment


@pytest.mark.parametrize("text", ["soon", "", "999999d9", "2026-13-01", "7", "0", "-7d", "999999999d", "2026-09-01T25:00"])
def test_what_is_no_moment_is_refused_with_what_was_expected(text: str) -> None:
    with pytest.raises(UsageError, match="--since: expected a moment such as .*yesterday.*7d"):
        parse_moment(text, "UTC", "--since", now=NOW)


def test_a_day_is_a_date_or_a_word_of_the_zone() -> None:
    assert parse_day("2026-12-21", CHICAGO, "--from") == date(2026, 12, 21)
    assert parse_day("tomorrow", CHICAGO, "--from", now=NOW) == date(2026, 9, 10)
    with pytest.raises(UsageError, match="--from: expected a day"):
        parse_day("7d", CHICAGO, "--from")


def test_an_age_is_a_duration() -> None:
    assert parse_age("730d", "--older-than") == timedelta(days=730)
    with pytest.raises(UsageError, match="--older-than: expected an age"):
        parse_age("yesterday", "--older-than")
