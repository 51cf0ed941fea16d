"""What publishing an upload would open and close."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from roster_etl.canonical.roster import TABLES
from roster_etl.engine.map import HASH, ORIGIN, row_hash
from roster_etl.engine.plan import Doubt, Exceeded, Plan, TablePlan, Thresholds, exceeded, make_plan
from roster_etl.mapping.frames import DELETED, REFUSED, flat

Row = Mapping[str, Any]
CERTAIN = Doubt(file_of=lambda name: name.rpartition("/")[2].removesuffix(".csv"))


def _table(name: str, rows: Sequence[Row]) -> pa.Table:
    """Return `rows` as a mapped table; a row that leaves the origin out came from the table's own file."""
    target = TABLES[name]
    usual = {"source_file": f"{name}.csv", "source_row": 2, "derived": "[]", "extensions": "{}", REFUSED: False, DELETED: False}
    schema = pa.schema([*target.arrow_schema, *ORIGIN, (REFUSED, pa.bool_()), (DELETED, pa.bool_())])
    table = pa.Table.from_pylist([usual | dict(row) for row in rows], schema=schema)
    return table.append_column(HASH, row_hash(table, target))


class Current:
    """A published table; version ids are 100, 101, … in the order of its rows."""

    def __init__(self, name: str, rows: Sequence[Row]) -> None:
        self.name = name
        table = _table(name, rows).drop_columns([REFUSED, DELETED])
        self.table = table.append_column("version_id", pa.array(range(100, 100 + table.num_rows), pa.int64()))

    def hashes(self) -> pa.Table:
        return self.table.select(["version_id", HASH])

    def rows(self, version_ids: pa.Array) -> pa.Table:
        return self.table.filter(pc.is_in(flat(self.table.column("version_id")), value_set=version_ids))

    def schools(self) -> Mapping[str, int]:
        column = TABLES[self.name].has_school
        return Counter(value for value in self.table.column(column).to_pylist() if value) if column else {}


def _plan(
    before: Mapping[str, Sequence[Row]], after: Mapping[str, Sequence[Row]], doubt: Doubt = CERTAIN, base: int | None = 7
) -> Plan:
    mapped = {name: _table(name, rows) for name, rows in after.items()}
    current = {name: Current(name, before.get(name, ())) for name in after}
    return make_plan(mapped, current, base=base, doubt=doubt)


def _users(before: Sequence[Row], after: Sequence[Row], doubt: Doubt = CERTAIN) -> TablePlan:
    return _plan({"users": before}, {"users": after}, doubt).tables["users"]


def _user(number: int, **cells: Any) -> Row:
    return {"user_kind": "student", "user_id": f"u{number}", **cells}


def _counts(plan: TablePlan) -> tuple[int, int, int]:
    return plan.created, plan.updated, plan.deleted


def _closes(plan: TablePlan) -> list[tuple[int, str]]:
    return sorted((row["version_id"], row["close_reason"]) for row in plan.closes.to_pylist())


# ---- created, changed, absent


def test_a_first_load_opens_every_accepted_row() -> None:
    plan = _users([], [_user(1), _user(2, _refused=True), _user(3)])

    assert (_counts(plan), plan.current, plan.counted_updates) == ((2, 0, 0), 0, 0)
    assert plan.opens.to_pylist() == [0, 2]
    assert plan.closes.num_rows == 0


def test_the_same_roster_changes_nothing() -> None:
    plan = _plan({"users": [_user(1), _user(2)]}, {"users": [_user(2), _user(1)]})

    assert plan.is_empty
    assert plan.changes() == {"users": {"created": 0, "updated": 0, "deleted": 0}}


def test_a_new_record_opens_and_an_absent_one_closes() -> None:
    plan = _users([_user(1), _user(2)], [_user(2), _user(3)])

    assert _counts(plan) == (1, 0, 1)
    assert (plan.opens.to_pylist(), _closes(plan)) == ([1], [(100, "absent")])
    assert not plan.is_empty


