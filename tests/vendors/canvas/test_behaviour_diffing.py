"""Comparing an upload with the last one of its data set (behaviour: section 6.3)."""

from __future__ import annotations

from typing import Any

import pytest

from roster_etl.engine.changes import EarlierImport, choose_baseline
from tests.vendors.canvas.folding import Case, case, run, up

BASE = {
    "courses": "course_id,short_name,long_name,status\nC1,ART,Art,active\nC2,BIO,Biology,active",
    "sections": "section_id,course_id,name,status\nS1,C1,One,active\nS2,C2,Two,active",
    "users": "user_id,login_id,status\nU1,ann,active\nU2,bob,active\nU3,cy,active",
    "enrollments": "section_id,user_id,role,status\nS1,U1,student,active\nS1,U2,student,active\nS2,U3,ta,active",
}
ENROLLMENTS = "section_id,user_id,role,status"
USERS = "user_id,login_id,status"
KEPT = "section_id,user_id,role,status"


def rows(header: str, *lines: str) -> str:
    return "\n".join([header, *lines])


def diff(**more: Any) -> dict[str, Any]:
    return {"diffing_data_set_identifier": "nightly", **more}


CASES = [
    case(
        "6.3",
        "what a later file leaves out is dropped; a file that is left out removes nothing",
        up(BASE, with_=diff()),
        up(enrollments=rows(ENROLLMENTS, "S1,U1,student,active", "S1,U2,student,completed"), with_=diff()),
        state={"enrollments": f"{KEPT}\nS1,U1,student,active\nS1,U2,student,completed", "users": "user_id\nU1\nU2\nU3"},
        closed={"enrollments": ["C1/S1/U2/student/ changed", "C2/S2/U3/ta/ diffed"]},
    ),
    case(
        "6.3",
        "a header alone drops nothing",
        up(BASE, with_=diff()),
        up(enrollments=ENROLLMENTS, users=USERS, with_=diff()),
        state={
            "enrollments": f"{KEPT}\nS1,U1,student,active\nS1,U2,student,active\nS2,U3,ta,active",
            "users": "user_id\nU1\nU2\nU3",
        },
        closed={},
        found=["warning diff_not_possible enrollments.csv", "warning diff_not_possible users.csv"],
    ),
    case(
        "6.3",
        "and later uploads are compared with the one before it",
        up(BASE, with_=diff()),
        up(enrollments=ENROLLMENTS, with_=diff()),
        up(enrollments=rows(ENROLLMENTS, "S1,U1,student,active", "S2,U3,ta,active"), with_=diff()),
        state={"enrollments": f"{KEPT}\nS1,U1,student,active\nS2,U3,ta,active"},
        closed={"enrollments": ["C1/S1/U2/student/ diffed"]},
    ),
    case(
        "6.3",
        "unchanged rows are not applied again: what changed outside stays",
        up(BASE, with_=diff()),
        up(users=rows(USERS, "U1,ann2,active")),
        up(users=BASE["users"], with_=diff()),
        state={"users": "user_id,username\nU1,ann2\nU2,bob\nU3,cy"},
        closed={},
    ),
    *(
        case(
            "6.3",
            f"dropped enrollments become {status}",
            up(BASE, with_=diff()),
            up(enrollments=rows(ENROLLMENTS, "S1,U1,student,active", "S2,U3,ta,active"), with_=diff(diffing_drop_status=status)),
            state={"enrollments": f"{KEPT}\nS1,U1,student,active\nS1,U2,student,{then}\nS2,U3,ta,active"},
        )
        for status, then in (("completed", "completed"), ("inactive", "inactive"), ("deleted_last_completed", "completed"))
    ),
    case(
        "6.3",
        "dropped users are deleted, or suspended",
        up(BASE, with_=diff()),
        up(users=rows(USERS, "U1,ann,active", "U2,bob,active"), with_=diff(diffing_user_remove_status="suspended")),
        up(users=rows(USERS, "U1,ann,active"), with_=diff()),
        state={
            "users": "user_id,status\nU1,active\nU3,suspended",
            "enrollments": f"{KEPT}\nS1,U1,student,active\nS2,U3,ta,active",
        },
        closed={"users": ["U2 diffed"], "enrollments": ["C1/S1/U2/student/ cascade"]},
    ),
    case(
        "6.3",
        "a changed role is an enrollment that goes and one that comes",
        up(BASE, with_=diff()),
        up(enrollments=rows(ENROLLMENTS, "S1,U1,ta,active", "S1,U2,student,active", "S2,U3,ta,active"), with_=diff()),
        state={"enrollments": f"{KEPT}\nS1,U1,ta,active\nS1,U2,student,active\nS2,U3,ta,active"},
        closed={"enrollments": ["C1/S1/U1/student/ diffed"]},
    ),
    case(
        "6.3",
        "repeated keys: the last row counts",
        up(BASE, with_=diff()),
        up(users=rows(USERS, "U1,x,active", "U2,bob,active", "U3,cy,active", "U1,ann,active"), with_=diff()),
        state={"users": "user_id,username\nU1,ann\nU2,bob\nU3,cy"},
        closed={},
    ),
    case(
        "6.3",
        "other columns than last time: read whole, with a warning",
        up(BASE, with_=diff()),
        up(users="user_id,login_id,status,email\nU1,ann,active,a@x.org", with_=diff()),
        state={"users": "user_id,email\nU1,a@x.org\nU2,\nU3,"},
        found=["warning diff_not_possible users.csv"],
    ),
    case(
        "6.3",
        "several files are paired by name",
        up({"users#1": rows(USERS, "U1,ann,active"), "users#2": rows(USERS, "U2,bob,active", "U3,cy,active")}, with_=diff()),
        up({"users#2": rows(USERS, "U2,bob,active"), "users#1": rows(USERS, "U1,ann,active")}, with_=diff()),
        state={"users": "user_id\nU1\nU2"},
    ),
    case(
        "6.3",
        "and read whole if they cannot be",
        up({"users#1": rows(USERS, "U1,ann,active"), "users#2": rows(USERS, "U2,bob,active")}, with_=diff()),
        up({"users#1": rows(USERS, "U1,ann,active"), "users#3": rows(USERS, "U3,cy,active")}, with_=diff()),
        state={"users": "user_id\nU1\nU2\nU3"},
        found=["warning diff_not_possible users#1.csv"],
    ),
    case(
        "6.3",
        "a file whose size differs too much is read whole, and is no base",
        up(BASE, with_=diff(change_threshold=10.0)),
        up(users=rows(USERS, "U1,ann9,active"), with_=diff(change_threshold=10.0)),
        state={"users": "user_id,username\nU1,ann9\nU2,bob\nU3,cy"},
        found=["warning diff_threshold_exceeded users.csv"],
    ),
    case(
        "6.3",
        "more rows than diff_row_count_threshold: read whole",
        up(BASE, with_=diff()),
        up(users=rows(USERS, "U1,ann9,active"), with_=diff(diff_row_count_threshold=2)),
        state={"users": "user_id,username\nU1,ann9\nU2,bob\nU3,cy"},
        found=["warning diff_threshold_exceeded users.csv"],
    ),
    case(
        "6.3",
        "a fresh start applies the file whole, removes nothing, and is compared with later",
        up(BASE, with_=diff()),
        up(users=rows(USERS, "U1,ann9,active"), with_=diff(diffing_remaster_data_set=True)),
        up(users=rows(USERS, "U2,bob9,active"), with_=diff()),
        state={"users": "user_id,username\nU2,bob9\nU3,cy"},
        closed={"users": ["U1 diffed", "U2 changed"], "enrollments": ["C1/S1/U1/student/ cascade"]},
    ),
    case(
        "6.3",
        "links are told by observer and student, terms by their enrollment type too, admins by role too",
        up(
            BASE,
            terms="term_id,name,status,date_override_enrollment_type\nT1,F,active,\nT1,,active,TaEnrollment\nT1,,active,StudentEnrollment",
            user_observers="observer_id,student_id,status\nU3,U1,active\nU3,U2,active",
            admins="user_id,account_id,role,status\nU1,,AccountAdmin,active\nU1,,TeacherEnrollment,active",
            with_=diff(custom_roles={"TeacherEnrollment": "account"}),
        ),
        up(
            terms="term_id,name,status,date_override_enrollment_type\nT1,F,active,\nT1,,active,StudentEnrollment",
            user_observers="observer_id,student_id,status\nU3,U2,active",
            admins="user_id,account_id,role,status\nU1,,AccountAdmin,active",
            with_=diff(custom_roles={"TeacherEnrollment": "account"}),
        ),
        state={
            "term_dates": "term_id,enrollment_type\nT1,StudentEnrollment",
            "observers": "observer_id,student_id\nU3,U2",
            "user_roles": "user_id,role\nU1,AccountAdmin",
        },
    ),
    case(
        "6.3",
        "a row that was refused last time is tried again although it is unchanged",
        up(BASE | {"enrollments": rows(ENROLLMENTS, "S1,U9,student,active")}, with_=diff()),
        up(
            users=rows(USERS, "U1,ann,active", "U2,bob,active", "U3,cy,active", "U9,zoe,active"),
            enrollments=rows(ENROLLMENTS, "S1,U9,student,active"),
            with_=diff(),
        ),
        state={"enrollments": f"{KEPT}\nS1,U9,student,active"},
        found=["info released enrollments.csv 2"],
    ),
    case(
        "6.3",
        "a row that is refused now is there: its record is not dropped",
        up(BASE, with_=diff()),
        up(enrollments=rows(ENROLLMENTS, "!S1,U1,student,", "S1,U2,student,active", "S2,U3,ta,active"), with_=diff()),
        state={"enrollments": f"{KEPT}\nS1,U1,student,active\nS1,U2,student,active\nS2,U3,ta,active"},
    ),
    case(
        "6.3",
        "a row that ended its record is not dropped when it is left out",
        up(BASE, with_=diff()),
        up(enrollments=rows(ENROLLMENTS, "S1,U1,student,active", "S1,U2,student,deleted", "S2,U3,ta,active"), with_=diff()),
        up(enrollments=rows(ENROLLMENTS, "S1,U1,student,active", "S2,U3,ta,active"), with_=diff()),
        state={"enrollments": f"{KEPT}\nS1,U1,student,active\nS2,U3,ta,active"},
        closed={},
    ),
]


