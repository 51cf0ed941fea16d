"""What publishing an upload would open and close."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date

import pyarrow as pa
import pytest

from roster_etl.engine.planning.plan import TablePlan, make_plan
from roster_etl.engine.planning.removal_evidence import Exclusions, RemovalEvidence
from roster_etl.engine.planning.thresholds import Thresholds, exceeded_thresholds
from roster_etl.frames.arrow import CLOSE_REASON, REFUSED
from tests.engine.plans import CERTAIN, Current, Row, closes, counts, many, mapped_table, plan_of, user, users_plan

# ---- created, changed, absent


def test_a_first_load_opens_every_accepted_row() -> None:
    plan = users_plan([], [user(1), user(2, _refused=True), user(3)])

    assert (counts(plan), plan.current, plan.counted_updates) == ((2, 0, 0), 0, 0)
    assert plan.opens.to_pylist() == [0, 2]
    assert plan.closes.num_rows == 0


def test_the_same_roster_changes_nothing() -> None:
    plan = plan_of({"users": [user(1), user(2)]}, {"users": [user(2), user(1)]})

    assert plan.is_empty
    assert plan.changes() == {"users": {"created": 0, "updated": 0, "deleted": 0}}


def test_a_new_record_opens_and_an_absent_one_closes() -> None:
    plan = users_plan([user(1), user(2)], [user(2), user(3)])

    assert counts(plan) == (1, 0, 1)
    assert (plan.opens.to_pylist(), closes(plan)) == ([1], [(100, "absent")])
    assert not plan.is_empty


def test_a_changed_record_opens_and_its_version_closes() -> None:
    plan = users_plan([user(1), user(2)], [user(1), user(2, title="Dr")])

    assert counts(plan) == (0, 1, 0)
    assert (plan.opens.to_pylist(), closes(plan)) == ([1], [(101, "changed")])
    assert (plan.columns, plan.counted_updates) == ({"title": 1}, 1)


def test_places_are_those_of_the_mapped_table_with_its_refused_rows() -> None:
    after = [user(9, _refused=True), user(1), user(8, _refused=True), user(2, title="Dr"), user(3)]

    assert users_plan([user(1), user(2)], after).opens.to_pylist() == [3, 4]


def test_where_a_record_comes_from_is_no_change() -> None:
    assert users_plan([user(1)], [user(1, source_row=99, source_file="other.csv")]).is_empty


def test_an_extension_that_changes_is_a_change() -> None:
    plan = users_plan([user(1)], [user(1, extensions='{"ext.a": "1"}')])

    assert (plan.updated, plan.counted_updates, plan.columns) == (1, 1, {"extensions": 1})


def test_a_key_is_compared_as_a_whole() -> None:
    plan = users_plan([user(1)], [{"user_kind": "teacher", "user_id": "u1"}])

    assert counts(plan) == (1, 0, 1)


def test_a_missing_part_of_a_key_equals_a_missing_one() -> None:
    role = {"user_kind": "staff", "user_id": "1", "role": "staff"}
    plan = plan_of({"user_roles": [role]}, {"user_roles": [{**role, "title": "Dr"}]}).tables["user_roles"]

    assert counts(plan) == (0, 1, 0)


# ---- derived columns


@pytest.mark.parametrize(("then", "now"), [('["full_name"]', '["full_name"]'), ("[]", '["full_name"]'), ('["full_name"]', "[]")])
def test_a_change_of_a_derived_column_is_made_but_does_not_count(then: str, now: str) -> None:
    plan = users_plan([user(1, full_name="A", derived=then)], [user(1, full_name="B", derived=now)])

    assert (plan.updated, plan.counted_updates, plan.columns) == (1, 0, {"full_name": 1})


def test_a_change_beside_a_derived_one_counts() -> None:
    derived = '["full_name"]'
    plan = users_plan(
        [user(1, full_name="A", derived=derived), user(2, full_name="A", derived=derived)],
        [user(1, full_name="B", last_name="B", derived=derived), user(2, full_name="B", derived=derived)],
    )

    assert (plan.updated, plan.counted_updates, plan.columns) == (2, 1, {"last_name": 1, "full_name": 2})


def test_a_value_that_comes_or_goes_is_a_change() -> None:
    plan = users_plan([user(1, title="Dr"), user(2)], [user(1), user(2, title="Dr")])

    assert (plan.counted_updates, plan.columns) == (2, {"title": 2})


def test_a_value_that_is_given_where_it_was_derived_is_a_change_of_no_column() -> None:
    plan = users_plan([user(1, full_name="A", derived='["full_name"]')], [user(1, full_name="A")])

    assert (plan.updated, plan.counted_updates, plan.columns) == (1, 0, {})


# ---- records that are kept although no accepted row has them


def test_a_record_that_a_refused_row_names_is_kept_as_it_is() -> None:
    assert users_plan([user(1, title="Dr")], [user(1, _refused=True)]).is_empty


def test_a_refused_row_beside_an_accepted_one_changes_nothing() -> None:
    plan = users_plan([user(1)], [user(1, _refused=True), user(1, title="Dr"), user(1, _refused=True)])

    assert (counts(plan), plan.opens.to_pylist()) == ((0, 1, 0), [1])


def test_records_of_a_file_that_was_not_read_are_kept() -> None:
    before = [user(1, source_file="in/staff.csv"), user(2, source_file="users.csv"), user(3, source_file="STAFF.csv")]
    doubt = replace(CERTAIN, files=frozenset({"staff"}))

    assert closes(users_plan(before, [], doubt)) == [(101, "absent"), (102, "absent")]


def test_a_refused_file_keeps_everything_and_lets_changes_through() -> None:
    plan = users_plan([user(1), user(2)], [user(2, title="Dr"), user(3)], replace(CERTAIN, has_refused_file=True))

    assert counts(plan) == (1, 1, 0)


def test_a_record_that_an_unreadable_row_may_be_about_is_kept() -> None:
    doubt = replace(
        CERTAIN,
        unidentified_records={"users": (("s1", "u1", "Ada"), ("x",))},
        identity={("users", "users"): {"user_id": "User_id"}},
    )

    assert closes(users_plan([user(1), user(2)], [], doubt)) == [(101, "absent")]


def test_an_unreadable_row_of_another_file_says_nothing() -> None:
    doubt = replace(CERTAIN, unidentified_records={"staff": (("u1",),)}, identity={("users", "staff"): {"user_id": "User_id"}})

    assert users_plan([user(1)], [], doubt).deleted == 1


def test_an_unreadable_row_speaks_of_records_of_its_own_file_only() -> None:
    before = [user(1), {"user_kind": "staff", "user_id": "u1", "source_file": "staff.csv"}, user(2)]
    identity = {("users", "users"): {"user_id": "User_id"}, ("users", "staff"): {"user_id": "User_id"}}
    doubt = replace(CERTAIN, unidentified_records={"users": (("u1",),), "staff": (("u2",),)}, identity=identity)

    assert closes(users_plan(before, [], doubt)) == [(101, "absent"), (102, "absent")]


def test_an_unreadable_row_must_hold_every_part_of_the_identity() -> None:
    enrollment = {"course_id": "c", "user_kind": "student", "role": "student", "source_file": "enrollments.csv"}
    before = [{**enrollment, "section_id": s, "user_id": u} for s, u in (("s1", "u1"), ("s1", "u2"), ("s2", "u1"))]
    doubt = replace(
        CERTAIN,
        unidentified_records={"enrollments": (("s1", "u1", "more"), ("s2",), ("u2",))},
        identity={("enrollments", "enrollments"): {"section_id": "Section_id", "user_id": "User_id"}},
    )
    plan = plan_of({"enrollments": before}, {"enrollments": []}, doubt).tables["enrollments"]

    assert closes(plan) == [(101, "absent"), (102, "absent")]


def test_without_an_identity_there_is_no_evidence() -> None:
    assert users_plan([user(1)], [], replace(CERTAIN, unidentified_records={"users": (("u1",),)})).deleted == 1


EVENT = {"organization_id": "o", "user_id": "u", "period": "1", "date": date(2026, 9, 1), "absence_code": "A"}


def _events(before: Sequence[Row], after: Sequence[Row]) -> TablePlan:
    return plan_of({"attendance": before}, {"attendance": after}).tables["attendance"]


def test_events_are_never_absent() -> None:
    assert plan_of({"attendance": [EVENT]}, {"attendance": []}).is_empty


def test_an_event_that_is_told_again_is_nothing_new() -> None:
    again = _events([EVENT, EVENT | {"user_id": "v"}], [EVENT])

    assert (again.is_empty, again.current) == (True, 2)


def test_events_are_added_to_those_that_are_there() -> None:
    added = _events([EVENT], [EVENT, EVENT | {"date": date(2026, 9, 2)}, EVENT | {"period": None}])

    assert (added.created, added.updated, added.deleted, added.opens.to_pylist()) == (2, 0, 0, [1, 2])


def test_an_event_with_another_code_is_another_event() -> None:
    other = _events([EVENT], [EVENT | {"absence_code": "T"}])

    assert (other.created, other.closes.num_rows) == (1, 0)


def test_an_event_of_which_more_is_known_is_a_newer_version() -> None:
    named = _events([EVENT], [EVENT | {"teacher_name": "Ana Okafor"}])

    assert (named.created, named.updated, named.closes.to_pylist()) == (0, 1, [{"version_id": 100, "close_reason": "changed"}])


def test_events_exceed_no_threshold() -> None:
    plan = plan_of({"attendance": [EVENT]}, {"attendance": [EVENT | {"teacher_name": "Ana Okafor"}]})

    assert exceeded_thresholds(plan, Thresholds(delete_pct=1, delete_min=0, update_pct=1, add_pct=100)) == ()


def test_a_refused_event_is_not_added() -> None:
    assert _events([], [EVENT | {REFUSED: True}]).is_empty


SCHOOL = {"organization_id": "o1", "type": "school"}
COURSE = {"course_id": "c1", "organization_id": "o1"}
SECTION = {"section_id": "s1", "course_id": "c1", "home_course_id": "c1", "term_id": "t1", "organization_id": "o1"}
ENROLLMENT = {"course_id": "c1", "section_id": "s1", **user(1), "role": "student", "organization_id": "o1"}
ROSTER: dict[str, Sequence[Row]] = {
    "organizations": [SCHOOL, {"organization_id": "o2", "type": "school"}],
    "terms": [{"term_id": "t1"}, {"term_id": "t2"}],
    "users": [user(1), user(2)],
    "courses": [COURSE, {"course_id": "c2"}],
    "sections": [SECTION, {"section_id": "s2", "course_id": "c2"}],
    "enrollments": [ENROLLMENT],
}


def _one_file(roster: Mapping[str, Sequence[Row]]) -> dict[str, Sequence[Row]]:
    return {name: [{"source_file": "one.csv", **row} for row in rows] for name, rows in roster.items()}


def test_what_a_kept_record_refers_to_is_kept_up_to_the_top_if_it_came_from_the_same_file() -> None:
    before = _one_file(ROSTER)
    plan = plan_of(before, {name: [] for name in before} | {"enrollments": [{**before["enrollments"][0], REFUSED: True}]})

    assert {name: closes(table) for name, table in plan.tables.items()} == {
        "organizations": [(101, "absent")],
        "terms": [(101, "absent")],
        "users": [(101, "absent")],
        "courses": [(101, "absent")],
        "sections": [(101, "absent")],
        "enrollments": [],
    }


def test_a_kept_record_goes_with_what_it_refers_to_in_another_file() -> None:
    after: dict[str, Sequence[Row]] = {**ROSTER, "users": [user(2)], "enrollments": [{**ENROLLMENT, REFUSED: True}]}
    plan = plan_of(ROSTER, after)

    assert closes(plan.tables["users"]) == [(100, "absent")]
    assert closes(plan.tables["enrollments"]) == [(100, "cascade")]
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
    plan = plan_of(ROSTER, after)

    closed = {name: closes(plan.tables[name]) for name in ("organizations", "courses", "sections", "enrollments")}
    assert closed.pop("organizations") == [(100, "absent")]
    assert closed == {name: [(100, "cascade")] for name in closed}


def test_a_contact_goes_with_the_user_who_it_is() -> None:
    parent = user(2)["user_id"]
    contacts = [user(1, contact_id=parent, contact_user_id=parent), user(1, contact_id="9"), user(3, contact_id=parent)]
    before: dict[str, Sequence[Row]] = {"users": [user(1), user(2), user(3)], "contacts": contacts}
    after: dict[str, Sequence[Row]] = {"users": [user(1), user(3)], "contacts": [{**row, REFUSED: True} for row in contacts]}

    assert closes(plan_of(before, after).tables["contacts"]) == [(100, "cascade")]


def test_a_section_keeps_the_course_that_it_came_from_too() -> None:
    before = _one_file(
        {
            "courses": [{"course_id": "c1"}, {"course_id": "c2"}, {"course_id": "c3"}],
            "sections": [{"section_id": "s1", "course_id": "c1", "home_course_id": "c2"}],
        }
    )
    plan = plan_of(before, {"courses": [], "sections": [{**before["sections"][0], REFUSED: True}]})

    assert closes(plan.tables["courses"]) == [(102, "absent")]


def test_a_record_that_closes_keeps_nothing() -> None:
    plan = plan_of(ROSTER, {name: [] for name in ROSTER})

    assert [table.deleted for table in plan.tables.values()] == [2, 2, 2, 2, 2, 1]


def test_contacts_profiles_and_roles_keep_their_person() -> None:
    for name, cells in (("contacts", {"contact_id": "k"}), ("student_profiles", {}), ("user_roles", {"role": "student"})):
        row = user(1, source_file="students.csv", **cells)
        plan = plan_of(
            {"users": [user(1, source_file="students.csv")], name: [row]}, {"users": [], name: [{**row, REFUSED: True}]}
        )

        assert plan.is_empty


def test_a_rejected_row_of_another_file_keeps_no_person_whom_their_own_file_does_not_list_any_more() -> None:
    """A file of demographics may go on listing a student who left, and so may a file of enrollments."""
    profile, person = user(1, source_file="users.csv"), user(1, source_file="users.csv")
    before: dict[str, Sequence[Row]] = {
        "users": [person, user(2, source_file="users.csv")],
        "student_profiles": [profile],
        "enrollments": [{**ENROLLMENT, "source_file": "enrollments.csv"}],
    }
    after: dict[str, Sequence[Row]] = {
        "users": [user(2, source_file="users.csv")],
        "student_profiles": [
            {**profile, "source_file": "demographics.csv", REFUSED: True},
            user(3, source_file="users.csv", **{REFUSED: True}),  # a rejected row of somebody else
        ],
        "enrollments": [{**before["enrollments"][0], REFUSED: True}],
    }
    plan = plan_of(before, after)

    assert {name: closes(table) for name, table in plan.tables.items()} == {
        "users": [(100, "absent")],
        "student_profiles": [(100, "cascade")],
        "enrollments": [(100, "cascade")],
    }


def test_a_rejected_row_of_their_own_file_keeps_a_person_whatever_other_files_have() -> None:
    profile, person = user(1, source_file="users.csv"), user(1, source_file="users.csv")
    kind = replace(CERTAIN, file_of=lambda name: name.partition("-")[0].removesuffix(".csv"))
    for file in ("users.csv", "users-2.csv"):
        rejected = [{**profile, "source_file": name, REFUSED: True} for name in ("demographics.csv", file)]
        after: dict[str, Sequence[Row]] = {"users": [], "student_profiles": rejected}

        assert plan_of({"users": [person], "student_profiles": [profile]}, after, kind).is_empty


# ---- the plan's name


def test_a_plan_is_named_by_what_it_does_and_not_by_the_order_of_rows() -> None:
    before = {"users": many(4)}
    one = plan_of(before, {"users": [user(1, title="A"), user(7), user(8), user(3)]})
    other = plan_of(before, {"users": [user(3), user(8), user(7), user(1, title="A")]})

    assert one.sha256 == other.sha256


@pytest.mark.parametrize(
    "after",
    [
        [user(1, title="A"), user(7), user(3)],  # one fewer
        [user(1, title="B"), user(7), user(8), user(3)],  # another value
        [user(1, title="A"), user(7), user(9), user(3)],  # another record
        [user(1, title="A"), user(7), user(8), user(2)],  # another one closes
        [user(1, title="A"), user(7), user(8, derived='["title"]'), user(3)],
        [user(1, title="A"), user(7), user(8, extensions='{"ext.a": "1"}'), user(3)],
        [user(1, title="A"), user(7), user(8), user(3), user(0, _refused=True)],  # one fewer closes
    ],
)
def test_another_plan_has_another_name(after: list[Row]) -> None:
    before = {"users": many(4)}
    plan = plan_of(before, {"users": [user(1, title="A"), user(7), user(8), user(3)]})

    assert plan_of(before, {"users": after}).sha256 != plan.sha256


def test_a_plan_against_another_state_has_another_name() -> None:
    before, after = {"users": many(2)}, {"users": many(3)}

    assert len({plan_of(before, after, base=base).sha256 for base in (7, 8, None)}) == 3


def test_tables_come_in_publishing_order() -> None:
    assert list(plan_of(ROSTER, dict(reversed(ROSTER.items()))).tables) == list(ROSTER)


# ---- what a person leaves out


def _without(**left_out: frozenset[str]) -> RemovalEvidence:
    return replace(CERTAIN, exclusions=Exclusions(**left_out))


def test_the_removals_of_a_table_can_be_left_out() -> None:
    after: dict[str, Sequence[Row]] = {**ROSTER, "contacts": [], "enrollments": []}
    before = {**ROSTER, "contacts": [user(1, contact_id="k")]}
    plan = plan_of(before, after, _without(tables=frozenset({"contacts"})))

    assert {name: table.deleted for name, table in plan.tables.items() if table.deleted} == {"enrollments": 1}


def test_the_removals_of_a_school_can_be_left_out_with_all_that_is_theirs() -> None:
    people = [user(1), user(2), user(3)]
    roles = [user(n, organization_id="o1" if n < 3 else "o2", role="student") for n in (1, 2, 3)]
    before = {
        **ROSTER,
        "users": people,
        "user_roles": roles,
        "student_profiles": [user(n, grade="05") for n in (1, 2, 3)],
        "contacts": [user(n, contact_id="k") for n in (1, 3)],
    }
    nobody: dict[str, Sequence[Row]] = {name: [] for name in before}
    plan = plan_of(before, nobody, _without(schools=frozenset({"o1"})))
    all_of_it = plan_of(before, nobody)

    gone = {name: table.deleted for name, table in plan.tables.items()}
    assert (gone["users"], gone["user_roles"], gone["student_profiles"], gone["contacts"]) == (1, 1, 1, 1)
    assert (gone["organizations"], gone["sections"], gone["enrollments"]) == (1, 1, 0)
    assert plan.sha256 != all_of_it.sha256
    assert all_of_it.tables["users"].deleted == 3


def test_a_record_that_is_left_out_keeps_what_it_refers_to() -> None:
    nobody: dict[str, Sequence[Row]] = {name: [] for name in ROSTER}
    plan = plan_of(ROSTER, nobody, _without(tables=frozenset({"enrollments"})))

    assert {name: table.deleted for name, table in plan.tables.items()} == {
        "organizations": 1,
        "terms": 1,
        "users": 1,
        "courses": 1,
        "sections": 1,
        "enrollments": 0,
    }


# ---- rows that say why a record is gone


def _stating(rows: Sequence[Row], reasons: Sequence[str | None]) -> pa.Table:
    return mapped_table("users", rows).append_column(CLOSE_REASON, pa.array(reasons, pa.string()))


def _plan_stating(before: Sequence[Row], rows: Sequence[Row], reasons: Sequence[str | None]) -> TablePlan:
    plan = make_plan({"users": _stating(rows, reasons)}, {"users": Current("users", before)}, base=7, evidence=CERTAIN)
    return plan.tables["users"]


def test_a_record_closes_for_the_reason_that_is_stated() -> None:
    rows = [user(1, _refused=True, _deleted=True), user(2, _refused=True, _deleted=True), user(3)]
    plan = _plan_stating([user(1), user(2), user(3)], rows, ["diffed", "renamed", None])

    assert closes(plan) == [(100, "diffed"), (101, "renamed")]
    assert (plan.deleted, plan.absent) == (2, 1)  # a file that is compared left one of them out


def test_what_an_upload_was_asked_to_be_the_whole_truth_about_counts_as_left_out() -> None:
    plan = _plan_stating([user(1), user(2)], [user(1, _refused=True, _deleted=True), user(2)], ["batch_mode", None])

    assert closes(plan) == [(100, "batch_mode")]
    assert (plan.deleted, plan.absent) == (1, 1)


def test_an_id_that_another_record_has_now_closes_for_the_stated_reason_and_opens_anew() -> None:
    rows = [user(1, first_name="Other"), user(1, _refused=True, _deleted=True)]
    plan = _plan_stating([user(1, first_name="Ann")], rows, [None, "renamed"])

    assert closes(plan) == [(100, "renamed")]
    assert plan.opens.to_pylist() == [0]


def test_a_stated_end_of_a_record_that_stays_as_it_is_closes_nothing() -> None:
    plan = _plan_stating([user(1)], [user(1), user(1, _refused=True, _deleted=True)], [None, "deleted"])

    assert plan.is_empty
