"""How ids change (behaviour: section 5.11)."""

from __future__ import annotations

import pytest

from tests.vendors.canvas.folding import Case, case, run, up

BASE = {
    "accounts": "account_id,parent_account_id,name,status\nA,,D,active\nB,A,S,active",
    "terms": "term_id,name,status,date_override_enrollment_type,start_date\nT1,Fall,active,,\nT1,,active,TaEnrollment,2026-08-02",
    "courses": """
        course_id,short_name,long_name,account_id,term_id,status,blueprint_course_id,integration_id
        C1,ART,Art,B,T1,active,,ic1
        C2,BIO,Biology,B,T1,active,C1,ic2
    """,
    "sections": "section_id,course_id,name,status\nS1,C1,One,active\nS2,C1,Two,active",
    "xlists": "xlist_course_id,section_id,status\nC2,S2,active",
    "users": "user_id,login_id,status,integration_id\nU1,ann,active,i1\nU2,bob,active,i2\nU3,cy,active,",
    "logins": "user_id,login_id,existing_user_id\nL1,annb,U1",
    "enrollments": "section_id,user_id,role,status,associated_user_id\nS1,U1,student,active,\nS1,U2,observer,active,U1",
    "admins": "user_id,account_id,role,status\nU1,B,AccountAdmin,active",
    "group_categories": "group_category_id,course_id,category_name,status\nK1,C1,Teams,active",
    "groups": "group_id,group_category_id,name,status\nG1,K1,One,available",
    "groups_membership": "group_id,user_id,status\nG1,U1,accepted",
    "user_observers": "observer_id,student_id,status\nU2,U1,active",
}
HEADER = "old_id,new_id,type"
LONG = "old_id,new_id,old_integration_id,new_integration_id,type"


def change(*rows: str, columns: str = HEADER) -> str:
    return "\n".join([columns, *rows])


