"""How rows of courses, sections and cross-listing are applied (behaviour: sections 5.4 to 5.6)."""

from __future__ import annotations

import pytest

from tests.vendors.canvas.folding import Case, case, run, up

BASE = {
    "accounts": "account_id,parent_account_id,name,status\nA,,D,active\nB,A,S,active",
    "terms": "term_id,name,status\nT1,Fall,active\nT2,Spring,active",
    "courses": """
        course_id,short_name,long_name,account_id,term_id,status,start_date
        C1,ART,Art,A,T1,active,2026-08-01
        C2,BIO,Biology,A,T1,active,
        C3,CHE,Chemistry,A,T2,active,
    """,
    "sections": """
        section_id,course_id,name,status,start_date
        S1,C1,One,active,2026-08-01
        S2,C1,Two,active,
        S3,C2,Three,active,
    """,
    "users": "user_id,login_id,status\nU1,ann,active\nU2,bob,active",
    "enrollments": """
        course_id,section_id,user_id,role,status
        ,S1,U1,student,active
        ,S2,U2,student,active
        C1,,U2,teacher,active
    """,
}
COURSE = "course_id,short_name,long_name,status"
PLACES = "section_id,course_id,home_course_id"
ENROLLED = "course_id,section_id,user_id"


def courses(*rows: str, columns: str = COURSE) -> str:
    return "\n".join([columns, *rows])


