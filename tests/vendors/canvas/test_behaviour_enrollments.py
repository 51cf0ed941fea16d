"""How rows of enrollments and of observers are applied (behaviour: sections 5.7 and 5.9)."""

from __future__ import annotations

import pytest

from tests.vendors.canvas.folding import Case, case, run, up

BASE = {
    "courses": """
        course_id,short_name,long_name,status
        C1,ART,Art,active
        C2,BIO,Biology,active
    """,
    "sections": """
        section_id,course_id,name,status
        S1,C1,One,active
        S2,C1,Two,active
        S3,C2,Three,active
    """,
    "users": """
        user_id,login_id,status,integration_id
        U1,ann,active,i1
        U2,bob,active,
        U3,cy,active,
    """,
}
ROW = "course_id,section_id,user_id,role,status"
KEY = "course_id,section_id,user_id,role"
DATED = "section_id,user_id,role,status,start_date,end_date"


def rows(*lines: str, columns: str = ROW) -> str:
    return "\n".join([columns, *lines])


def enrolled(*lines: str) -> dict[str, str]:
    return {"enrollments": "\n".join([KEY, *lines])}


def world(*lines: str, columns: str = ROW, **more: str) -> tuple[dict[str, str], dict[str, object]]:
    return up({**BASE, "enrollments": rows(*lines, columns=columns), **more})