def test_a_changed_record_opens_and_its_version_closes() -> None:
    plan = _users([_user(1), _user(2)], [_user(1), _user(2, title="Dr")])

    assert _counts(plan) == (0, 1, 0)
    assert (plan.opens.to_pylist(), _closes(plan)) == ([1], [(101, "changed")])
    assert (plan.columns, plan.counted_updates) == ({"title": 1}, 1)


def test_places_are_those_of_the_mapped_table_with_its_refused_rows() -> None:
    after = [_user(9, _refused=True), _user(1), _user(8, _refused=True), _user(2, title="Dr"), _user(3)]

    assert _users([_user(1), _user(2)], after).opens.to_pylist() == [3, 4]


def test_where_a_record_comes_from_is_no_change() -> None:
    assert _users([_user(1)], [_user(1, source_row=99, source_file="other.csv")]).is_empty


def test_an_extension_that_changes_is_a_change() -> None:
    plan = _users([_user(1)], [_user(1, extensions='{"ext.a": "1"}')])

    assert (plan.updated, plan.counted_updates, plan.columns) == (1, 1, {"extensions": 1})


def test_a_key_is_compared_as_a_whole() -> None:
    plan = _users([_user(1)], [{"user_kind": "teacher", "user_id": "u1"}])

    assert _counts(plan) == (1, 0, 1)


def test_a_missing_part_of_a_key_equals_a_missing_one() -> None:
    role = {"user_kind": "staff", "user_id": "1", "role": "staff"}
    plan = _plan({"user_roles": [role]}, {"user_roles": [{**role, "title": "Dr"}]}).tables["user_roles"]

    assert _counts(plan) == (0, 1, 0)


# ---- derived columns


@pytest.mark.parametrize(("then", "now"), [('["full_name"]', '["full_name"]'), ("[]", '["full_name"]'), ('["full_name"]', "[]")])
def test_a_change_of_a_derived_column_is_made_but_does_not_count(then: str, now: str) -> None:
    plan = _users([_user(1, full_name="A", derived=then)], [_user(1, full_name="B", derived=now)])

    assert (plan.updated, plan.counted_updates, plan.columns) == (1, 0, {"full_name": 1})


def test_a_change_beside_a_derived_one_counts() -> None:
    derived = '["full_name"]'
    plan = _users(
        [_user(1, full_name="A", derived=derived), _user(2, full_name="A", derived=derived)],
        [_user(1, full_name="B", last_name="B", derived=derived), _user(2, full_name="B", derived=derived)],
    )

    assert (plan.updated, plan.counted_updates, plan.columns) == (2, 1, {"last_name": 1, "full_name": 2})


def test_a_value_that_comes_or_goes_is_a_change() -> None:
    plan = _users([_user(1, title="Dr"), _user(2)], [_user(1), _user(2, title="Dr")])

    assert (plan.counted_updates, plan.columns) == (2, {"title": 2})


def test_a_value_that_is_given_where_it_was_derived_is_a_change_of_no_column() -> None:
    plan = _users([_user(1, full_name="A", derived='["full_name"]')], [_user(1, full_name="A")])

    assert (plan.updated, plan.counted_updates, plan.columns) == (1, 0, {})


# ---- records that are kept although no accepted row has them


def test_a_record_that_a_refused_row_names_is_kept_as_it_is() -> None:
    assert _users([_user(1, title="Dr")], [_user(1, _refused=True)]).is_empty


def test_a_refused_row_beside_an_accepted_one_changes_nothing() -> None:
    plan = _users([_user(1)], [_user(1, _refused=True), _user(1, title="Dr"), _user(1, _refused=True)])

    assert (_counts(plan), plan.opens.to_pylist()) == ((0, 1, 0), [1])


def test_records_of_a_file_that_was_not_read_are_kept() -> None:
    before = [_user(1, source_file="in/staff.csv"), _user(2, source_file="users.csv"), _user(3, source_file="STAFF.csv")]
    doubt = replace(CERTAIN, files=frozenset({"staff"}))

    assert _closes(_users(before, [], doubt)) == [(101, "absent"), (102, "absent")]


def test_a_refused_file_keeps_everything_and_lets_changes_through() -> None:
    plan = _users([_user(1), _user(2)], [_user(2, title="Dr"), _user(3)], replace(CERTAIN, everything=True))

    assert _counts(plan) == (1, 1, 0)