NEW_SECTION = "section_id,course_id,name,status\nS9,C1,Nine,active"
PLACED = "section_id,user_id,role,associated_user_id"
CASES = [
    case(
        "5.11",
        "a user's new id goes everywhere, and the history says why",
        up(BASE),
        up(change_sis_id=change("U1,N1, User ")),
        state={
            "users": "user_id,username\nN1,ann\nU2,bob\nU3,cy",
            "logins": "login_user_id,user_id\nL1,N1",
            "enrollments": "user_id,role,associated_user_id\nN1,student,\nU2,observer,N1",
            "user_roles": "user_id\nN1",
            "group_memberships": "user_id\nN1",
            "observers": "observer_id,student_id\nU2,N1",
            "id_changes": "entity,old_id,new_id\nusers,U1,N1",
        },
        closed={
            "users": ["U1 renamed"],
            "logins": ["L1 changed"],
            "enrollments": ["C1/S1/U1/student/ renamed", "C1/S1/U2/observer/U1 renamed"],
            "user_roles": ["U1/B/AccountAdmin renamed"],
            "group_memberships": ["G1/U1 renamed"],
            "observers": ["U2/U1 renamed"],
        },
    ),
    case(
        "5.11",
        "a course's new id goes everywhere",
        up(BASE),
        up(change_sis_id=change("C1,D1,course")),
        state={
            "courses": "course_id,blueprint_course_id\nC2,D1\nD1,",
            "sections": "section_id,course_id,home_course_id\nS1,D1,D1\nS2,C2,D1",
            "enrollments": "course_id\nD1\nD1",
            "group_categories": "course_id\nD1",
            "groups": "course_id\nD1",
        },
    ),
    case(
        "5.11",
        "accounts, terms, sections, groups and sets of groups",
        up(BASE),
        up(change_sis_id=change("B,X,account", "T1,Y,term", "S1,Z,section", "G1,V,group", "K1,W,group_category")),
        state={
            "organizations": "organization_id,parent_organization_id\nA,\nX,A",
            "terms": "term_id\nY",
            "term_dates": "term_id,enrollment_type\nY,TaEnrollment",
            "courses": "course_id,organization_id,term_id\nC1,X,Y\nC2,X,Y",
            "user_roles": "organization_id\nX",
            "sections": "section_id\nS2\nZ",
            "enrollments": "section_id\nZ\nZ",
            "groups": "group_id,group_category_id\nV,W",
            "group_categories": "group_category_id\nW",
            "group_memberships": "group_id\nV",
        },
    ),
    case(
        "5.11",
        "a chain and a swap through a third id",
        up(BASE),
        up(change_sis_id=change("U1,TMP,user", "U2,U1,user", "TMP,U2,user", "U3,M1,user", "M1,M2,user")),
        state={
            "users": "user_id,username\nM2,cy\nU1,bob\nU2,ann",
            "enrollments": "user_id,role,associated_user_id\nU1,observer,U2\nU2,student,",
            "id_changes": "old_id,new_id\nM1,M2\nTMP,U2\nU1,TMP\nU2,U1\nU3,M1",
        },
    ),
    case(
        "5.11",
        "renames come first: the rest of the upload uses the new ids, and may use the old one for somebody else",
        up(BASE),
        up(
            change_sis_id=change("U1,M1,user", "M1,N1,user"),
            users="user_id,login_id,status\nN1,ann2,active\nU1,dora,active",
            enrollments="section_id,user_id,role,status\nS1,N1,ta,active\nS1,U1,ta,active",
        ),
        state={
            "users": "user_id,username\nN1,ann2\nU1,dora\nU2,bob\nU3,cy",
            "enrollments": "user_id,role,associated_user_id\nN1,student,\nN1,ta,\nU1,ta,\nU2,observer,N1",
        },
    ),
    case(
        "5.11",
        "a new id in use refuses the row, one of a deleted record too",
        up(BASE),
        up(users="user_id,login_id,status\nU3,cy,deleted"),
        up(change_sis_id=change("U1,U2,user", "U1,U3,user", "U1,L1,user", "C1,U2,course")),
        state={"users": "user_id\nU1\nU2", "courses": "course_id\nC2\nU2"},
        found=[
            "reject already_exists change_sis_id.csv 2 new_id",
            "reject already_exists change_sis_id.csv 3 new_id",
            "reject already_exists change_sis_id.csv 4 new_id",
        ],
    ),
    case(
        "5.11",
        "an old id that is not there, and two old ids that disagree",
        up(BASE),
        up(change_sis_id=change("U9,N1,,,user", "U1,N1,i2,,user", ",N2,i9,,user", "U1,N1,i1,,user", columns=LONG)),
        state={"users": "user_id\nN1\nU2\nU3"},
        found=[
            "reject unknown_reference change_sis_id.csv 2 old_id",
            "reject id_mismatch change_sis_id.csv 3 old_id",
            "reject unknown_reference change_sis_id.csv 4 old_integration_id",
        ],
    ),
    case(
        "5.11",
        "integration ids change, move and go; sets of groups have none",
        up(BASE),
        up(
            change_sis_id=change(
                ",,i1,i9,user", "U2,,,<delete>,user", "U3,,,i2,user", "C1,,,ic2,course", "K1,,,x,group_category", columns=LONG
            )
        ),
        state={"users": "user_id,integration_id\nU1,i9\nU2,\nU3,i2", "courses": "course_id,integration_id\nC1,ic1\nC2,ic2"},
        found=[
            "reject integration_id_taken change_sis_id.csv 5 new_integration_id",
            "reject bad_value change_sis_id.csv 6 new_integration_id",
        ],
    ),
    case(
        "5.11",
        "the id of a further login changes too",
        up(BASE),
        up(change_sis_id=change("L1,M1,user"), users="user_id,login_id,status\nM1,annc,active"),
        state={"logins": "login_user_id,user_id,username\nM1,U1,annc", "id_changes": "entity,old_id,new_id\nlogins,L1,M1"},
        closed={"logins": ["L1 renamed"]},
    ),
    case(
        "5.11",
        "an id that a record left behind is free: a new record does not inherit anything",
        up(BASE),
        up(change_sis_id=change("U1,N1,user")),
        up(users="user_id,login_id,status\nU1,dora,active"),
        state={"users": "user_id,username,full_name,integration_id\nN1,ann,ann,i1\nU1,dora,dora,\nU2,bob,bob,i2\nU3,cy,cy,"},
        closed={},
    ),
    case(
        "5.11",
        "rows that wait in the quarantine follow their records' new ids",
        up(BASE),
        up(enrollments="section_id,user_id,role,status,associated_user_id\nS9,U1,ta,active,\nS9,U2,observer,active,U1"),
        up(change_sis_id=change("U1,N1,user")),
        up(change_sis_id=change("N1,M1,user"), users="user_id,login_id,status\nU1,dora,active", sections=NEW_SECTION),
        state={"enrollments": f"{PLACED}\nS1,M1,student,\nS1,U2,observer,M1\nS9,M1,ta,\nS9,U2,observer,M1"},
        found=["info released enrollments.csv 2", "info released enrollments.csv 3"],
    ),
    case(
        "5.11",
        "rows that wait follow a swap, and one back: each change counts from its import on",
        up(BASE),
        up(change_sis_id=change("U1,TMP,user", "U2,U1,user", "TMP,U2,user")),
        up(enrollments="section_id,user_id,role,status\nS9,U1,ta,active"),
        up(change_sis_id=change("U1,TMP,user", "U2,U1,user", "TMP,U2,user")),
        up(sections=NEW_SECTION),
        state={
            "users": "user_id,username\nU1,ann\nU2,bob\nU3,cy",
            "enrollments": "section_id,user_id,role\nS1,U1,student\nS1,U2,observer\nS9,U2,ta",
        },
        found=["info released enrollments.csv 2"],
    ),
    case(
        "5.11",
        "a row that waits gives way to a newer one under the new id",
        up(BASE),
        up(enrollments="section_id,user_id,role,status\nS9,U1,ta,active"),
        up(change_sis_id=change("U1,N1,user"), enrollments="section_id,user_id,role,status\nS9,N1,ta,deleted"),
        up(sections=NEW_SECTION),
        state={"enrollments": "section_id,user_id,role\nS1,N1,student\nS1,U2,observer"},
        found=["info released enrollments.csv 2"],
    ),
    case(
        "5.11",
        "a deleted user who is renamed keeps the name, and comes back with it; the old id is free",
        up(BASE),
        up(users="user_id,login_id,status,full_name\nU3,cy,active,Cy Dorn\nU2,bob,deleted,"),
        up(users="user_id,login_id,status\nU3,cy,deleted", change_sis_id=change("U2,N2,user")),
        up(change_sis_id=change("U3,N3,user", "N2,M2,user")),
        up(users="user_id,login_id,status\nN3,cyd,active\nM2,bobby,active\nU3,eve,active"),
        state={"users": "user_id,username,full_name\nM2,bobby,bob\nN3,cyd,Cy Dorn\nU1,ann,ann\nU3,eve,eve"},
        found=[],
    ),
    case(
        "5.11",
        "the new id of a deleted user is in use, the old one is not",
        up(BASE),
        up(users="user_id,login_id,status\nU3,cy,deleted"),
        up(change_sis_id=change("U3,N3,user")),
        up(change_sis_id=change("U1,N3,user", "U2,U3,user")),
        state={"users": "user_id,username\nU1,ann\nU3,bob"},
        found=["reject already_exists change_sis_id.csv 2 new_id"],
    ),
    case(
        "5.11",
        "what is gone of a renamed user is not inherited by who gets the old id",
        up(BASE),
        up(enrollments="section_id,user_id,role,status,limit_section_privileges\nS1,U1,ta,active,true"),
        up(enrollments="section_id,user_id,role,status\nS1,U1,ta,deleted"),
        up(change_sis_id=change("U1,N1,user"), users="user_id,login_id,status\nU1,dora,active"),
        up(enrollments="section_id,user_id,role,status\nS1,U1,ta,active\nS1,N1,ta,active"),
        state={"enrollments": "user_id,role,limit_section_privileges\nN1,student,\nN1,ta,true\nU1,ta,\nU2,observer,"},
    ),
    case(
        "5.11",
        "the same rename twice: the second finds nothing",
        up(BASE),
        up(change_sis_id=change("U1,N1,user", "U1,N1,user")),
        state={"users": "user_id\nN1\nU2\nU3"},
        found=["reject unknown_reference change_sis_id.csv 3 old_id"],
    ),
    case(
        "5.11",
        "renamed and deleted in one upload",
        up(BASE),
        up(change_sis_id=change("U1,N1,user"), users="user_id,login_id,status\nN1,ann,deleted\nL1,annb,deleted"),
        state={"users": "user_id\nU2\nU3", "enrollments": "user_id", "group_memberships": "user_id"},
        closed={
            "users": ["U1 deleted"],
            "logins": ["L1 deleted"],
            "enrollments": ["C1/S1/U1/student/ cascade", "C1/S1/U2/observer/U1 cascade"],
            "user_roles": ["U1/B/AccountAdmin cascade"],
            "group_memberships": ["G1/U1 cascade"],
            "observers": ["U2/U1 cascade"],
        },
    ),
]


@pytest.mark.parametrize("line", CASES, ids=lambda c: f"{c.section} {c.name}")
def test_renames(line: Case) -> None:
    run(line)