CASES = [
    case(
        "5.7",
        "a section tells the course; a course alone means its default section",
        world(",S1,U1,student,active", "C1,,U2,student,active", "C1,S2,U3,student,active"),
        state=enrolled("C1,S1,U1,student", "C1,,U2,student", "C1,S2,U3,student"),
    ),
    case(
        "5.7",
        "the integration id wins over the user id",
        up(BASE),
        up(
            enrollments="""
            section_id,user_id,user_integration_id,role,status
            S1,U2,i1,student,active
            S1,U2,i9,student,active
            S1,,i1,ta,active
            """
        ),
        state=enrolled("C1,S1,U1,student", "C1,S1,U1,ta"),
        found=["reject unknown_reference enrollments.csv 3 user_integration_id"],
    ),
    case(
        "5.7",
        "each id that is given must exist, even if the other would do",
        world("C9,S1,U1,student,active", "C1,S9,U1,student,active", "C1,S1,U9,student,active", "C2,S1,U1,student,active"),
        state=enrolled(),
        found=[
            "reject unknown_reference enrollments.csv 2 course_id",
            "reject unknown_reference enrollments.csv 3 section_id",
            "reject unknown_reference enrollments.csv 4 user_id",
            "reject unrelated_section enrollments.csv 5 section_id",
        ],
    ),
    case(
        "5.7",
        "the first check that fails is reported: user, section and course, role, associated user",
        world("C9,S9,U9,boss,active", "C9,S9,U1,boss,active", ",S1,U1,boss,active"),
        state=enrolled(),
        found=[
            "reject unknown_reference enrollments.csv 2 user_id",
            "reject unknown_reference enrollments.csv 3 section_id",
            "reject unknown_role enrollments.csv 4 role",
        ],
    ),
    case(
        "5.7",
        "built-in roles in any case, whole words, and by their type names",
        world(",S1,U1,Student,active", ",S1,U1,TA,active", ",S1,U1,students,active", ",S1,U2,TeacherEnrollment,active"),
        state=enrolled("C1,S1,U1,student", "C1,S1,U1,ta", "C1,S1,U2,teacher"),
        found=["reject unknown_role enrollments.csv 4 role"],
    ),
    case(
        "5.7",
        "custom roles by exact name; a role id wins over a role",
        up(BASE),
        up(
            enrollments="""
            section_id,user_id,role,role_id,status
            S1,U1,Peer Tutor,,active
            S1,U1,peer tutor,,active
            S1,U2,student,42,active
            S1,U3,student,77,active
            """,
            with_={"custom_roles": {"Peer Tutor": "student", "42": "ta"}},
        ),
        state=enrolled("C1,S1,U1,Peer Tutor", "C1,S1,U2,42"),
        found=["reject unknown_role enrollments.csv 3 role", "reject unknown_role enrollments.csv 5 role_id"],
    ),
    case(
        "5.7",
        "another section or role adds an enrollment, and moves none",
        world(",S1,U1,student,active"),
        up(enrollments=rows(",S2,U1,student,active", ",S1,U1,ta,active")),
        state=enrolled("C1,S1,U1,student", "C1,S2,U1,student", "C1,S1,U1,ta"),
        closed={},
    ),
    case(
        "5.7",
        "an associated user counts for observers alone, and is not carried over",
        up(BASE),
        up(
            enrollments="""
            section_id,user_id,role,status,associated_user_id
            S1,U1,student,active,U3
            S1,U2,observer,active,U1
            S1,U3,observer,active,
            S1,U3,observer,active,U9
            """
        ),
        state={"enrollments": "user_id,role,associated_user_id\nU1,student,\nU2,observer,U1\nU3,observer,"},
        found=["reject unknown_reference enrollments.csv 5 associated_user_id"],
    ),
    case(
        "5.7",
        "statuses: active, completed, inactive, deleted",
        world(",S1,U1,student,active", ",S1,U2,student,active", ",S1,U3,student,active"),
        up(enrollments=rows(",S1,U1,student,completed", ",S1,U2,student,inactive", ",S1,U3,student,deleted")),
        state={"enrollments": "user_id,status\nU1,completed\nU2,inactive"},
        closed={"enrollments": ["C1/S1/U1/student/ changed", "C1/S1/U2/student/ changed", "C1/S1/U3/student/ deleted"]},
    ),
    case(
        "3",
        "deleting an enrollment that was never there is no error",
        world(",S1,U1,student,deleted"),
        state=enrolled(),
        closed={},
    ),
    case(
        "5.7",
        "the last row wins, deleted then active too",
        world(",S1,U1,student,active", ",S1,U2,student,active"),
        up(
            enrollments=rows(",S1,U1,student,deleted", ",S1,U1,student,active", ",S1,U2,student,active", ",S1,U2,student,deleted")
        ),
        state=enrolled("C1,S1,U1,student"),
        closed={"enrollments": ["C1/S1/U2/student/ deleted"]},
    ),
    case(
        "2",
        "the same row twice is one enrollment, without a word",
        world(",S1,U1,student,active", ",S1,U1,student,active"),
        state=enrolled("C1,S1,U1,student"),
    ),
    case(
        "2",
        "several files of a kind load, the later one last",
        up(BASE),
        up({"enrollments#1": rows(",S1,U1,student,active"), "enrollments#2": rows(",S1,U1,student,completed")}),
        state={"enrollments": "user_id,status\nU1,completed"},
    ),
    case(
        "1",
        "kinds load in their order, whatever the order in the upload",
        up({"enrollments": rows(",S1,U1,student,active"), **BASE}),
        state=enrolled("C1,S1,U1,student"),
    ),
    case(
        "5.7",
        "deleted_last_completed: deleted while there is another, completed if it is the last",
        world(",S1,U1,student,active", ",S1,U2,student,active"),
        up(
            enrollments=rows(
                ",S2,U1,student,active",
                ",S1,U1,student,deleted_last_completed",
                ",S1,U2,student,deleted_last_completed",
                ",S2,U2,student,active",
            )
        ),
        state={"enrollments": "section_id,user_id,status\nS2,U1,active\nS1,U2,completed\nS2,U2,active"},
        closed={"enrollments": ["C1/S1/U1/student/ deleted", "C1/S1/U2/student/ changed"]},
    ),
    case(
        "5.7",
        "deleted_last_completed looks at the same role in the same course",
        world(",S1,U1,student,active", ",S1,U1,ta,active", ",S3,U1,student,active"),
        up(enrollments=rows(",S1,U1,student,deleted_last_completed")),
        state={"enrollments": "section_id,role,status\nS1,student,completed\nS1,ta,active\nS3,student,active"},
    ),
    case(
        "5.7",
        "two at once: the first is deleted, the second one is the last",
        world(",S1,U1,student,active", ",S2,U1,student,active"),
        up(enrollments=rows(",S1,U1,student,deleted_last_completed", ",S2,U1,student,deleted_last_completed")),
        state={"enrollments": "section_id,status\nS2,completed"},
    ),
    case(
        "5.7",
        "a deleted user is not enrolled; deleting the enrollment of one is no error",
        world(",S1,U1,student,active"),
        up(users="user_id,login_id,status\nU1,ann,deleted", enrollments=rows(",S1,U1,student,active", ",S2,U1,student,deleted")),
        state=enrolled(),
        found=["reject deleted_reference enrollments.csv 2 user_id"],
    ),
    case(
        "5.7",
        "nobody is enrolled in a deleted section",
        up(BASE),
        up(
            sections="section_id,course_id,name,status\nS1,C1,,deleted",
            enrollments=rows(",S1,U1,student,active", ",S1,U1,student,deleted"),
        ),
        state=enrolled(),
        found=["reject deleted_reference enrollments.csv 2 section_id"],
    ),
    case(
        "5.7",
        "nobody is enrolled in a deleted course",
        up(BASE),
        up(courses="course_id,short_name,long_name,status\nC1,ART,Art,deleted", enrollments=rows("C1,,U1,student,active")),
        state=enrolled(),
        found=["reject deleted_reference enrollments.csv 2 course_id"],
    ),
    case(
        "5.7",
        "dates count as a pair",
        up(BASE),
        up(enrollments=rows("S1,U1,student,active,2026-08-01,2026-12-01", "S1,U2,student,active,2026-08-01,", columns=DATED)),
        state={"enrollments": "user_id,start_at,end_at\nU1,2026-08-01,2026-12-01\nU2,,"},
        found=["warning bad_date enrollments.csv 3 start_date"],
    ),
    case(
        "5.7",
        "absent date columns keep the dates",
        up(BASE, enrollments=rows("S1,U1,student,active,2026-08-01,2026-12-01", columns=DATED)),
        up(enrollments=rows(",S1,U1,student,completed")),
        state={"enrollments": "user_id,status,start_at,end_at\nU1,completed,2026-08-01,2026-12-01"},
    ),
    case(
        "5.7",
        "blank dates clear",
        up(BASE, enrollments=rows("S1,U1,student,active,2026-08-01,2026-12-01", columns=DATED)),
        up(enrollments=rows("S1,U1,student,active,,", columns=DATED)),
        state={"enrollments": "user_id,start_at,end_at\nU1,,"},
    ),
    case(
        "5.7",
        "a blank limit_section_privileges keeps what is known",
        up(BASE),
        up(enrollments="section_id,user_id,role,status,limit_section_privileges\nS1,U1,ta,active,true\nS1,U1,ta,completed,"),
        up(enrollments="section_id,user_id,role,status,limit_section_privileges\nS1,U1,ta,active,"),
        state={"enrollments": "user_id,status,limit_section_privileges\nU1,active,true"},
    ),
    case(
        "5.7",
        "the last enrollment in a course takes the user out of the course's groups",
        up(
            BASE,
            enrollments=rows(",S1,U1,student,active", ",S2,U1,student,active", ",S1,U2,student,active"),
            groups="group_id,course_id,name,status\nG1,C1,Team,available\nG2,,Club,available",
            groups_membership="group_id,user_id,status\nG1,U1,accepted\nG1,U2,accepted\nG2,U2,accepted",
        ),
        up(enrollments=rows(",S1,U1,student,deleted", ",S1,U2,student,deleted")),
        state={"group_memberships": "group_id,user_id\nG1,U1\nG2,U2"},
        closed={
            "enrollments": ["C1/S1/U1/student/ deleted", "C1/S1/U2/student/ deleted"],
            "group_memberships": ["G1/U2 cascade"],
        },
    ),
    case(
        "5.9",
        "a link enrolls the observer beside each of the student's enrollments",
        up(
            BASE,
            enrollments=rows(",S1,U1,student,active", "C2,,U1,student,completed", ",S2,U1,teacher,active"),
            user_observers="observer_id,student_id,status\nU3,U1,active",
        ),
        state={
            "observers": "observer_id,student_id\nU3,U1",
            "enrollments": """course_id,section_id,user_id,role,associated_user_id,status,cause
            C1,S1,U1,student,,active,
            C1,S1,U3,observer,U1,active,observer_link
            C1,S2,U1,teacher,,active,
            C2,,U1,student,,completed,
            C2,,U3,observer,U1,completed,observer_link
            """,
        },
    ),
    case(
        "5.9",
        "later enrollments of the student enroll the observer, and their end ends the observer's",
        up(BASE, enrollments=rows(",S1,U1,student,active"), user_observers="observer_id,student_id,status\nU3,U1,active"),
        up(enrollments=rows(",S1,U1,student,deleted", ",S2,U1,student,active")),
        state=enrolled("C1,S2,U1,student", "C1,S2,U3,observer"),
        closed={"enrollments": ["C1/S1/U1/student/ deleted", "C1/S1/U3/observer/U1 cascade"]},
    ),
    case(
        "5.9",
        "concluding the student's concludes the observer's, and it comes back with it",
        up(BASE, enrollments=rows(",S1,U1,student,active"), user_observers="observer_id,student_id,status\nU3,U1,active"),
        up(enrollments=rows(",S1,U1,student,deleted")),
        up(enrollments=rows(",S1,U1,student,completed")),
        state={"enrollments": "user_id,status\nU1,completed\nU3,completed"},
    ),
    case(
        "5.7",
        "a row ends an observer's enrollment that follows from a link; it stays away while the student's goes on",
        up(
            BASE,
            enrollments=rows(",S1,U1,student,active", ",S2,U1,student,active"),
            user_observers="observer_id,student_id,status\nU3,U1,active",
        ),
        up(enrollments=rows(",S1,U3,observer,deleted,U1", ",S1,U1,student,active,", columns=ROW + ",associated_user_id")),
        up(enrollments=rows(",S1,U1,student,completed", ",S2,U1,student,completed")),
        state={
            "observers": "observer_id,student_id\nU3,U1",
            "enrollments": "section_id,user_id,status\nS1,U1,completed\nS2,U1,completed\nS2,U3,completed",
        },
    ),
    case(
        "5.9",
        "and comes back with the link's next row, or with the student's next enrollment there",
        up(
            BASE,
            enrollments=rows(",S1,U1,student,active", ",S2,U1,student,active"),
            user_observers="observer_id,student_id,status\nU3,U1,active",
        ),
        up(enrollments=rows(",S1,U3,observer,deleted,U1", ",S2,U3,observer,deleted,U1", columns=ROW + ",associated_user_id")),
        up(enrollments=rows(",S1,U1,student,deleted", ",S1,U1,student,active")),
        state=enrolled("C1,S1,U1,student", "C1,S1,U3,observer", "C1,S2,U1,student"),
    ),
    case(
        "5.9",
        "a district may keep links alone, without the enrollments that follow",
        up(BASE, enrollments=rows(",S1,U1,student,active"), with_={"observer_enrollments": False}),
        up(user_observers="observer_id,student_id,status\nU3,U1,active", with_={"observer_enrollments": False}),
        up(enrollments=rows(",S2,U1,student,active"), with_={"observer_enrollments": False}),
        state={"observers": "observer_id,student_id\nU3,U1", **enrolled("C1,S1,U1,student", "C1,S2,U1,student")},
    ),
    case(
        "5.9",
        "a link's row enrolls the observer again",
        up(BASE, enrollments=rows(",S1,U1,student,active"), user_observers="observer_id,student_id,status\nU3,U1,active"),
        up(enrollments=rows(",S1,U3,observer,deleted,U1", columns=ROW + ",associated_user_id")),
        up(user_observers="observer_id,student_id,status\nU3,U1,active"),
        state=enrolled("C1,S1,U1,student", "C1,S1,U3,observer"),
    ),
    case(
        "5.9",
        "of one upload's rows about student and observer, the later one has the last word",
        up(BASE, user_observers="observer_id,student_id,status\nU3,U1,active"),
        up(
            enrollments=rows(
                ",S1,U1,student,active,",
                ",S1,U3,observer,deleted,U1",
                ",S2,U3,observer,deleted,U1",
                ",S2,U1,student,active,",
                columns=ROW + ",associated_user_id",
            )
        ),
        state=enrolled("C1,S1,U1,student", "C1,S2,U1,student", "C1,S2,U3,observer"),
    ),
    case(
        "5.9",
        "what an upload begins and ends for the student, it ends for the observer",
        up(BASE, user_observers="observer_id,student_id,status\nU3,U1,active"),
        up(
            enrollments=rows(
                ",S1,U3,observer,active,U1",
                ",S1,U1,student,active,",
                ",S1,U1,student,deleted,",
                columns=ROW + ",associated_user_id",
            )
        ),
        state=enrolled(),
    ),
    case(
        "5.9",
        "the end of a link takes the observer's enrollments away",
        up(BASE, enrollments=rows(",S1,U1,student,active"), user_observers="observer_id,student_id,status\nU3,U1,active"),
        up(user_observers="observer_id,student_id,status\nU3,U1,deleted"),
        state={"observers": "observer_id", **enrolled("C1,S1,U1,student")},
        closed={"observers": ["U3/U1 deleted"], "enrollments": ["C1/S1/U3/observer/U1 cascade"]},
    ),
    case(
        "5.9",
        "both must be there and differ, as persons too, and a link that is not there cannot end",
        up(BASE, logins="user_id,login_id,existing_user_id\nL1,x,U1"),
        up(
            user_observers="""
            observer_id,student_id,status
            U9,U1,active
            U1,U1,active
            L1,U1,active
            U3,U1,deleted
            """
        ),
        state={"observers": "observer_id"},
        found=[
            "reject unknown_reference user_observers.csv 2 observer_id",
            "reject self_reference user_observers.csv 3 observer_id",
            "reject self_reference user_observers.csv 4 observer_id",
            "reject not_linked user_observers.csv 5",
        ],
    ),
    case(
        "5.9",
        "a deleted user is not linked",
        up(BASE),
        up(users="user_id,login_id,status\nU3,cy,deleted", user_observers="observer_id,student_id,status\nU3,U1,active"),
        state={"observers": "observer_id"},
        found=["reject deleted_reference user_observers.csv 2 observer_id"],
    ),
    case(
        "5.9",
        "an observer's enrollments follow the student's section into another course",
        up(BASE, enrollments=rows(",S1,U1,student,active"), user_observers="observer_id,student_id,status\nU3,U1,active"),
        up(xlists="xlist_course_id,section_id,status\nC2,S1,active"),
        state=enrolled("C2,S1,U1,student", "C2,S1,U3,observer"),
    ),
    case(
        "6.1",
        "skip_deletes leaves out rows whose status contains deleted",
        world(",S1,U1,student,active", ",S1,U2,student,active"),
        up(
            enrollments=rows(",S1,U1,student,deleted", ",S1,U2,student,deleted_last_completed", ",S2,U1,student,active"),
            users="user_id,login_id,status\nU3,cy,deleted",
            with_={"skip_deletes": True},
        ),
        state={**enrolled("C1,S1,U1,student", "C1,S1,U2,student", "C1,S2,U1,student"), "users": "user_id\nU1\nU2\nU3"},
        closed={},
    ),
    case(
        "8.5",
        "a row that did not fit is tried again in each import, and released when it fits",
        world(",S1,U4,student,active"),
        up(accounts="account_id,parent_account_id,name,status\nA,,D,active"),
        up(users="user_id,login_id,status\nU4,di,active"),
        state=enrolled("C1,S1,U4,student"),
        found=["info released enrollments.csv 2"],
    ),
    case(
        "8.5",
        "one that still does not fit yields no new finding",
        world(",S1,U4,student,active"),
        up(users="user_id,login_id,status\nU5,ed,active"),
        state=enrolled(),
        found=[],
    ),
    case(
        "8.5",
        "it leaves the quarantine as soon as a later row with its key is read",
        world(",S1,U4,student,active"),
        up({"enrollments#2": rows("C1,,U1,student,active", ",S1,U4,student,deleted")}),
        up(users="user_id,login_id,status\nU4,di,active"),
        state=enrolled("C1,,U1,student"),
        found=["info released enrollments#2.csv 3"],
    ),
    *(
        case(
            "8.5",
            f"a newer row about its record may say so in other words: {how}",
            world(first),
            up({"enrollments#2": second}),
            up(users="user_id,login_id,status\nU4,di,active"),
            state=enrolled(),
            found=["info released enrollments#2.csv 2"],
        )
        for how, first, second in (
            ("with the course", ",S1,U4,student,active", rows("C1,S1,U4,student,deleted")),
            ("without it", "C1,S1,U4,student,active", rows(",S1,U4,student,deleted")),
            ("another case of the role", ",S1,U4,student,active", rows(",S1,U4,Student,deleted")),
            ("the type's name", ",S1,U4,student,active", rows(",S1,U4,StudentEnrollment,deleted")),
            (
                "an associated user that does not count",
                ",S1,U4,student,active",
                "section_id,user_id,role,status,associated_user_id\nS1,U4,student,deleted,U1",
            ),
        )
    ),
    case(
        "8.5",
        "the second id, and the id of a further login, name the person too",
        world(",S9,U1,ta,active", ",S9,U2,ta,active"),
        up(
            users="user_id,login_id,status,integration_id\nU1,ann,active,i1",
            logins="user_id,login_id,existing_user_id\nL2,bobb,U2",
        ),
        up({"enrollments#2": "section_id,user_integration_id,user_id,role,status\nS9,i1,,ta,deleted\nS9,,L2,ta,deleted"}),
        up(sections="section_id,course_id,name,status\nS9,C1,Nine,active"),
        state=enrolled(),
        found=["info released enrollments#2.csv 2", "info released enrollments#2.csv 3"],
    ),
    case(
        "8.5",
        "a row about another record takes nobody's place",
        world(",S1,U4,student,active", "C1,,U4,student,active"),
        up({"enrollments#2": rows(",S1,U4,ta,deleted", ",S2,U4,student,deleted")}),
        up(users="user_id,login_id,status\nU4,di,active"),
        state=enrolled("C1,S1,U4,student", "C1,,U4,student"),
        found=[
            "info released enrollments#2.csv 2",
            "info released enrollments#2.csv 3",
            "info released enrollments.csv 2",
            "info released enrollments.csv 3",
        ],
    ),
]


@pytest.mark.parametrize("line", CASES, ids=lambda c: f"{c.section} {c.name}")
def test_enrollments_and_observers(line: Case) -> None:
    run(line)
