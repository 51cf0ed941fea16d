"""A delta is what differs between two exports, and says when each difference was made."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from roster_etl.exports.arrays import texts
from roster_etl.exports.build import BuiltFile
from roster_etl.exports.delta import delta_files

DAYS = [datetime(2026, 9, day, tzinfo=UTC) for day in range(1, 6)]


def file(**names: str) -> dict[str, BuiltFile]:
    """Return one file: a row an id, with a name and the empty marks of a bulk export."""
    nothing = texts([None] * len(names))
    cells = {"sourcedId": texts(names), "status": nothing, "dateLastModified": nothing, "name": texts(names.values())}
    return {"users.csv": BuiltFile(name="users.csv", cells=cells, identity=("sourcedId",))}


def rows(found: list[BuiltFile]) -> list[tuple[str, ...]]:
    (built,) = found
    return list(
        zip(*(built.cells[name].to_pylist() for name in ("sourcedId", "name", "status", "dateLastModified")), strict=True)
    )


def test_each_row_has_the_time_of_the_import_that_made_its_last_difference():
    states = [file(a="1", b="1", c="1"), file(a="2", b="1", c="1"), file(a="3", b="1"), file(a="3", b="1", d="1")]
    found = delta_files("oneroster", states[0], states[3], DAYS[1:4], lambda at: states[DAYS.index(at)])

    assert rows(found) == [
        ("a", "3", "active", "2026-09-03T00:00:00.000Z"),
        ("d", "1", "active", "2026-09-04T00:00:00.000Z"),
        ("c", "1", "tobedeleted", "2026-09-03T00:00:00.000Z"),
    ]


@pytest.mark.parametrize(
    ("states", "looked_at"),
    [
        ([file(a="1"), file(a="2")], []),  # one import: it made all of it
        ([file(a="1"), file(a="1"), file(a="1"), file(a="2")], [3]),  # the newest made it: no older one is read
        ([file(a="1"), file(a="2"), file(a="2"), file(a="2")], [3, 2]),
        ([file(a="1"), file(a="2"), file(a="1")], []),  # what came and went is not said
    ],
)
def test_no_older_roster_is_read_than_is_needed_to_date_the_changes(states, looked_at):
    asked = []

    def snapshot(at: datetime) -> dict[str, BuiltFile]:
        asked.append(DAYS.index(at) + 1)
        return states[DAYS.index(at)]

    delta_files("oneroster", states[0], states[-1], DAYS[1 : len(states)], snapshot)

    assert asked == looked_at


def test_a_format_that_says_no_times_reads_no_roster_between():
    def snapshot(at: datetime) -> dict[str, BuiltFile]:
        raise AssertionError(at)

    found = delta_files("canvas", file(a="1", b="1"), file(a="2"), DAYS[1:], snapshot)

    assert [row[:3] for row in rows(found)] == [("a", "2", None), ("b", "1", "deleted")]