TWO_COURSES = "course_id,short_name,long_name,status\nC1,ART,Art,active\nC2,BIO,Biology,active"
TWO_SECTIONS = "section_id,course_id,name,status\nS1,C1,Art 1,active\nS1,C2,Biology 1,active"
CASES = [
    case(
        "5.5",
        "two sections under one id: the first row stands; an enrollment says by its course which one is meant, or is rejected",
        up(
            courses=TWO_COURSES,
            sections=TWO_SECTIONS,
            users="user_id,login_id,status\nU1,ann,active\nU2,bob,active\nU3,cy,active",
            enrollments="course_id,section_id,user_id,role,status\nC1,S1,U1,student,active\nC2,S1,U2,student,active\n,S1,U3,student,active",
        ),
        state={"sections": "section_id,course_id,name\nS1,C1,Art 1", "enrollments": "user_id,section_id\nU1,S1"},
        found=[
            "reject duplicate_key sections.csv 3 section_id",
            "reject unrelated_section enrollments.csv 3 section_id",
            "reject unknown_reference enrollments.csv 4 section_id",
        ],
    ),
    case(
        "5.5",
        "a section of one id that moves within an upload keeps its name",
        up(courses=TWO_COURSES, sections="section_id,course_id,name,status\nS1,C1,Art 1,active\nS1,C2,Art 1,active"),
        state={"sections": "section_id,course_id,name\nS1,C2,Art 1"},
    ),
    case(
        "5.4",
        "a course has the account and the term that it names, the root and the default term otherwise",
        up(BASE),
        up(courses=courses("C9,PE,Sports,active,,not_set", columns=f"{COURSE},account_id,course_format")),
        state={
            "courses": """course_id,organization_id,term_id,short_name,name,status,format
            C1,A,T1,ART,Art,active,
            C2,A,T1,BIO,Biology,active,
            C3,A,T2,CHE,Chemistry,active,
            C9,,,PE,Sports,active,not_set
            """
        },
    ),
    case(
        "5.4",
        "an unknown account refuses the row, unless a fallback is there",
        up(BASE),
        up(
            courses="""
            course_id,short_name,long_name,account_id,fallback_account_id,status
            C1,ART,Art,X,,active
            C2,BIO,Biology,X,B,active
            C3,CHE,Chemistry,X,Y,active
            """
        ),
        state={"courses": "course_id,organization_id\nC1,A\nC2,B\nC3,A"},
        found=["reject unknown_reference courses.csv 2 account_id", "reject unknown_reference courses.csv 4 account_id"],
    ),
    case(
        "5.4",
        "nothing moves to a deleted account",
        up(BASE),
        up(
            accounts="account_id,parent_account_id,name,status\nB,A,S,deleted",
            courses=courses(
                "C1,ART,Art,B,active", "C9,PE,Sports,B,active", columns="course_id,short_name,long_name,account_id,status"
            ),
        ),
        state={"courses": "course_id,organization_id\nC1,A\nC2,A\nC3,A\nC9,"},
        found=["warning deleted_reference courses.csv 2 account_id", "warning deleted_reference courses.csv 3 account_id"],
    ),
    case(
        "5.4",
        "a course whose own account is deleted cannot come back",
        up(
            courses=courses("C9,PE,Sports,B,active", columns="course_id,short_name,long_name,account_id,status"),
            accounts=BASE["accounts"],
        ),
        up(courses=courses("C9,PE,Sports,deleted")),
        up(accounts="account_id,parent_account_id,name,status\nB,A,S,deleted", courses=courses("C9,PE,Sports,active")),
        state={"courses": "course_id"},
        found=["reject deleted_parent courses.csv 2 account_id"],
    ),
    case(
        "5.4",
        "a term that is not there leaves the term as it is, with a warning",
        up(BASE),
        up(
            terms="term_id,name,status\nT3,Gone,active\nT3,Gone,deleted",
            courses=courses(
                "C1,ART,Art,T9,active",
                "C2,BIO,Biology,T3,active",
                "C9,PE,Sports,T9,active",
                columns="course_id,short_name,long_name,term_id,status",
            ),
        ),
        state={"courses": "course_id,term_id\nC1,T1\nC2,T1\nC3,T2\nC9,"},
        found=[
            "warning unknown_reference courses.csv 2 term_id",
            "warning deleted_reference courses.csv 3 term_id",
            "warning unknown_reference courses.csv 4 term_id",
        ],
    ),
    case(
        "5.4",
        "a course that comes back after its term is gone is in the default term",
        up(BASE),
        up(courses=courses("C3,CHE,Chemistry,deleted")),
        up(terms="term_id,name,status\nT2,Spring,deleted", courses=courses("C3,CHE,Chemistry,active")),
        state={"courses": "course_id,term_id\nC1,T1\nC2,T1\nC3,"},
    ),
    case(
        "5.4",
        "dates: absent keeps, blank and <delete> clear",
        up(BASE),
        up(courses=courses("C1,ART,Art,active")),
        up(courses=courses("C2,BIO,Biology,active,2026-09-01", "C1,ART,Art,active,<delete>", columns=f"{COURSE},start_date")),
        state={"courses": "course_id,start_at\nC1,\nC2,2026-09-01\nC3,"},
    ),
    case(
        "5.4",
        "an absent date column keeps the date",
        up(BASE),
        up(courses=courses("C1,ART2,Art,active")),
        state={"courses": "course_id,short_name,start_at\nC1,ART2,2026-08-01\nC2,BIO,\nC3,CHE,"},
    ),
    case(
        "5.4",
        "completed and active again; unpublished and published are active",
        up(BASE),
        up(courses=courses("C1,ART,Art,completed", "C2,BIO,Biology,unpublished", "C3,CHE,Chemistry,published")),
        up(courses=courses("C2,BIO,Biology,completed", "C2,BIO,Biology,active")),
        state={
            "courses": "course_id,status\nC1,completed\nC2,active\nC3,active",
            "enrollments": f"{ENROLLED}\nC1,,U2\nC1,S1,U1\nC1,S2,U2",
        },
        closed={},
    ),
    case(
        "5.4",
        "a deleted course takes its enrollments along, and comes back without them",
        up(BASE),
        up(courses=courses("C1,ART,Art,deleted")),
        up(courses=courses("C1,ART,Art,active")),
        state={
            "courses": "course_id,organization_id\nC1,A\nC2,A\nC3,A",
            "enrollments": "user_id",
            "sections": "section_id\nS1\nS2\nS3",
        },
    ),
    case(
        "5.4",
        "the enrollments of a deleted course close as its consequence",
        up(BASE),
        up(courses=courses("C1,ART,Art,deleted")),
        state={"enrollments": "user_id"},
        closed={
            "courses": ["C1 deleted"],
            "enrollments": ["C1//U2/teacher/ cascade", "C1/S1/U1/student/ cascade", "C1/S2/U2/student/ cascade"],
        },
    ),
    case(
        "5.4",
        "homeroom and blueprint: blank keeps, dissociate removes the link",
        up(courses=courses("C1,ART,Art,active,BP,true", columns=f"{COURSE},blueprint_course_id,homeroom_course")),
        up(courses=courses("C1,ART,Art,active,,", columns=f"{COURSE},blueprint_course_id,homeroom_course")),
        up(courses=courses("C1,ART,Art,active,dissociate,", columns=f"{COURSE},blueprint_course_id,homeroom_course")),
        state={"courses": "course_id,blueprint_course_id,is_homeroom\nC1,,true"},
    ),
    case(
        "5.4",
        "an integration id belongs to one course",
        up(courses=courses("C1,ART,Art,active,i1", "C2,BIO,Biology,active,i1", columns=f"{COURSE},integration_id")),
        state={"courses": "course_id\nC1"},
        found=["reject integration_id_taken courses.csv 3 integration_id"],
    ),
    case(
        "5.4",
        "a course that ends lets its integration id go, and comes back only without it",
        up(courses=courses("C1,ART,Art,active,i1", columns=f"{COURSE},integration_id")),
        up(courses=courses("C1,ART,Art,deleted,i1", "C2,BIO,Biology,active,i1", columns=f"{COURSE},integration_id")),
        up(courses=courses("C1,ART,Art,active")),
        state={"courses": "course_id,integration_id\nC2,i1"},
        found=["reject integration_id_taken courses.csv 2 integration_id"],
    ),
    case(
        "5.5",
        "a section that ends lets its integration id go, and comes back only without it",
        up(BASE, sections="section_id,course_id,name,status,integration_id\nS8,C1,x,active,i1"),
        up(sections="section_id,course_id,name,status,integration_id\nS8,C1,x,deleted,i1\nS9,C1,y,active,i1"),
        up(sections="section_id,course_id,name,status\nS8,C1,x,active"),
        state={},
        closed={},
        found=["reject integration_id_taken sections.csv 2 integration_id"],
    ),
    case(
        "5.5",
        "a section needs its course, and what follows from a refused course says so",
        up(
            courses="course_id,short_name,long_name,account_id,status\nC1,ART,Art,X,active",
            sections="section_id,course_id,name,status\nS1,C1,One,active\nS2,C9,Two,active",
        ),
        state={"sections": "section_id"},
        found=[
            "reject unknown_reference courses.csv 2 account_id",
            "reject unknown_reference sections.csv 2 course_id",
            "reject unknown_reference sections.csv 3 course_id",
        ],
    ),
    case(
        "5.5",
        "a section of a deleted course is taken, with a warning",
        up(BASE),
        up(courses=courses("C3,CHE,Chemistry,deleted"), sections="section_id,course_id,name,status\nS9,C3,Nine,active"),
        state={"sections": f"{PLACES}\nS1,C1,C1\nS2,C1,C1\nS3,C2,C2\nS9,C3,C3"},
        found=["warning deleted_reference sections.csv 2 course_id"],
    ),
    case(
        "5.5",
        "a section that moves into a deleted course loses its enrollments",
        up(BASE),
        up(courses=courses("C3,CHE,Chemistry,deleted"), sections="section_id,course_id,name,status\nS1,C3,One,active"),
        state={"sections": f"{PLACES}\nS1,C3,C3\nS2,C1,C1\nS3,C2,C2"},
        closed={"courses": ["C3 deleted"], "sections": ["S1 changed"], "enrollments": ["C1/S1/U1/student/ cascade"]},
        found=["warning deleted_reference sections.csv 2 course_id"],
    ),
    case(
        "5.5",
        "an active section needs its name; a delete needs none, and takes the enrollments along",
        up(BASE),
        up(sections="section_id,course_id,name,status\nS1,C1,,active\nS2,C1,,deleted"),
        state={"sections": "section_id,name\nS1,One\nS3,Three"},
        closed={"sections": ["S2 deleted"], "enrollments": ["C1/S2/U2/student/ cascade"]},
        found=["reject missing_required sections.csv 2 name"],
    ),
    case(
        "5.5",
        "another course moves the section with its enrollments",
        up(BASE),
        up(sections="section_id,course_id,name,status\nS1,C2,One,active"),
        state={"sections": f"{PLACES}\nS1,C2,C2\nS2,C1,C1\nS3,C2,C2", "enrollments": f"{ENROLLED}\nC1,,U2\nC1,S2,U2\nC2,S1,U1"},
        closed={"sections": ["S1 changed"], "enrollments": ["C1/S1/U1/student/ changed"]},
    ),
    case(
        "5.5",
        "dates: blank clears, absent keeps",
        up(BASE),
        up({"sections": "section_id,course_id,name,status\nS1,C1,Uno,active"}),
        state={"sections": "section_id,name,start_at\nS1,Uno,2026-08-01\nS2,Two,\nS3,Three,"},
    ),
    case(
        "5.5",
        "a blank date clears",
        up(BASE),
        up(sections="section_id,course_id,name,status,start_date\nS1,C1,One,active,"),
        state={"sections": "section_id,start_at\nS1,\nS2,\nS3,"},
    ),
    case(
        "3",
        "deleting a section that was never seen is no error",
        up(BASE),
        up(sections="section_id,course_id,name,status\nS9,C1,Nine,deleted"),
        state={"sections": "section_id\nS1\nS2\nS3"},
        closed={},
    ),
    case(
        "5.6",
        "cross-listing moves the section and its enrollments, and remembers home",
        up(BASE),
        up(xlists="xlist_course_id,section_id,status\nC2,S1,active"),
        state={"sections": f"{PLACES}\nS1,C2,C1\nS2,C1,C1\nS3,C2,C2", "enrollments": f"{ENROLLED}\nC1,,U2\nC1,S2,U2\nC2,S1,U1"},
    ),
    case(
        "5.6",
        "the first home is kept through any number of moves, and cross-listing twice is once",
        up(BASE),
        up(xlists="xlist_course_id,section_id,status\nC2,S1,active\nC3,S1,active\nC3,S1,active"),
        up(xlists="xlist_course_id,section_id,status\nC3,S1,deleted"),
        state={"sections": f"{PLACES}\nS1,C1,C1\nS2,C1,C1\nS3,C2,C2", "enrollments": f"{ENROLLED}\nC1,,U2\nC1,S1,U1\nC1,S2,U2"},
    ),
    case(
        "5.6",
        "an unknown course is made like the section's course",
        up(BASE),
        up(xlists="xlist_course_id,section_id,status\nX1,S1,active"),
        state={
            "courses": """course_id,organization_id,term_id,short_name,name,start_at,status
            C1,A,T1,ART,Art,2026-08-01,active
            C2,A,T1,BIO,Biology,,active
            C3,A,T2,CHE,Chemistry,,active
            X1,A,T1,ART,Art,2026-08-01,active
            """,
            "sections": f"{PLACES}\nS1,X1,C1\nS2,C1,C1\nS3,C2,C2",
        },
    ),
    *(
        case(
            "5.4",
            f"a course that cross-listing made follows the section's course, where the district wants it: {wanted}",
            up(
                accounts="account_id,parent_account_id,name,status\nA,,D,active",
                courses="course_id,short_name,long_name,status,account_id\nC1,ART,Art,active,\nC2,BIO,Biology,active,",
                sections="section_id,course_id,name,status\nS1,C1,One,active\nS2,C2,Two,active",
                xlists="xlist_course_id,section_id,status\nX1,S1,active\nX1,S2,active\nX2,S2,active",
            ),
            up(courses="course_id,short_name,long_name,status\nX1,ARX,,active"),
            up(
                courses="course_id,short_name,long_name,status,account_id,start_date\nC1,ART2,Art II,completed,A,2026-08-01\n"
                "C2,BIO,Life,active,A,",
                with_={} if wanted == "yes" else {"mirror_cross_listed_courses": False},
            ),
            state={
                "courses": "course_id,short_name,name,organization_id,start_at,status\n"
                "C1,ART2,Art II,A,2026-08-01,completed\nC2,BIO,Life,A,,active\n" + then
            },
        )
        for wanted, then in (
            ("yes", "X1,ARX,Art II,A,2026-08-01,active\nX2,ART,Art,,,active"),
            ("no", "X1,ARX,Art,,,active\nX2,ART,Art,,,active"),
        )
    ),
    case(
        "5.6",
        "a deleted course is revived",
        up(BASE),
        up(courses=courses("C3,CHE,Chemistry,deleted"), xlists="xlist_course_id,section_id,status\nC3,S1,active"),
        state={"courses": "course_id,name\nC1,Art\nC2,Biology\nC3,Chemistry"},
        closed={"sections": ["S1 changed"], "enrollments": ["C1/S1/U1/student/ changed"]},
    ),
    case(
        "5.6",
        "an unknown section is refused, a deleted one too",
        up(BASE),
        up(
            sections="section_id,course_id,name,status\nS2,C1,,deleted",
            xlists="xlist_course_id,section_id,status\nC2,S9,active\nC2,S2,active",
        ),
        state={"sections": "section_id\nS1\nS3"},
        found=["reject deleted_reference xlists.csv 3 section_id", "reject unknown_reference xlists.csv 2 section_id"],
    ),
    case(
        "5.6",
        "undoing where the section is not does nothing, undoing with a course that never was sends it home",
        up(BASE, xlists="xlist_course_id,section_id,status\nC2,S1,active\nC2,S2,active"),
        up(xlists="xlist_course_id,section_id,status\nC3,S1,deleted\nX9,S2,deleted"),
        state={"sections": f"{PLACES}\nS1,C2,C1\nS2,C1,C1\nS3,C2,C2"},
    ),
    case(
        "5.6",
        "a row of sections that names home keeps the cross-listing",
        up(BASE, xlists="xlist_course_id,section_id,status\nC2,S1,active"),
        up(sections="section_id,course_id,name,status\nS1,C1,Uno,active"),
        state={"sections": f"{PLACES},name\nS1,C2,C1,Uno\nS2,C1,C1,Two\nS3,C2,C2,Three"},
    ),
    case(
        "5.6",
        "one that names another course ends it",
        up(BASE, xlists="xlist_course_id,section_id,status\nC2,S1,active"),
        up(sections="section_id,course_id,name,status\nS1,C3,Uno,active"),
        state={"sections": f"{PLACES}\nS1,C3,C3\nS2,C1,C1\nS3,C2,C2", "enrollments": f"{ENROLLED}\nC1,,U2\nC1,S2,U2\nC3,S1,U1"},
    ),
    case(
        "5.6",
        "one that names home while the other course is deleted brings the section home",
        up(BASE, xlists="xlist_course_id,section_id,status\nC2,S1,active"),
        up(courses=courses("C2,BIO,Biology,deleted"), sections="section_id,course_id,name,status\nS1,C1,Uno,active"),
        state={"sections": f"{PLACES}\nS1,C1,C1\nS2,C1,C1\nS3,C2,C2"},
    ),
    case(
        "5.6",
        "enrollments that name home and section land where the section is",
        up(BASE, xlists="xlist_course_id,section_id,status\nC2,S1,active"),
        up(
            enrollments="course_id,section_id,user_id,role,status\nC1,S1,U2,ta,active\nC2,S1,U2,designer,active\nC3,S1,U2,student,active"
        ),
        state={
            "enrollments": f"{ENROLLED},role\nC1,,U2,teacher\nC1,S2,U2,student\nC2,S1,U1,student\nC2,S1,U2,designer\nC2,S1,U2,ta"
        },
        found=["reject unrelated_section enrollments.csv 4 section_id"],
    ),
    case(
        "5.6",
        "naming only home finds the section that left it, where there is no default section",
        up(
            courses=courses("C1,ART,Art,active", "C2,BIO,Biology,active"),
            sections="section_id,course_id,name,status\nS1,C1,One,active",
            users="user_id,login_id,status\nU1,ann,active",
            xlists="xlist_course_id,section_id,status\nC2,S1,active",
        ),
        up(enrollments="course_id,user_id,role,status\nC1,U1,student,active"),
        state={"enrollments": f"{ENROLLED}\nC2,S1,U1"},
    ),
    case(
        "5.6",
        "a section of a cross-listed one's course is not lost when a cross-listed section is cross-listed on",
        up(BASE, xlists="xlist_course_id,section_id,status\nC2,S1,active"),
        up(
            xlists="xlist_course_id,section_id,status\nC3,S1,active",
            sections="section_id,course_id,name,status\nS1,C1,One,active",
        ),
        state={"sections": f"{PLACES}\nS1,C3,C1\nS2,C1,C1\nS3,C2,C2"},
    ),
]


@pytest.mark.parametrize("line", CASES, ids=lambda c: f"{c.section} {c.name}")
def test_courses_and_sections(line: Case) -> None:
    run(line)
