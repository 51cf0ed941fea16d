"""The charts of a report."""

from __future__ import annotations

import re

import pytest

from roster_etl.pipeline.reporting.charts import axis_ticks, change_bars, chart, people_bars, rows_bars

CHANGES = ("created", "updated", "deleted")


def test_charts_say_in_words_what_they_show() -> None:
    history = [
        {
            "import_id": n,
            "status": status,
            "rows_accepted": 90 + n,
            "rows_rejected": 10,
            "changes": {"users": dict.fromkeys(CHANGES, n)},
        }
        for n, status in enumerate(("published", "held", "published"), start=1)
    ]
    rows = chart("Rows", ("accepted", "refused"), rows_bars(history))
    changes = chart("Changed records", CHANGES, change_bars(history))

    assert 'aria-label="Rows, imports 1 to 3: at most 103, in the last 103"' in rows
    assert "<title>import 2, held: 92 accepted, 10 refused</title>" in rows
    assert rows.count('class="part1"') == 3
    assert "<title>import 2, held: 0 created, 0 updated, 0 deleted</title>" in changes
    assert 'class="end held"' in changes


def test_a_first_load_does_not_dwarf_what_came_after_it() -> None:
    loads = [{"import_id": 1, "status": "published", "first": True, "changes": {"users": dict.fromkeys(CHANGES, 9)}}]
    later = [
        {"import_id": n, "status": "published", "first": False, "changes": {"users": dict.fromkeys(CHANGES, 1)}} for n in (2, 3)
    ]

    assert "imports 2 to 3: at most 3, in the last 3" in chart("Changed records", CHANGES, change_bars([*loads, *later]))


def test_one_import_is_nothing_to_compare() -> None:
    assert not chart(
        "Rows", ("accepted",), rows_bars([{"import_id": 1, "status": "held", "rows_accepted": 5, "rows_rejected": 0}])
    )


@pytest.mark.parametrize(
    ("most", "ticks"),
    [
        (1, [0, 1]),
        (3, [0, 1, 2, 3]),
        (136, [0, 50, 100, 150]),
        (1000, [0, 500, 1000]),
        (1001, [0, 500, 1000, 1500]),
        (98765, [0, 50000, 100000]),
    ],
)
def test_the_axis_has_few_round_numbers_up_to_the_highest_bar(most: int, ticks: list[int]) -> None:
    assert axis_ticks(most) == ticks


def test_a_chart_has_both_axes_with_numbers() -> None:
    history = [{"import_id": n, "status": "published", "rows_accepted": 1200, "rows_rejected": 0} for n in range(1, 21)]
    drawn = chart("Rows", ("accepted", "refused"), rows_bars(history))

    assert re.findall(r'text-anchor="end"[^>]*>([^<]+)<', drawn) == ["0", "500", "1,000", "1,500"]
    assert re.findall(r'class="tick" text-anchor="middle"[^>]*>([^<]+)<', drawn) == [str(n) for n in range(2, 21, 2)]


def test_people_are_counted_after_what_was_published() -> None:
    history = [
        {"import_id": n, "status": status, "users": users}
        for n, (status, users) in enumerate([("published", 136), ("held", 75), ("published", 137), ("failed", None)], start=1)
    ]

    assert [(bar.import_id, bar.parts) for bar in people_bars(history)] == [(1, (136,)), (3, (137,))]
