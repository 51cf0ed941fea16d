"""Removals by term (behaviour: section 6.2)."""

from __future__ import annotations

from typing import Any

import pytest

from roster_etl.engine.planning.thresholds import Thresholds, exceeded_thresholds
from roster_etl.spec.options import COMMON_OPTIONS
from tests.vendors.canvas.folding import Case, District, case, run, up

BASE = {
    "terms": "term_id,name,status\nT1,Fall,active\nT2,Spring,active",
    "courses": """
        course_id,short_name,long_name,term_id,status
        C1,ART,Art,T1,active
        C2,BIO,Biology,T1,active
        C3,CHE,Chemistry,T2,active
    """,
    "sections": """
        section_id,course_id,name,status
        S1,C1,One,active
        S2,C2,Two,active
        S3,C3,Three,active
    """,
    "users": "user_id,login_id,status\nU1,ann,active\nU2,bob,active\nU3,cy,active",
    "enrollments": """
        section_id,user_id,role,status
        S1,U1,student,active
        S1,U2,student,completed
        S2,U2,teacher,active
        S3,U1,student,active
    """,
}
BATCH = {"batch_mode": True, "batch_mode_term_id": "T1"}
ENROLLMENTS = "section_id,user_id,role,status"
COURSES = "course_id,short_name,long_name,term_id,status"
KEPT = "section_id,user_id,role"
OPTIONS = {option.name: option for option in COMMON_OPTIONS}


def rows(header: str, *lines: str) -> str:
    return "\n".join([header, *lines])


def batch(**more: Any) -> dict[str, Any]:
    return {**BATCH, **more}


