"""How the differences of a district's feeds are added up."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from roster_etl.pipeline.reporting.feed_differences import by_field, by_school, feed_differences


def row(school: str | None, differences: int, day: int, **more: Any) -> dict[str, Any]:
    place = {"source_a": "canvas", "source_b": "clever", "table_name": "users", "kind": "differs", "field": "email"}
    counts = {"differences": differences, "new": 1, "decided": 0, "oldest": datetime(2026, 10, day, tzinfo=UTC)}
    return {**place, "organization_id": school, **counts, **more}


ROWS = [row("s1", 2, 3), row("s2", 5, 2), row("s3", 2, 4), row("s1", 1, 1, field="phone"), row(None, 9, 5)]


def test_schools_with_most_differences_come_first_and_records_of_none_are_left_out():
    found = [(one["organization_id"], one["differences"], one["new"], one["oldest"].day) for one in by_school(ROWS)]

    assert found == [("s2", 5, 1, 2), ("s1", 3, 2, 1), ("s3", 2, 1, 4)]


def test_columns_are_added_up_over_all_schools():
    assert [(one["field"], one["differences"], one["oldest"].day) for one in by_field(ROWS)] == [
        ("email", 18, 2),
        ("phone", 1, 1),
    ]


def test_only_differences_that_were_open_and_of_the_feed_count():
    others = [row("s4", 0, 1), row("s5", 3, 1, source_b="dyknow")]
    rows = [*ROWS, *others]

    assert {one["organization_id"] for one in feed_differences(rows, "clever")} == {"s1", "s2", "s3", None}
    assert [one["organization_id"] for one in feed_differences(rows, "dyknow")] == ["s5"]
