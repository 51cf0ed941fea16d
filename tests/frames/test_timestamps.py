"""Moments as texts name them."""

from __future__ import annotations

from datetime import UTC, datetime

import pyarrow as pa
import pytest

from roster_etl.frames.timestamps import parse_timestamps


def moment(text: str | None) -> datetime | None:
    return parse_timestamps(pa.array([text], pa.string()))[0].as_py()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2013-08-26T17:00:00Z", datetime(2013, 8, 26, 17, tzinfo=UTC)),
        ("2013-08-26 17:00:00Z", datetime(2013, 8, 26, 17, tzinfo=UTC)),
        ("2013-08-26t17:00z", datetime(2013, 8, 26, 17, tzinfo=UTC)),
        ("2013-08-26T17:00-5:00", datetime(2013, 8, 26, 22, tzinfo=UTC)),
        ("2013-08-26T17:00-05", datetime(2013, 8, 26, 22, tzinfo=UTC)),
        ("2013-08-26T17:00-0530", datetime(2013, 8, 26, 22, 30, tzinfo=UTC)),
        ("2013-08-26 17:00 +05:30", datetime(2013, 8, 26, 11, 30, tzinfo=UTC)),
        ("2013-08-26 17:00 UTC", datetime(2013, 8, 26, 17, tzinfo=UTC)),
        ("2013-8-6 7:05", datetime(2013, 8, 6, 7, 5, tzinfo=UTC)),
        ("2013-08-26", datetime(2013, 8, 26, tzinfo=UTC)),
        ("2024-02-29T23:59:59.999999Z", datetime(2024, 2, 29, 23, 59, 59, 999999, tzinfo=UTC)),
        ("2026-01-01T00:00:00.5", datetime(2026, 1, 1, 0, 0, 0, 500000, tzinfo=UTC)),
        ("0001-01-01", datetime(1, 1, 1, tzinfo=UTC)),
        ("9999-12-31T23:59:59Z", datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)),
    ],
)
def test_a_moment_is_read_as_utc(text: str, expected: datetime) -> None:
    assert moment(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        None, "", "next Friday", "tomorrow", "08/26/2013", "26.8.2013", "20130826", "2013-08", "13-08-26", "2013-02-29", "2013-13-01",
        "2013-00-01", "2013-01-32", "2013-08-26T", "2013-08-26T24:00", "2013-08-26T17:60", "2013-08-26T17:00:60", "2013-08-26T17",
        "2013-08-26T17:00+15:00", "2013-08-26T17:00+05:", "2013-08-26T17:00+05:60", "2013-08-26Z", "2013-08-26T17:00 EST",
        "2013-08-26T17:00Z tomorrow", "0000-01-01", "0001-01-01T00:00+01:00", "9999-12-31T23:00-05:00", "2013-08-26T17:00\n",
        "２０１３-08-26",
    ],
)  # fmt: skip
def test_what_names_no_moment_that_exists_is_null(text: str | None) -> None:
    assert moment(text) is None


def test_each_value_keeps_its_place() -> None:
    texts = pa.array(["2026-01-02", None, "x", "2026-01-02", "2026-01-01"])

    assert [m and m.day for m in parse_timestamps(texts).to_pylist()] == [2, None, None, 2, 1]


def test_nothing_becomes_nothing() -> None:
    assert len(parse_timestamps(pa.array([], pa.string()))) == 0