CASES = [
    case(
        "6.2",
        "what the upload does not name goes: of the term, and of the kinds that were uploaded",
        up(BASE),
        up(enrollments=rows(ENROLLMENTS, "S1,U1,student,active"), with_=BATCH),
        state={
            "enrollments": f"{KEPT}\nS1,U1,student\nS3,U1,student",
            "courses": "course_id\nC1\nC2\nC3",
            "sections": "section_id\nS1\nS2\nS3",
        },
        closed={"enrollments": ["C1/S1/U2/student/ batch_mode", "C2/S2/U2/teacher/ batch_mode"]},
    ),
    case(
        "6.2",
        "a header alone counts as uploaded: everything of its kind in the term goes",
        up(BASE),
        up(enrollments=ENROLLMENTS, with_=BATCH),
        state={"enrollments": f"{KEPT}\nS3,U1,student"},
    ),
    case(
        "6.2",
        "a course that goes takes its enrollments along, as does a section",
        up(BASE),
        up(
            courses=rows(COURSES, "C1,ART,Art,T1,active"),
            sections=rows("section_id,course_id,name,status", "S2,C2,Two,active"),
            with_=BATCH,
        ),
        state={"courses": "course_id\nC1\nC3", "sections": "section_id\nS2\nS3", "enrollments": f"{KEPT}\nS3,U1,student"},
        closed={
            "courses": ["C2 batch_mode"],
            "sections": ["S1 batch_mode"],
            "enrollments": ["C1/S1/U1/student/ cascade", "C1/S1/U2/student/ cascade", "C2/S2/U2/teacher/ cascade"],
        },
    ),
    case(
        "6.2",
        "users, accounts and terms are never removed",
        up(BASE),
        up(users="user_id,login_id,status\nU1,ann,active", terms="term_id,name,status\nT1,Fall,active", with_=BATCH),
        state={"users": "user_id\nU1\nU2\nU3", "terms": "term_id\nT1\nT2"},
        closed={},
    ),
    case(
        "6.2",
        "admins, groups and memberships are never removed",
        up(
            {
                **BASE,
                "admins": "user_id,account_id,role,status\nU1,,AccountAdmin,active",
                "groups": "group_id,name,status\nG1,Chess,available",
                "groups_membership": "group_id,user_id,status\nG1,U1,accepted",
            }
        ),
        up(
            admins="user_id,account_id,role,status",
            groups="group_id,name,status",
            groups_membership="group_id,user_id,status",
            with_=BATCH,
        ),
        state={"user_roles": "user_id\nU1", "groups": "group_id\nG1", "group_memberships": "user_id\nU1"},
        closed={},
    ),
    case(
        "6.2",
        "a term that is not named in a multi-term upload is left alone, a refused row of terms names its term",
        up(BASE),
        up(
            terms="term_id,name,status\n!T1,,active",
            enrollments=ENROLLMENTS,
            with_={"multi_term_batch_mode": True, "change_threshold": 100.0},
        ),
        state={"enrollments": f"{KEPT}\nS3,U1,student"},
    ),
    case(
        "6.2",
        "without a term, or with one that is not there, nothing is removed",
        up(BASE),
        up(enrollments=ENROLLMENTS, with_={"batch_mode": True, "batch_mode_term_id": ""}),
        state={"enrollments": f"{KEPT}\nS1,U1,student\nS1,U2,student\nS2,U2,teacher\nS3,U1,student"},
        found=["warning no_terms"],
    ),
    case(
        "6.2",
        "multi-term: the terms of the upload's terms file",
        up(BASE),
        up(
            enrollments=ENROLLMENTS,
            terms="term_id,name,status\nT2,Spring,active",
            with_={"multi_term_batch_mode": True, "change_threshold": 100.0},
        ),
        state={"enrollments": f"{KEPT}\nS1,U1,student\nS1,U2,student\nS2,U2,teacher"},
    ),
    case(
        "6.2",
        "multi-term without terms removes nothing",
        up(BASE),
        up(enrollments=ENROLLMENTS, with_={"multi_term_batch_mode": True, "change_threshold": 100.0}),
        state={"enrollments": f"{KEPT}\nS1,U1,student\nS1,U2,student\nS2,U2,teacher\nS3,U1,student"},
        found=["warning no_terms"],
    ),
    case(
        "6.2",
        "an enrollment belongs to the term of its course now, a section to that of its home",
        up({**BASE, "xlists": "xlist_course_id,section_id,status\nC3,S1,active"}),
        up(sections="section_id,course_id,name,status", enrollments=rows(ENROLLMENTS, "S2,U2,teacher,active"), with_=BATCH),
        state={"sections": "section_id\nS3"},
        closed={
            "sections": ["S1 batch_mode", "S2 batch_mode"],
            "enrollments": ["C2/S2/U2/teacher/ cascade", "C3/S1/U1/student/ cascade", "C3/S1/U2/student/ cascade"],
        },
    ),
    case(
        "6.2",
        "drop status completed concludes active ones and leaves the others alone",
        up(BASE),
        up(enrollments=ENROLLMENTS, with_=batch(batch_mode_enrollment_drop_status="completed")),
        state={"enrollments": "section_id,user_id,status\nS1,U1,completed\nS1,U2,completed\nS2,U2,completed\nS3,U1,active"},
        closed={"enrollments": ["C1/S1/U1/student/ changed", "C2/S2/U2/teacher/ changed"]},
    ),
    case(
        "6.2",
        "drop status inactive",
        up(BASE),
        up(enrollments=rows(ENROLLMENTS, "S2,U2,teacher,active"), with_=batch(batch_mode_enrollment_drop_status="inactive")),
        state={"enrollments": "section_id,user_id,status\nS1,U1,inactive\nS1,U2,completed\nS2,U2,active\nS3,U1,active"},
    ),
    case(
        "6.2",
        "more than change_threshold of a kind calls all removals off; the rows stay applied",
        up(BASE),
        up(
            enrollments=rows(ENROLLMENTS, "S1,U1,student,active", "S1,U2,student,active", "S1,U3,student,active"),
            courses=rows(COURSES, "C2,BIO,Biology,T1,active"),
            with_=batch(change_threshold=49.0),
        ),
        state={
            "courses": "course_id\nC1\nC2\nC3",
            "enrollments": f"{KEPT}\nS1,U1,student\nS1,U2,student\nS1,U3,student\nS2,U2,teacher\nS3,U1,student",
        },
        found=["warning change_threshold_exceeded courses"],
    ),
    case(
        "6.2",
        "exactly change_threshold is not more",
        up(BASE),
        up(courses=rows(COURSES, "C2,BIO,Biology,T1,active"), with_=batch(change_threshold=50.0)),
        state={"courses": "course_id\nC2\nC3"},
    ),
    case(
        "6.2",
        "nothing is removed if a file of the upload was refused",
        up(BASE),
        up(enrollments=ENROLLMENTS, with_=batch(refused_files=True)),
        state={"enrollments": f"{KEPT}\nS1,U1,student\nS1,U2,student\nS2,U2,teacher\nS3,U1,student"},
        found=["warning incomplete_upload"],
    ),
    case(
        "6.2",
        "a record that a refused row names is named",
        up(BASE),
        up(
            courses=rows(COURSES, "!C1,,,T1,active"),
            sections=rows("section_id,course_id,name,status", "S1,C9,One,active"),
            enrollments=rows(ENROLLMENTS, "S1,U1,stud,active", "!S2,U2,,active"),
            with_=BATCH,
        ),
        state={
            "courses": "course_id\nC1\nC3",
            "sections": "section_id\nS1\nS3",
            "enrollments": f"{KEPT}\nS1,U1,student\nS3,U1,student",
        },
        closed={
            "courses": ["C2 batch_mode"],
            "sections": ["S2 batch_mode"],
            "enrollments": ["C1/S1/U2/student/ batch_mode", "C2/S2/U2/teacher/ cascade"],
        },
        found=["reject unknown_reference sections.csv 2 course_id", "reject unknown_role enrollments.csv 2 role"],
    ),
    case(
        "6.2",
        "so is one whose row skip_deletes leaves out; removals are not restrained by it",
        up(BASE),
        up(enrollments=rows(ENROLLMENTS, "S1,U1,student,deleted"), with_=batch(skip_deletes=True)),
        state={"enrollments": f"{KEPT}\nS1,U1,student\nS3,U1,student"},
        closed={"enrollments": ["C1/S1/U2/student/ batch_mode", "C2/S2/U2/teacher/ batch_mode"]},
    ),
    case(
        "6.2",
        "a role that changed leaves the old enrollment unnamed",
        up(BASE),
        up(enrollments=rows(ENROLLMENTS, "S1,U1,ta,active", "S1,U2,student,completed", "S2,U2,teacher,active"), with_=BATCH),
        state={"enrollments": f"{KEPT}\nS1,U1,ta\nS1,U2,student\nS2,U2,teacher\nS3,U1,student"},
        closed={"enrollments": ["C1/S1/U1/student/ batch_mode"]},
    ),
    case(
        "5.9",
        "an observer's enrollments are not removed unless the student's are",
        up({**BASE, "user_observers": "observer_id,student_id,status\nU3,U1,active\nU3,U2,active"}),
        up(enrollments=rows(ENROLLMENTS, "S1,U1,student,active"), with_=BATCH),
        state={
            "enrollments": "section_id,user_id,role,associated_user_id\nS1,U1,student,\nS1,U3,observer,U1\nS3,U1,student,\nS3,U3,observer,U1"
        },
        closed={
            "enrollments": ["C1/S1/U2/student/ batch_mode", "C1/S1/U3/observer/U2 cascade", "C2/S2/U2/teacher/ batch_mode"],
        },
    ),
]