@pytest.mark.parametrize("line", CASES, ids=lambda c: f"{c.section} {c.name}")
def test_diffing(line: Case) -> None:
    run(line)


def _history(*hows: str) -> list[EarlierImport]:
    return [
        EarlierImport(import_id=at, published=how != "failed", outcome=how if how != "failed" else "whole")
        for at, how in enumerate(hows, 1)
    ]


@pytest.mark.parametrize(
    ("history", "import_id"),
    [
        (_history(), None),
        (_history("failed"), None),
        (_history("whole", "whole"), 1),
        (_history("whole", "diffed", "exceeded", "failed"), 2),
        (_history("whole", "diffed", "remaster", "whole"), 3),
        (_history("exceeded", "whole"), 2),
    ],
)
def test_the_base_is_the_newest_diffed_upload_else_the_first_published(
    history: list[EarlierImport], import_id: int | None
) -> None:
    assert choose_baseline(history).import_id == import_id


def test_five_uploads_in_a_row_that_differ_too_much_need_a_fresh_start() -> None:
    stuck = _history("whole", *["exceeded"] * 5)

    assert choose_baseline(stuck).needs_remaster
    assert not choose_baseline(stuck[:-1]).needs_remaster
    assert not choose_baseline([*stuck, EarlierImport(import_id=9, published=True, outcome="remaster")]).needs_remaster
