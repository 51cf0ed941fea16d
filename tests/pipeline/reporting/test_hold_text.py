"""The line that says why an import is held."""

from __future__ import annotations

from typing import Any

import pytest

from roster_etl.pipeline.reporting.hold_text import hold_headline

USERS = {"deleted": 158, "current": 324, "pct": 48.8}
SECTIONS = {"deleted": 9, "current": 10, "pct": 90.0}
SCHOOL = {"table": "user_roles", "school": "4711", "deleted": 40, "current": 80, "pct": 50.0}


@pytest.mark.parametrize(
    ("reason", "hold", "line"),
    [
        ("change_threshold_exceeded", {"tables": {"users": USERS}}, "158 of 324 users would be removed"),
        ("change_threshold_exceeded", {"tables": {"sections": SECTIONS, "users": USERS}}, "158 of 324 users would be removed; 1 more threshold is exceeded"),
        ("change_threshold_exceeded", {"tables": {"users": {"deleted": 0, "current": 50, "updated": 45}}}, "45 of 50 users would be updated"),
        ("undo", {"tables": {"users": USERS}}, "an undo was requested: 158 of 324 users would be removed"),
        ("change_threshold_exceeded", {"tables": {}, "schools": [SCHOOL]}, "40 of 80 user_roles of school 4711 would be removed"),
        ("another_person", {"tables": {}, "replaced": {"people": 12, "current": 75}}, "12 of 75 people would be replaced by others under their ids"),
        ("quality_gate_failed", {"tables": {"users": USERS}}, "A quality gate failed"),
        ("something_else", {}, "something else"),
    ],
)  # fmt: skip
def test_the_line_names_people_first_then_tables_then_schools(reason: str, hold: dict[str, Any], line: str) -> None:
    assert hold_headline(reason, {"hold": hold}) == line


def test_people_who_go_with_other_tables_come_first() -> None:
    plan = {"users": {"current": 324, "deleted": 158}}

    assert hold_headline("change_threshold_exceeded", {"hold": {"tables": {"sections": SECTIONS}}, "plan": plan}).startswith(
        "158 of 324 users"
    )
