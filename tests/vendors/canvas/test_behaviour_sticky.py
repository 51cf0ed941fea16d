"""Edits of stewards that imports leave alone (behaviour: section 6.4)."""

from __future__ import annotations

from typing import Any

import pytest

from roster_etl.engine.changes import Override, OverrideChange
from tests.vendors.canvas.folding import Case, case, run, up

BASE = {
    "accounts": "account_id,parent_account_id,name,status\nA,,D,active",
    "terms": "term_id,name,status,start_date,end_date\nT1,Fall,active,2026-08-01,2026-12-01",
    "courses": "course_id,short_name,long_name,status,term_id\nC1,ART,Art,active,T1\nC2,BIO,Biology,active,T1",
    "sections": "section_id,course_id,name,status\nS1,C1,One,active",
    "users": "user_id,login_id,status,full_name\nU1,ann,active,Ann Lee\nU2,bob,active,Bob Ray",
    "enrollments": "section_id,user_id,role,status,start_date,end_date\nS1,U1,student,active,2026-08-01,2026-12-01",
}
USERS = "user_id,username,full_name,sortable_name"


def edit(table: str, field: str, value: str | None = None, **key: str | None) -> Override:
    return Override(table=table, key=key, field=field, value=value)


CASES: list[tuple[Case, list[Override]]] = [
    (
        case(
            "6.4",
            "an edited column stays, the others change; a name to sort by is made from the name that is shown",
            up(BASE),
            up(users="user_id,login_id,status,full_name,email\nU1,ann2,active,Anna Lee,a@x.org"),
            state={"users": f"{USERS},email\nU1,ann2,Ann Lee,Lee, Ann,a@x.org\nU2,bob,Bob Ray,Ray, Bob,"},
        ),
        [edit("users", "full_name", user_id="U1")],
    ),
    (
        case(
            "6.4",
            "edited names count for the names that are made from them, one that the row gives is taken",
            up(
                BASE,
                users="user_id,login_id,status,first_name,last_name\nU1,ann,active,Ann,Lee\nU2,bob,active,Bob,Ray\nU3,cy,active,Cy,Fox",
            ),
            up(
                users="user_id,login_id,status,first_name,last_name,sortable_name\n"
                "U1,ann,active,Anna,Lee,\nU2,bob,active,Rob,Rey,\nU3,cy,active,Sy,Fix,FOX"
            ),
            state={
                "users": f"{USERS},first_name,last_name\nU1,ann,Ann Lee,Lee, Ann,Anna,Lee\n"
                "U2,bob,Bob Rey,Rey, Bob,Bob,Rey\nU3,cy,Cy Fox,FOX,Sy,Fix"
            },
        ),
        [
            edit("users", "full_name", user_id="U1"),
            edit("users", "first_name", user_id="U2"),
            edit("users", "full_name", user_id="U3"),
        ],
    ),
    (
        case(
            "6.4",
            "an edited name to sort by stays, whatever the name becomes; a row without names changes none",
            up(BASE),
            up(users="user_id,login_id,status,full_name\nU1,ann,active,Anna Li\nU2,bob,active,"),
            state={"users": f"{USERS}\nU1,ann,Anna Li,Lee, Ann\nU2,bob,Bob Ray,Ray, Bob"},
        ),
        [edit("users", "sortable_name", user_id="U1"), edit("users", "full_name", user_id="U2")],
    ),
    (
        case(
            "6.4",
            "an edited login stays, and the row's login may be another's",
            up(BASE),
            up(users="user_id,login_id,status\nU1,bob,active"),
            state={"users": "user_id,username\nU1,ann\nU2,bob"},
        ),
        [edit("users", "username", user_id="U1")],
    ),
    (
        case(
            "6.4",
            "an edited status keeps a user and a course from being deleted",
            up(BASE),
            up(
                users="user_id,login_id,status\nU1,ann,deleted",
                courses="course_id,short_name,long_name,status\nC1,ART,Art,deleted",
            ),
            state={"users": "user_id,status\nU1,active\nU2,active", "courses": "course_id\nC1\nC2", "enrollments": "user_id\nU1"},
            closed={},
        ),
        [edit("users", "status", user_id="U1"), edit("courses", "status", course_id="C1")],
    ),
    (
        case(
            "6.4",
            "dates are frozen as a pair",
            up(BASE),
            up(
                terms="term_id,name,status,start_date,end_date\nT1,Fall,active,2026-09-01,2026-11-01",
                enrollments="section_id,user_id,role,status,start_date,end_date\nS1,U1,student,completed,2026-09-01,2026-11-01",
            ),
            state={
                "terms": "start_at,end_at\n2026-08-01,2026-12-01",
                "enrollments": "status,start_at,end_at\ncompleted,2026-08-01,2026-12-01",
            },
        ),
        [
            edit("terms", "end_at", term_id="T1"),
            edit(
                "enrollments", "start_at", course_id="C1", section_id="S1", user_id="U1", role="student", associated_user_id=None
            ),
        ],
    ),
    (
        case(
            "5.2",
            "a term's name and dates stay",
            up(BASE),
            up(terms="term_id,name,status,start_date,end_date\nT1,Autumn,active,,2026-11-01"),
            state={"terms": "name,start_at,end_at\nFall,2026-08-01,2026-12-01"},
        ),
        [edit("terms", "name", term_id="T1"), edit("terms", "start_at", term_id="T1")],
    ),
    (
        case(
            "5.4",
            "a course's dates stay, as a pair",
            up(BASE, courses="course_id,short_name,long_name,status,start_date\nC1,ART,Art,active,2026-08-01"),
            up(courses="course_id,short_name,long_name,status,start_date,end_date\nC1,ART,Art,active,,2026-11-01"),
            state={"courses": "course_id,start_at,end_at\nC1,2026-08-01,"},
        ),
        [edit("courses", "start_at", course_id="C1")],
    ),
    (
        case(
            "5.1",
            "an account's name and parent stay",
            up(BASE, accounts="account_id,parent_account_id,name,status\nA,,D,active\nB,A,S,active"),
            up(accounts="account_id,parent_account_id,name,status\nA,,District,active\nB,,School,active"),
            state={"organizations": "organization_id,parent_organization_id,name\nA,,D\nB,A,School"},
        ),
        [
            edit("organizations", "name", organization_id="A"),
            edit("organizations", "parent_organization_id", organization_id="B"),
        ],
    ),
    (
        case(
            "5.4",
            "a course's account, term and names stay",
            up(BASE, terms="term_id,name,status\nT1,Fall,active\nT2,Spring,active"),
            up(
                courses="course_id,short_name,long_name,status,term_id,account_id\nC1,XXX,Xxx,completed,T2,A\nC2,YYY,Yyy,active,T2,A",
            ),
            state={
                "courses": "course_id,short_name,name,organization_id,term_id,status\nC1,ART,Art,,T1,completed\nC2,YYY,Yyy,A,T2,active"
            },
        ),
        [edit("courses", name, course_id="C1") for name in ("short_name", "name", "organization_id", "term_id")],
    ),
    (
        case(
            "5.3",
            "pronouns and short name stay, the end of the user does not wait for them",
            up(BASE),
            up(users="user_id,login_id,status,pronouns,short_name\nU1,ann,active,they,Annie\nU2,bob,deleted,,"),
            state={"users": "user_id,pronouns,short_name\nU1,,Ann Lee"},
        ),
        [
            edit("users", "pronouns", user_id="U1"),
            edit("users", "short_name", user_id="U1"),
            edit("users", "pronouns", user_id="U2"),
        ],
    ),
    (
        case(
            "5.12",
            "names of groups and of their sets stay",
            up(
                BASE,
                group_categories="group_category_id,category_name,status\nK1,Teams,active",
                groups="group_id,name,status\nG1,Chess,available",
            ),
            up(
                group_categories="group_category_id,category_name,status\nK1,Crews,active",
                groups="group_id,name,status\nG1,Go,available",
            ),
            state={"group_categories": "name\nTeams", "groups": "name\nChess"},
        ),
        [edit("group_categories", "name", group_category_id="K1"), edit("groups", "name", group_id="G1")],
    ),
    (
        case(
            "5.5",
            "a section's name and dates stay, dates as a pair",
            up(BASE),
            up(sections="section_id,course_id,name,status,start_date,end_date\nS1,C1,Uno,active,2026-08-01,2026-09-01"),
            state={"sections": "section_id,name,start_at,end_at\nS1,One,,"},
        ),
        [edit("sections", "name", section_id="S1"), edit("sections", "end_at", section_id="S1")],
    ),
    (
        case(
            "5.5",
            "a section whose course was edited by hand does not move, nor does cross-listing move it",
            up(BASE),
            up(
                sections="section_id,course_id,name,status\nS1,C2,Uno,active",
                xlists="xlist_course_id,section_id,status\nC2,S1,active",
            ),
            state={"sections": "section_id,course_id,name\nS1,C1,Uno", "enrollments": "course_id\nC1"},
        ),
        [edit("sections", "course_id", section_id="S1")],
    ),
]


