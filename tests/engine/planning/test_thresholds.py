"""When a plan is too much to publish without a person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import Any

from roster_etl.engine.planning.plan import SchoolPlan
from roster_etl.engine.planning.thresholds import ExceededThreshold, Thresholds, exceeded_additions, exceeded_thresholds
from roster_etl.frames.arrow import REFUSED
from tests.engine.plans import Row, many, plan_of, user

LIMITS = Thresholds(delete_pct=10, delete_min=5, update_pct=75, add_pct=100)


def _over(before: Sequence[Row], after: Sequence[Row], **limits: Any) -> list[tuple[str, str, str | None, int, int]]:
    plan = plan_of({"users": before}, {"users": after})
    return [(e.table, e.what, e.school, e.records, e.current) for e in exceeded_thresholds(plan, replace(LIMITS, **limits))]


def test_more_than_the_share_of_removals_exceeds() -> None:
    assert _over(many(100), many(90)) == []
    assert _over(many(100), many(89)) == [("users", "deleted", None, 11, 100)]


def test_fewer_removals_than_the_least_never_exceed() -> None:
    assert _over(many(10), many(6)) == []
    assert _over(many(10), many(5)) == [("users", "deleted", None, 5, 10)]


def test_more_than_the_share_of_updates_exceeds() -> None:
    assert _over(many(100), [*many(75, title="Dr"), *many(100)[75:]]) == []
    assert _over(many(100), [*many(76, title="Dr"), *many(100)[76:]]) == [("users", "updated", None, 76, 100)]


def test_updates_of_derived_columns_exceed_nothing() -> None:
    derived = '["full_name"]'

    assert _over(many(100, full_name="A", derived=derived), many(100, full_name="B", derived=derived)) == []


def test_a_first_load_exceeds_nothing() -> None:
    assert _over([], many(100)) == []


def test_a_hundred_percent_is_off() -> None:
    assert _over(many(100), [], delete_pct=100) == []
    assert _over(many(100), many(100, title="Dr"), update_pct=100) == []
    assert exceeded_additions(plan_of({"users": many(10)}, {"users": many(40)}), replace(LIMITS, add_pct=100)) == ()


def test_zero_percent_holds_for_any_removal() -> None:
    assert _over(many(100), many(99), delete_pct=0, delete_min=0) == [("users", "deleted", None, 1, 100)]
    assert _over(many(100), many(100), delete_pct=0, delete_min=0) == []


def test_a_single_school_exceeds_where_the_table_does_not() -> None:
    def roles(school: str, count: int) -> list[Row]:
        return [user(n, organization_id=school, role="student") for n in range(count)]

    plan = plan_of({"user_roles": [*roles("o1", 200), *roles("o2", 10)]}, {"user_roles": [*roles("o1", 199), *roles("o2", 4)]})

    assert plan.tables["user_roles"].schools == {
        "o1": SchoolPlan(current=200, deleted=1, absent=1),
        "o2": SchoolPlan(current=10, deleted=6, absent=6),
    }
    assert exceeded_thresholds(plan, LIMITS) == (
        ExceededThreshold(table="user_roles", what="deleted", school="o2", records=6, current=10),
    )


def test_the_removal_of_any_organization_exceeds_unless_it_is_off() -> None:
    before = [{"organization_id": f"o{n}"} for n in range(100)]
    plan = plan_of({"organizations": before}, {"organizations": before[1:]})

    assert [e.records for e in exceeded_thresholds(plan, LIMITS)] == [1]
    assert exceeded_thresholds(plan, replace(LIMITS, delete_pct=100)) == ()


def test_a_share_is_told_in_percent() -> None:
    assert ExceededThreshold(table="t", what="deleted", school=None, records=1, current=3).pct == 33.3


def _roles(school: str, numbers: range, **cells: Any) -> list[Row]:
    return [user(n, organization_id=school, role="student", **cells) for n in numbers]


def test_updates_of_a_single_school_exceed() -> None:
    before = [*_roles("o1", range(200)), *_roles("o2", range(10))]
    plan = plan_of({"user_roles": before}, {"user_roles": [*_roles("o1", range(200)), *_roles("o2", range(10), title="Dr")]})

    assert plan.tables["user_roles"].schools == {"o2": SchoolPlan(current=10, updated=10, counted=10)}
    assert exceeded_thresholds(plan, LIMITS) == (
        ExceededThreshold(table="user_roles", what="updated", school="o2", records=10, current=10),
    )


def test_growth_is_told_by_table_and_else_by_school() -> None:
    before = {"user_roles": [*_roles("o1", range(200)), *_roles("o2", range(10))]}
    limits = replace(LIMITS, add_pct=50)
    one_school = plan_of(before, {"user_roles": [*before["user_roles"], *_roles("o2", range(10, 16)), *_roles("o3", range(9))]})
    all_of_it = plan_of(before, {"user_roles": [*before["user_roles"], *_roles("o3", range(106))]})

    assert exceeded_additions(one_school, limits) == (
        ExceededThreshold(table="user_roles", what="created", school="o2", records=6, current=10),
    )
    assert exceeded_additions(all_of_it, limits) == (
        ExceededThreshold(table="user_roles", what="created", school=None, records=106, current=210),
    )
    assert exceeded_thresholds(one_school, limits) == exceeded_thresholds(all_of_it, limits) == ()
    assert exceeded_additions(all_of_it, LIMITS) == ()
    assert exceeded_additions(plan_of({}, {"users": many(100)}), limits) == ()


def test_a_record_that_moves_counts_with_its_new_school() -> None:
    before = {"sections": [{"section_id": f"s{n}", "organization_id": "o1"} for n in range(4)]}
    after = [{**row, "organization_id": "o2"} if row["section_id"] == "s1" else row for row in before["sections"]]

    assert plan_of(before, {"sections": after}).tables["sections"].schools == {"o2": SchoolPlan(updated=1, counted=1)}


def test_a_school_that_had_nothing_before_exceeds_nothing() -> None:
    before = {"sections": [{"section_id": f"s{n}", "organization_id": "o1"} for n in range(100)]}
    moved = [{**row, "organization_id": "o2"} for row in before["sections"][:6]]
    plan = plan_of(before, {"sections": [*moved, *before["sections"][6:]]})

    assert plan.tables["sections"].schools == {"o2": SchoolPlan(updated=6, counted=6)}
    assert exceeded_thresholds(plan, LIMITS) == ()


def test_derived_columns_of_a_school_exceed_nothing() -> None:
    made, other = ([*_roles("o2", range(10), title=title, derived='["title"]')] for title in ("Mr", "Dr"))
    plan = plan_of({"user_roles": made}, {"user_roles": other})

    assert plan.tables["user_roles"].schools["o2"].updated == 10
    assert exceeded_thresholds(plan, LIMITS) == ()


def test_growth_of_a_table_is_not_told_of_its_schools_again() -> None:
    before = {"user_roles": [*_roles("o1", range(20)), *_roles("o2", range(10))]}
    plan = plan_of(before, {"user_roles": [*before["user_roles"], *_roles("o2", range(10, 40))]})

    assert [item.school for item in exceeded_additions(plan, replace(LIMITS, add_pct=50))] == [None]


def test_events_are_not_too_many_however_many_come() -> None:
    event = {"organization_id": "o", "user_id": "u", "period": "1", "absence_code": "A"}
    days = [{**event, "date": date(2026, 9, day)} for day in range(1, 21)]
    plan = plan_of({"attendance": days[:1]}, {"attendance": days})

    assert plan.tables["attendance"].created == 19
    assert exceeded_additions(plan, replace(LIMITS, add_pct=10)) == ()


def test_what_goes_with_another_record_counts_towards_no_threshold() -> None:
    users, schools = many(100), [{"organization_id": "o1"}, {"organization_id": "o2"}]
    roles = [{**one, "role": "student", "organization_id": "o1"} for one in users]
    refused = [{**role, REFUSED: True} for role in roles]
    plan = plan_of(
        {"organizations": schools, "users": users, "user_roles": roles},
        {"organizations": schools[1:], "users": users, "user_roles": refused},
    )

    assert plan.tables["user_roles"].deleted == 100
    assert {e.table for e in exceeded_thresholds(plan, LIMITS)} == {"organizations"}