def test_a_record_that_an_unreadable_row_may_be_about_is_kept() -> None:
    doubt = replace(
        CERTAIN, evidence={"users": (("s1", "u1", "Ada"), ("x",))}, identity={("users", "users"): {"user_id": "User_id"}}
    )

    assert _closes(_users([_user(1), _user(2)], [], doubt)) == [(101, "absent")]


def test_an_unreadable_row_of_another_file_says_nothing() -> None:
    doubt = replace(CERTAIN, evidence={"staff": (("u1",),)}, identity={("users", "staff"): {"user_id": "User_id"}})

    assert _users([_user(1)], [], doubt).deleted == 1


def test_an_unreadable_row_speaks_of_records_of_its_own_file_only() -> None:
    before = [_user(1), {"user_kind": "staff", "user_id": "u1", "source_file": "staff.csv"}, _user(2)]
    identity = {("users", "users"): {"user_id": "User_id"}, ("users", "staff"): {"user_id": "User_id"}}
    doubt = replace(CERTAIN, evidence={"users": (("u1",),), "staff": (("u2",),)}, identity=identity)

    assert _closes(_users(before, [], doubt)) == [(101, "absent"), (102, "absent")]


def test_an_unreadable_row_must_hold_every_part_of_the_identity() -> None:
    enrollment = {"course_id": "c", "user_kind": "student", "role": "student", "source_file": "enrollments.csv"}
    before = [{**enrollment, "section_id": s, "user_id": u} for s, u in (("s1", "u1"), ("s1", "u2"), ("s2", "u1"))]
    doubt = replace(
        CERTAIN,
        evidence={"enrollments": (("s1", "u1", "more"), ("s2",), ("u2",))},
        identity={("enrollments", "enrollments"): {"section_id": "Section_id", "user_id": "User_id"}},
    )
    plan = _plan({"enrollments": before}, {"enrollments": []}, doubt).tables["enrollments"]

    assert _closes(plan) == [(101, "absent"), (102, "absent")]


def test_without_an_identity_there_is_no_evidence() -> None:
    assert _users([_user(1)], [], replace(CERTAIN, evidence={"users": (("u1",),)})).deleted == 1


def test_events_are_never_absent() -> None:
    event = {"organization_id": "o", "user_id": "u", "absence_code": "A"}

    assert _plan({"attendance": [event]}, {"attendance": []}).is_empty


SCHOOL = {"organization_id": "o1", "type": "school"}
COURSE = {"course_id": "c1", "organization_id": "o1"}
SECTION = {"section_id": "s1", "course_id": "c1", "home_course_id": "c1", "term_id": "t1", "organization_id": "o1"}
ENROLLMENT = {"course_id": "c1", "section_id": "s1", **_user(1), "role": "student", "organization_id": "o1"}
ROSTER: dict[str, Sequence[Row]] = {
    "organizations": [SCHOOL, {"organization_id": "o2", "type": "school"}],
    "terms": [{"term_id": "t1"}, {"term_id": "t2"}],
    "users": [_user(1), _user(2)],
    "courses": [COURSE, {"course_id": "c2"}],
    "sections": [SECTION, {"section_id": "s2", "course_id": "c2"}],
    "enrollments": [ENROLLMENT],
}


def _one_file(roster: Mapping[str, Sequence[Row]]) -> dict[str, Sequence[Row]]:
    return {name: [{"source_file": "one.csv", **row} for row in rows] for name, rows in roster.items()}


def test_what_a_kept_record_refers_to_is_kept_up_to_the_top_if_it_came_from_the_same_file() -> None:
    before = _one_file(ROSTER)
    plan = _plan(before, {name: [] for name in before} | {"enrollments": [{**before["enrollments"][0], REFUSED: True}]})

    assert {name: _closes(table) for name, table in plan.tables.items()} == {
        "organizations": [(101, "absent")],
        "terms": [(101, "absent")],
        "users": [(101, "absent")],
        "courses": [(101, "absent")],
        "sections": [(101, "absent")],
        "enrollments": [],
    }