@pytest.mark.parametrize(("line", "edits"), CASES, ids=lambda c: f"{c.section} {c.name}" if isinstance(c, Case) else "")
def test_sticky(line: Case, edits: list[Override]) -> None:
    run(line, edits)


def _changes(options: dict[str, Any], edits: list[Override]) -> tuple[list[str], tuple[OverrideChange, ...]]:
    line = case(
        "6.4",
        "",
        up(BASE),
        up(users="user_id,login_id,status,short_name\nU1,ann2,active,Annie", with_=options),
        state={},
    )
    district = run(line, edits)
    assert district.folded is not None
    return district.lines("users", ["user_id", "username", "short_name"]), district.folded.overrides


EDIT = [edit("users", "username", "ann", user_id="U1")]


def test_override_publishes_the_upload_and_keeps_the_edit() -> None:
    users, changes = _changes({"override_sis_stickiness": True}, EDIT)

    assert users == ["U1,ann2,Annie", "U2,bob,Bob Ray"]
    assert changes == ()


def test_with_clear_the_edits_of_what_the_upload_sets_end() -> None:
    _, changes = _changes({"override_sis_stickiness": True, "clear_sis_stickiness": True, "add_sis_stickiness": True}, EDIT)

    assert changes == (OverrideChange(op="clear", table="users", key={"user_id": "U1"}, field="username"),)