@pytest.mark.parametrize("line", CASES, ids=lambda c: f"{c.section} {c.name}")
def test_batch_mode(line: Case) -> None:
    run(line)


def _over(district: District) -> list[tuple[str, str, int, int]]:
    assert district.plan is not None
    limits = Thresholds(
        delete_pct=float(OPTIONS["delete_threshold_pct"].default),
        delete_min=int(OPTIONS["delete_threshold_min"].default),
        update_pct=float(OPTIONS["update_threshold_pct"].default),
        add_pct=float(OPTIONS["add_warning_pct"].default),
    )
    return [(e.table, e.what, e.records, e.current) for e in exceeded_thresholds(district.plan, limits) if e.school is None]


@pytest.mark.parametrize("how", ["batch mode", "diffing"])
@pytest.mark.parametrize(("left_out", "held"), [(20, []), (21, [("enrollments", "deleted", 21, 200)])])
def test_without_change_threshold_exactly_ten_percent_are_published_and_more_are_held(
    how: str, left_out: int, held: list[tuple[str, str, int, int]]
) -> None:
    """Behaviour: 6.2 (10 % of 200: more than 20), and 8.4 (a threshold is always on)."""
    with_ = BATCH if how == "batch mode" else {"diffing_data_set_identifier": "nightly"}
    users = [f"U{n},u{n},active" for n in range(200)]
    enrollments = [f"S1,U{n},student,active" for n in range(200)]
    district = District()
    everything = {**BASE, "users": rows("user_id,login_id,status", *users), "enrollments": rows(ENROLLMENTS, *enrollments)}
    district.upload(everything, **({} if how == "batch mode" else with_))
    district.upload({"enrollments": rows(ENROLLMENTS, *enrollments[left_out:])}, **with_)

    assert _over(district) == held
