"""Counts of differences are those of counting all rows, on both databases."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest

from roster_etl.store.warehouse import Warehouse

BEGAN = datetime(2026, 9, 1, 6, tzinfo=UTC)
DISTRICT = "lincoln"
GROUP = ("source_a", "source_b", "table_name", "kind", "field", "organization_id")
NUMBERS = ("differences", "new", "decided", "waiting")


def difference(random: Random) -> dict[str, Any]:
    at, feeds = random.randrange(5), random.choice((("canvas", "clever"), ("clever", "dyknow")))
    row = {
        "district_id": random.choice((DISTRICT, DISTRICT, "monroe")),
        **dict(zip(("source_a", "source_b"), feeds, strict=True)),
        "table_name": random.choice(("users", "sections")),
        "kind": random.choice(("differs", "missing_in_a")),
        "field": random.choice(("email", None)),
        "organization_id": random.choice(("o1", "o2", None)),
        "key_a": {"user_id": "1"},
        "first_seen": BEGAN + timedelta(hours=at),
    }
    closed = random.choice((None, None, at + random.randrange(1, 4)))
    decided = random.choice((None, at + random.randrange(4)))
    return {
        **row,
        "closed_at": None if closed is None else BEGAN + timedelta(hours=closed),
        "decided_at": None if decided is None else BEGAN + timedelta(hours=decided),
        "decision": None if decided is None else random.choice(("accepted", "ignored", None)),  # None: reopened
    }


def counted(rows: list[dict[str, Any]], moment: datetime) -> dict[tuple[Any, ...], tuple[Any, ...]]:
    counts = {name: Counter[tuple[Any, ...]]() for name in NUMBERS}
    oldest: dict[tuple[Any, ...], datetime] = {}
    for row in rows:
        group = tuple(row[name] for name in GROUP)
        counts["waiting"][group] += row["closed_at"] is None and row["decision"] is None
        if row["first_seen"] > moment or (row["closed_at"] is not None and row["closed_at"] <= moment):
            continue
        counts["differences"][group] += 1
        counts["new"][group] += row["first_seen"] == moment
        counts["decided"][group] += row["decision"] is not None and row["decided_at"] <= moment
        oldest[group] = min(row["first_seen"], oldest.get(group, moment))
    groups = {group for each in counts.values() for group, number in each.items() if number}
    return {group: (*(each[group] for each in counts.values()), oldest.get(group)) for group in groups}


@pytest.mark.parametrize("hour", [0, 2, 9])
def test_the_counts_at_a_moment_are_those_of_all_rows(warehouse_url: str, hour: int) -> None:
    random, moment = Random(hour), BEGAN + timedelta(hours=hour)
    rows = [difference(random) for _ in range(120)]
    with Warehouse(warehouse_url) as warehouse:
        with warehouse.write(directly=True) as tx:
            tx.reconciliation.restore_differences(rows)
        with warehouse.read_reconciliation() as session:
            found = session.counts_at(DISTRICT, moment)
            waiting = sum(row["differences"] for row in session.open_counts(DISTRICT) if row["decision"] is None)

    told: dict[tuple[Any, ...], tuple[Any, ...]] = {}
    for row in found:
        group, counts = tuple(row[name] for name in GROUP), [row[name] for name in NUMBERS]
        *before, oldest = told.get(group, (0, 0, 0, 0, None))
        moments = [one for one in (oldest, row["oldest"]) if one]
        told[group] = (*(x + y for x, y in zip(before, counts, strict=True)), min(moments, default=None))
    told = {group: counts for group, counts in told.items() if any(counts[:4])}
    expected = counted([row for row in rows if row["district_id"] == DISTRICT], moment)
    assert told == expected
    assert sum(counts[3] for counts in told.values()) == waiting > 0