def test_with_add_what_the_upload_changes_is_kept_like_an_edit() -> None:
    _, changes = _changes({"override_sis_stickiness": True, "add_sis_stickiness": True}, [])

    assert {(c.op, c.field, c.value) for c in changes} == {("set", "username", "ann2"), ("set", "short_name", "Annie")}


@pytest.mark.parametrize("option", ["add_sis_stickiness", "clear_sis_stickiness"])
def test_add_and_clear_count_only_together_with_override(option: str) -> None:
    users, changes = _changes({option: True}, EDIT)

    assert users == ["U1,ann,Annie", "U2,bob,Bob Ray"]
    assert changes == ()


def test_an_edit_follows_a_record_whose_id_changes() -> None:
    line = case(
        "5.11",
        "",
        up(BASE),
        up(change_sis_id="old_id,new_id,type\nU1,N1,user", users="user_id,login_id,status\nN1,ann2,active"),
        state={"users": "user_id,username\nN1,ann\nU2,bob"},
    )
    district = run(line, EDIT)

    assert district.folded is not None
    assert district.folded.overrides == (
        OverrideChange(op="clear", table="users", key={"user_id": "U1"}, field="username"),
        OverrideChange(op="set", table="users", key={"user_id": "N1"}, field="username", value="ann"),
    )


def test_an_edit_of_an_enrollment_follows_its_user_and_its_section() -> None:
    key = {"course_id": "C1", "section_id": "S1", "user_id": "U1", "role": "student", "associated_user_id": None}
    line = case(
        "5.11",
        "",
        up(BASE),
        up(
            change_sis_id="old_id,new_id,type\nU1,N1,user",
            sections="section_id,course_id,name,status\nS1,C2,One,active",
            enrollments="section_id,user_id,role,status,start_date,end_date\nS1,N1,student,completed,,",
        ),
        state={"enrollments": "course_id,user_id,status,start_at\nC2,N1,completed,2026-08-01"},
    )
    district = run(line, [edit("enrollments", "start_at", "2026-08-01", **key)])

    assert district.folded is not None
    assert district.folded.overrides[-1].key == {**key, "user_id": "N1", "course_id": "C2"}


def test_a_course_that_batch_mode_removes_loses_the_edit_of_its_status() -> None:
    line = case(
        "6.4",
        "",
        up(BASE),
        up(courses="course_id,short_name,long_name,status", with_={"batch_mode": True, "batch_mode_term_id": "T1"}),
        state={"courses": "course_id"},
    )
    district = run(line, [edit("courses", "status", "active", course_id="C1")])

    assert district.folded is not None
    assert [(change.op, change.field) for change in district.folded.overrides] == [("clear", "status")]


def test_a_date_that_is_set_becomes_an_edit_that_can_be_told() -> None:
    line = case(
        "6.4",
        "",
        up(BASE),
        up(
            terms="term_id,name,status,start_date\nT1,Fall,active,2026-09-01",
            with_={"override_sis_stickiness": True, "add_sis_stickiness": True},
        ),
        state={},
    )
    district = run(line)

    assert district.folded is not None
    assert district.folded.overrides == (
        OverrideChange(op="set", table="terms", key={"term_id": "T1"}, field="start_at", value="2026-09-01T00:00:00Z"),
    )