def test_a_kept_record_goes_with_what_it_refers_to_in_another_file() -> None:
    after: dict[str, Sequence[Row]] = {**ROSTER, "users": [_user(2)], "enrollments": [{**ENROLLMENT, REFUSED: True}]}
    plan = _plan(ROSTER, after)

    assert _closes(plan.tables["users"]) == [(100, "absent")]
    assert _closes(plan.tables["enrollments"]) == [(100, "cascade")]
    assert (plan.tables["enrollments"].deleted, plan.tables["enrollments"].absent) == (1, 0)
    assert plan.tables["sections"].is_empty


def test_what_goes_with_a_record_takes_along_what_refers_to_it() -> None:
    after: dict[str, Sequence[Row]] = {
        **ROSTER,
        "organizations": [{"organization_id": "o2", "type": "school"}],
        "courses": [{"course_id": "c2"}, {**COURSE, REFUSED: True}],
        "sections": [{"section_id": "s2", "course_id": "c2"}, {**SECTION, REFUSED: True}],
        "enrollments": [{**ENROLLMENT, REFUSED: True}],
    }
    plan = _plan(ROSTER, after)

    closes = {name: _closes(plan.tables[name]) for name in ("organizations", "courses", "sections", "enrollments")}
    assert closes.pop("organizations") == [(100, "absent")]
    assert closes == {name: [(100, "cascade")] for name in closes}


def test_what_goes_with_another_record_counts_towards_no_threshold() -> None:
    users, schools = _many(100), [SCHOOL, {"organization_id": "o2"}]
    roles = [{**user, "role": "student", "organization_id": "o1"} for user in users]
    refused = [{**role, REFUSED: True} for role in roles]
    plan = _plan(
        {"organizations": schools, "users": users, "user_roles": roles},
        {"organizations": schools[1:], "users": users, "user_roles": refused},
    )

    assert plan.tables["user_roles"].deleted == 100
    assert {e.table for e in exceeded(plan, LIMITS)} == {"organizations"}


def test_a_section_keeps_the_course_that_it_came_from_too() -> None:
    before = _one_file(
        {
            "courses": [{"course_id": "c1"}, {"course_id": "c2"}, {"course_id": "c3"}],
            "sections": [{"section_id": "s1", "course_id": "c1", "home_course_id": "c2"}],
        }
    )
    plan = _plan(before, {"courses": [], "sections": [{**before["sections"][0], REFUSED: True}]})

    assert _closes(plan.tables["courses"]) == [(102, "absent")]


def test_a_record_that_closes_keeps_nothing() -> None:
    plan = _plan(ROSTER, {name: [] for name in ROSTER})

    assert [table.deleted for table in plan.tables.values()] == [2, 2, 2, 2, 2, 1]


def test_contacts_profiles_and_roles_keep_their_person() -> None:
    for name, cells in (("contacts", {"contact_id": "k"}), ("student_profiles", {}), ("user_roles", {"role": "student"})):
        row = _user(1, source_file="students.csv", **cells)
        plan = _plan(
            {"users": [_user(1, source_file="students.csv")], name: [row]}, {"users": [], name: [{**row, REFUSED: True}]}
        )

        assert plan.is_empty


# ---- thresholds

LIMITS = Thresholds(delete_pct=10, delete_min=5, update_pct=75)


def _many(count: int, **cells: Any) -> list[Row]:
    return [_user(number, **cells) for number in range(count)]


def _over(before: Sequence[Row], after: Sequence[Row], **limits: Any) -> list[tuple[str, str, str | None, int, int]]:
    plan = _plan({"users": before}, {"users": after})
    return [(e.table, e.what, e.school, e.records, e.current) for e in exceeded(plan, replace(LIMITS, **limits))]


def test_more_than_the_share_of_removals_exceeds() -> None:
    assert _over(_many(100), _many(90)) == []
    assert _over(_many(100), _many(89)) == [("users", "deleted", None, 11, 100)]


def test_fewer_removals_than_the_least_never_exceed() -> None:
    assert _over(_many(10), _many(6)) == []
    assert _over(_many(10), _many(5)) == [("users", "deleted", None, 5, 10)]


def test_more_than_the_share_of_updates_exceeds() -> None:
    assert _over(_many(100), [*_many(75, title="Dr"), *_many(100)[75:]]) == []
    assert _over(_many(100), [*_many(76, title="Dr"), *_many(100)[76:]]) == [("users", "updated", None, 76, 100)]


def test_updates_of_derived_columns_exceed_nothing() -> None:
    derived = '["full_name"]'

    assert _over(_many(100, full_name="A", derived=derived), _many(100, full_name="B", derived=derived)) == []


def test_a_first_load_exceeds_nothing() -> None:
    assert _over([], _many(100)) == []


def test_a_hundred_percent_is_off() -> None:
    assert _over(_many(100), [], delete_pct=100) == []
    assert _over(_many(100), _many(100, title="Dr"), update_pct=100) == []


def test_zero_percent_holds_for_any_removal() -> None:
    assert _over(_many(100), _many(99), delete_pct=0, delete_min=0) == [("users", "deleted", None, 1, 100)]
    assert _over(_many(100), _many(100), delete_pct=0, delete_min=0) == []


def test_a_single_school_exceeds_where_the_table_does_not() -> None:
    def roles(school: str, count: int) -> list[Row]:
        return [_user(n, organization_id=school, role="student") for n in range(count)]

    plan = _plan({"user_roles": [*roles("o1", 200), *roles("o2", 10)]}, {"user_roles": [*roles("o1", 199), *roles("o2", 4)]})

    assert plan.tables["user_roles"].schools == {"o1": (200, 1), "o2": (10, 6)}
    assert exceeded(plan, LIMITS) == (Exceeded(table="user_roles", what="deleted", school="o2", records=6, current=10),)


def test_the_removal_of_any_organization_exceeds_unless_it_is_off() -> None:
    before = [{"organization_id": f"o{n}"} for n in range(100)]
    plan = _plan({"organizations": before}, {"organizations": before[1:]})

    assert [e.records for e in exceeded(plan, LIMITS)] == [1]
    assert exceeded(plan, replace(LIMITS, delete_pct=100)) == ()


def test_a_share_is_told_in_percent() -> None:
    assert Exceeded(table="t", what="deleted", school=None, records=1, current=3).pct == 33.3


# ---- the plan's name


def test_a_plan_is_named_by_what_it_does_and_not_by_the_order_of_rows() -> None:
    before = {"users": _many(4)}
    one = _plan(before, {"users": [_user(1, title="A"), _user(7), _user(8), _user(3)]})
    other = _plan(before, {"users": [_user(3), _user(8), _user(7), _user(1, title="A")]})

    assert one.sha256 == other.sha256


@pytest.mark.parametrize(
    "after",
    [
        [_user(1, title="A"), _user(7), _user(3)],  # one fewer
        [_user(1, title="B"), _user(7), _user(8), _user(3)],  # another value
        [_user(1, title="A"), _user(7), _user(9), _user(3)],  # another record
        [_user(1, title="A"), _user(7), _user(8), _user(2)],  # another one closes
        [_user(1, title="A"), _user(7), _user(8, derived='["title"]'), _user(3)],
        [_user(1, title="A"), _user(7), _user(8, extensions='{"ext.a": "1"}'), _user(3)],
        [_user(1, title="A"), _user(7), _user(8), _user(3), _user(0, _refused=True)],  # one fewer closes
    ],
)
def test_another_plan_has_another_name(after: list[Row]) -> None:
    before = {"users": _many(4)}
    plan = _plan(before, {"users": [_user(1, title="A"), _user(7), _user(8), _user(3)]})

    assert _plan(before, {"users": after}).sha256 != plan.sha256


def test_a_plan_against_another_state_has_another_name() -> None:
    before, after = {"users": _many(2)}, {"users": _many(3)}

    assert len({_plan(before, after, base=base).sha256 for base in (7, 8, None)}) == 3


def test_tables_come_in_publishing_order() -> None:
    assert list(_plan(ROSTER, dict(reversed(ROSTER.items()))).tables) == list(ROSTER)
