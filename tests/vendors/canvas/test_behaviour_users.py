"""How rows of users and logins are applied (behaviour: sections 5.3 and 5.8)."""

from __future__ import annotations

import pytest

from tests.vendors.canvas.folding import Case, case, run, up

ANN = "user_id,login_id,status,full_name\nU1,ann,active,Ann Lee"
BOTH = "user_id,login_id,status\nU1,ann,active\nU2,bob,active"
NAMES = "user_id,full_name,sortable_name,short_name"
LOGINS = "user_id,username"
WORLD = {
    "courses": "course_id,short_name,long_name,status\nC1,c,C,active",
    "users": BOTH,
    "enrollments": "course_id,user_id,role,status\nC1,U1,student,active\nC1,U2,observer,active",
}


def users(*rows: str, columns: str = "user_id,login_id,status") -> str:
    return "\n".join([columns, *rows])


CASES = [
    case(
        "5.7",
        "through a deleted login of somebody who has another one: enrolled, with a word about it",
        up(
            courses="course_id,short_name,long_name,status\nC1,ART,Art,active",
            users="user_id,login_id,status\nU1,ann,active\nU2,bob,active",
            logins="user_id,login_id,existing_user_id\nL1,annb,U1\nL2,bobb,U2",
        ),
        up(users="user_id,login_id,status\nU1,ann,deleted\nL2,bobb,deleted"),
        up(enrollments="course_id,user_id,role,status\nC1,U1,student,active\nC1,L2,student,active\nC1,L2,ta,deleted"),
        state={"enrollments": "user_id,role\nU1,student\nU2,student"},
        found=["warning deleted_reference enrollments.csv 2 user_id", "warning deleted_reference enrollments.csv 3 user_id"],
    ),
    case(
        "5.8",
        "rows that contradict each other about one person under two ids are reported, and the last one counts",
        up(users=ANN, logins="user_id,login_id,existing_user_id\nL1,annb,U1"),
        up(users="user_id,login_id,status,full_name,email\nU1,ann,active,Ann Lee,a@x.org\nL1,annb,active,Bea Ray,A@x.org"),
        state={"users": "user_id,full_name\nU1,Bea Ray"},
        found=["warning conflicting_rows users.csv 3 full_name"],
    ),
    case(
        "5.3",
        "two people under one id: the first row stands, the other one is rejected",
        up(users="user_id,login_id,status,full_name\nU1,ann,active,Ann Lee\nU1,bob,active,Bob Ray"),
        state={"users": "user_id,username,full_name\nU1,ann,Ann Lee"},
        found=["reject duplicate_key users.csv 3 user_id"],
    ),
    case(
        "5.3",
        "two namesakes under one id, told apart by login and address",
        up(users="user_id,login_id,status,full_name,email\nU1,ann,active,Ann Lee,a@x.org\nU1,ann2,active,ANN LEE,a2@x.org"),
        state={"users": "user_id,username,email\nU1,ann,a@x.org"},
        found=["reject duplicate_key users.csv 3 user_id"],
    ),
    case(
        "5.3",
        "whoever the roster knows under an id keeps it, in whatever order the rows are",
        up(users=ANN),
        up(users="user_id,login_id,status,full_name\nU1,bob,active,Bob Ray\nU1,ann,active,Ann Ray"),
        state={"users": "user_id,username,full_name\nU1,ann,Ann Ray"},
        found=["reject duplicate_key users.csv 2 user_id"],
    ),
    case(
        "5.3",
        "two strangers under a known id: neither row applies",
        up(users=ANN),
        up(users="user_id,login_id,status,full_name\nU1,bob,active,Bob Ray\nU1,cy,active,Cy Ito"),
        state={"users": "user_id,username,full_name\nU1,ann,Ann Lee"},
        found=["reject duplicate_key users.csv 2 user_id", "reject duplicate_key users.csv 3 user_id"],
    ),
    case(
        "5.3",
        "the other person's row is not applied later either, nor what refers to the id, until a newer row about it",
        up(WORLD, users="user_id,login_id,status,full_name\nU1,ann,active,Ann Lee\nU1,cy,active,Cy Ito\nU2,bob,active,Bob Ray"),
        up(users="user_id,login_id,status,full_name\nU2,bob,active,Bob Sato"),
        state={
            "users": "user_id,username,full_name\nU1,ann,Ann Lee\nU2,bob,Bob Sato",
            "enrollments": "user_id,role\nU2,observer",
        },
    ),
    case(
        "5.3",
        "a reference to an id that two people have is rejected",
        up(WORLD, users="user_id,login_id,status,full_name\nU1,ann,active,Ann Lee\nU1,cy,active,Cy Ito\nU2,bob,active,Bob Ray"),
        state={"enrollments": "user_id,role\nU2,observer"},
        found=["reject duplicate_key users.csv 3 user_id", "reject unknown_reference enrollments.csv 2 user_id"],
    ),
    case(
        "5.3",
        "a newer row about the id settles it: what referred to it is applied",
        up(WORLD, users="user_id,login_id,status,full_name\nU1,ann,active,Ann Lee\nU1,cy,active,Cy Ito\nU2,bob,active,Bob Ray"),
        up(users=ANN),
        state={"enrollments": "user_id,role\nU1,student\nU2,observer"},
        found=["info released enrollments.csv 2"],
    ),
    case(
        "5.3",
        "two people under one id in a data set whose uploads are compared: the first upload's person stays",
        up(users=ANN, with_={"diffing_data_set_identifier": "sis"}),
        up(
            users="user_id,login_id,status,full_name\nU1,ann,active,Ann Lee\nU1,bob,active,Bob Ray",
            with_={"diffing_data_set_identifier": "sis"},
        ),
        state={"users": "user_id,username,full_name\nU1,ann,Ann Lee"},
        found=["reject duplicate_key users.csv 3 user_id"],
    ),
    case(
        "5.3",
        "the same two people again in such a data set: nothing new",
        up(users=ANN, with_={"diffing_data_set_identifier": "sis"}),
        up(
            users="user_id,login_id,status,full_name\nU1,ann,active,Ann Lee\nU1,bob,active,Bob Ray",
            with_={"diffing_data_set_identifier": "sis"},
        ),
        up(
            users="user_id,login_id,status,full_name\nU1,ann,active,Ann Lee\nU1,bob,active,Bob Ray",
            with_={"diffing_data_set_identifier": "sis"},
        ),
        state={"users": "user_id,username,full_name\nU1,ann,Ann Lee"},
    ),
    case(
        "5.3",
        "rows of one id with one login are changes in their order",
        up(users="user_id,login_id,status,full_name\nU1,ann,active,Ann Lee\nU1,ann,active,Ann Ray"),
        state={"users": "user_id,full_name\nU1,Ann Ray"},
    ),
    case(
        "5.3",
        "a user is made, and counts as one kind",
        up(users=ANN),
        state={"users": "user_kind,user_id,username,status,full_name\nuser,U1,ann,active,Ann Lee"},
    ),
    case(
        "5.3",
        "a login that another user holds refuses the row, whatever its case",
        up(users=users("U1,Ann,active", "U2,aNN,active")),
        state={"users": f"{LOGINS}\nU1,Ann"},
        found=["reject login_taken users.csv 3 login_id"],
    ),
    case(
        "5.3",
        "a login changes hands when its holder's row comes first",
        up(users=BOTH),
        up(users=users("U1,carl,active", "U2,ann,active")),
        state={"users": f"{LOGINS}\nU1,carl\nU2,ann"},
    ),
    case(
        "5.3",
        "and is refused when the new holder's row comes first",
        up(users=BOTH),
        up(users=users("U2,ann,active", "U1,carl,active")),
        state={"users": f"{LOGINS}\nU1,carl\nU2,bob"},
        found=["reject login_taken users.csv 2 login_id"],
    ),
    case(
        "5.3",
        "a deleted user's login is free",
        up(users=BOTH),
        up(users=users("U1,ann,deleted", "U2,ann,active")),
        state={"users": f"{LOGINS}\nU2,ann"},
        closed={"users": ["U1 deleted", "U2 changed"]},
    ),
    case(
        "5.3",
        "with update_sis_id_if_login_claimed, the holder of the login gets the new user's id, everywhere",
        up(WORLD),
        up(users=users("N1,ANN,active"), with_={"update_sis_id_if_login_claimed": True}),
        state={
            "users": f"{LOGINS}\nN1,ANN\nU2,bob",
            "enrollments": "user_id,role\nN1,student\nU2,observer",
            "id_changes": "entity,old_id,new_id\nusers,U1,N1",
        },
        closed={"users": ["U1 renamed"], "enrollments": ["C1//U1/student/ renamed"]},
    ),
    case(
        "5.3",
        "a claimed id is free for somebody else in the same upload",
        up(WORLD),
        up(users=users("N1,ann,active", "U1,dora,active"), with_={"update_sis_id_if_login_claimed": True}),
        state={"users": f"{LOGINS}\nN1,ann\nU1,dora\nU2,bob", "enrollments": "user_id,role\nN1,student\nU2,observer"},
        closed={"users": ["U1 renamed"], "enrollments": ["C1//U1/student/ renamed"]},
    ),
    case(
        "5.3",
        "claimed twice, the record goes to the last one",
        up(WORLD),
        up(users=users("N1,ann,active", "N2,ann,active"), with_={"update_sis_id_if_login_claimed": True}),
        state={
            "users": f"{LOGINS}\nN2,ann\nU2,bob",
            "enrollments": "user_id,role\nN2,student\nU2,observer",
            "id_changes": "old_id,new_id\nN1,N2\nU1,N1",
        },
    ),
    case(
        "5.3",
        "claimed and then deleted, the person's enrollments end",
        up(WORLD),
        up(users=users("N1,ann,active", "N1,ann,deleted"), with_={"update_sis_id_if_login_claimed": True}),
        state={"users": f"{LOGINS}\nU2,bob", "enrollments": "user_id,role\nU2,observer"},
        closed={"users": ["U1 deleted"], "enrollments": ["C1//U1/student/ cascade"]},
    ),
    case(
        "5.3",
        "an integration id that another user has refuses the row, but never a delete",
        up(users=users("U1,ann,active,i1", "U2,bob,active,i1", columns="user_id,login_id,status,integration_id")),
        state={"users": "user_id,integration_id\nU1,i1"},
        found=["reject integration_id_taken users.csv 3 integration_id"],
    ),
    case(
        "5.3",
        "a login is not claimed by a row that its integration id refuses",
        up(WORLD, users=users("U1,ann,active,i1", "U2,bob,active,i2", columns="user_id,login_id,status,integration_id")),
        up(
            users=users("N1,ann,active,i2", columns="user_id,login_id,status,integration_id"),
            with_={"update_sis_id_if_login_claimed": True},
        ),
        state={"users": f"{LOGINS}\nU1,ann\nU2,bob", "id_changes": "old_id,new_id"},
        closed={},
        found=["reject integration_id_taken users.csv 2 integration_id"],
    ),
    case(
        "5.3",
        "a user who comes back does not get an integration id that another one has by now",
        up(users=users("U1,ann,active,i1", columns="user_id,login_id,status,integration_id")),
        up(users=users("U1,ann,deleted,", "U2,bob,active,i1", columns="user_id,login_id,status,integration_id")),
        up(users=users("U1,ann,active")),
        state={"users": "user_id,integration_id\nU2,i1"},
        found=["reject integration_id_taken users.csv 2 integration_id"],
    ),
    case(
        "5.3",
        "a delete is not asked about its integration id",
        up(users=users("U1,ann,active,i1", "U2,bob,active,", columns="user_id,login_id,status,integration_id")),
        up(users=users("U2,bob,deleted,i1", columns="user_id,login_id,status,integration_id")),
        state={"users": "user_id,integration_id\nU1,i1"},
    ),
    case(
        "5.3",
        "a blank integration id never erases one",
        up(users=users("U1,ann,active,i1", columns="user_id,login_id,status,integration_id")),
        up(users=users("U1,ann,active,", columns="user_id,login_id,status,integration_id")),
        state={"users": "user_id,integration_id\nU1,i1"},
        closed={},
    ),
    case(
        "5.3",
        "a name is the whole name; else first and last; else sortable, short, login",
        up(
            users=users(
                "U1,a,active,,,Ann Lee,,",
                "U2,b,active,Ben,van der Berg,,,",
                'U3,c,active,,,,"Cole, Cy",',
                "U4,d,active,,,,,Dee",
                "U5,e,active,,,,,",
                columns="user_id,login_id,status,first_name,last_name,full_name,sortable_name,short_name",
            )
        ),
        state={
            "users": """user_id,full_name,sortable_name,short_name,derived
            U1,Ann Lee,Lee, Ann,Ann Lee,["short_name", "sortable_name"]
            U2,Ben van der Berg,van der Berg, Ben,Ben van der Berg,["full_name", "short_name", "sortable_name"]
            U3,Cole, Cy,Cole, Cy,Cole, Cy,["full_name", "short_name"]
            U4,Dee,Dee,Dee,["full_name", "sortable_name"]
            U5,e,e,e,["full_name", "short_name", "sortable_name"]
            """
        },
    ),
    case(
        "5.3",
        "a known user without names in the row keeps them",
        up(users=ANN),
        up(users=users("U1,ann2,active")),
        state={"users": f"{NAMES},username\nU1,Ann Lee,Lee, Ann,Ann Lee,ann2"},
    ),
    case(
        "5.3",
        "a suffix stays behind the given names, and the surname as it was before",
        up(
            users="""user_id,login_id,status,full_name,sortable_name
            U1,a,active,Martin King Jr.,
            U2,b,active,Ana de la Cruz,"de la Cruz, Ana"
            """
        ),
        up(users="user_id,login_id,status,full_name\nU2,b,active,Ana Maria de la Cruz III"),
        state={
            "users": "user_id,sortable_name,short_name\nU1,King, Martin Jr.,Martin King Jr.\nU2,de la Cruz, Ana Maria III,Ana de la Cruz"
        },
    ),
    case(
        "5.3",
        "a blank e-mail keeps the known one, and several users may share one",
        up(users=users("U1,ann,active,a@x.org", "U2,bob,active,a@x.org", columns="user_id,login_id,status,email")),
        up(users=users("U1,ann,active,", "U2,bob,active,b@x.org", columns="user_id,login_id,status,email")),
        state={"users": "user_id,email\nU1,a@x.org\nU2,b@x.org"},
    ),
    case(
        "5.3",
        "pronouns and declared type: blank keeps, <delete> removes",
        up(users=users("U1,ann,active,they,staff", columns="user_id,login_id,status,pronouns,declared_user_type")),
        up(users=users("U1,ann,active,,<delete>", columns="user_id,login_id,status,pronouns,declared_user_type")),
        state={"users": "user_id,pronouns,declared_user_type\nU1,they,"},
    ),
    case(
        "5.3",
        "suspending changes nothing else",
        up(WORLD),
        up(users=users("U1,ann,suspended")),
        state={"users": "user_id,status\nU1,suspended\nU2,active", "enrollments": "user_id\nU1\nU2"},
        closed={"users": ["U1 changed"]},
    ),
    case(
        "5.3",
        "a user who is deleted takes enrollments, memberships, roles and observers' enrollments along",
        up(
            WORLD,
            enrollments="course_id,user_id,role,status,associated_user_id\nC1,U1,student,active,\nC1,U2,observer,active,U1",
            admins="user_id,account_id,role,status\nU1,,AccountAdmin,active",
            groups="group_id,name,status\nG1,Chess,available",
            groups_membership="group_id,user_id,status\nG1,U1,accepted",
            user_observers="observer_id,student_id,status\nU2,U1,active",
        ),
        up(users=users("U1,ann,deleted")),
        state={
            "users": "user_id\nU2",
            "enrollments": "user_id",
            "user_roles": "user_id",
            "group_memberships": "user_id",
            "observers": "observer_id",
        },
        closed={
            "users": ["U1 deleted"],
            "enrollments": ["C1//U1/student/ cascade", "C1//U2/observer/U1 cascade"],
            "user_roles": ["U1//AccountAdmin cascade"],
            "group_memberships": ["G1/U1 cascade"],
            "observers": ["U2/U1 cascade"],
        },
    ),
    case(
        "5.3",
        "enrollments do not come back with the user",
        up(WORLD),
        up(users=users("U1,ann,deleted")),
        up(users=users("U1,ann,active")),
        state={"users": "user_id\nU1\nU2", "enrollments": "user_id\nU2"},
    ),
    case(
        "5.3",
        "deleted and active in one upload: the user stays, the enrollments do not",
        up(WORLD),
        up(users=users("U1,ann,deleted", "U1,ann,active")),
        state={"users": "user_id\nU1\nU2", "enrollments": "user_id\nU2"},
        closed={"enrollments": ["C1//U1/student/ cascade"]},
    ),
    case(
        "3",
        "deleting a user who was never seen is no error, and makes nobody",
        up(users=users("U9,nobody,deleted")),
        state={"users": "user_id"},
        closed={},
    ),
    case(
        "5.3",
        "deleting a deleted user changes nothing",
        up(users=BOTH),
        up(users=users("U1,ann,deleted")),
        up(users=users("U1,ann,deleted")),
        state={"users": "user_id\nU2"},
        closed={},
    ),
    case(
        "5.8",
        "a login is added to the person who is named, by either id",
        up(users=users("U1,ann,active,i1", "U2,bob,active,", columns="user_id,login_id,status,integration_id")),
        up(
            logins="""
            user_id,login_id,existing_user_id,existing_integration_id,email
            L1,ann.b,U1,,l@x.org
            L2,ann.c,,i1,
            L3,ann.d,U2,i1,
            L4,ann.e,U9,,
            """
        ),
        state={"logins": "login_user_id,user_id,username,email\nL1,U1,ann.b,l@x.org\nL2,U1,ann.c,"},
        found=["reject id_mismatch logins.csv 4 existing_user_id", "reject unknown_reference logins.csv 5 existing_user_id"],
    ),
    case(
        "5.8",
        "an id or a login that is in use refuses the row: there are no updates",
        up(users=BOTH, logins="user_id,login_id,existing_user_id\nL1,x,U1"),
        up(logins="user_id,login_id,existing_user_id\nL1,y,U1\nU2,z,U1\nL2,BOB,U1\nL3,X,U1"),
        state={"logins": "login_user_id,username\nL1,x"},
        found=[
            "reject already_exists logins.csv 2 user_id",
            "reject already_exists logins.csv 3 user_id",
            "reject login_taken logins.csv 4 login_id",
            "reject login_taken logins.csv 5 login_id",
        ],
    ),
    case(
        "5.8",
        "a deleted person gets no login, and the vendor's own ids name nobody",
        up(users=users("U1,ann,active", "U1,ann,deleted")),
        up(
            logins="""
            user_id,login_id,existing_user_id,existing_canvas_user_id
            L1,x,U1,
            L2,y,,77
            """
        ),
        state={"logins": "login_user_id"},
        found=[
            "reject unknown_reference logins.csv 2 existing_user_id",
            "reject unknown_reference logins.csv 3 existing_canvas_user_id",
        ],
    ),
    case(
        "5.8",
        "a login is another name of the person in enrollments",
        up(WORLD, logins="user_id,login_id,existing_user_id\nL1,x,U1"),
        up(enrollments="course_id,user_id,role,status\nC1,L1,ta,active"),
        state={"enrollments": "user_id,role\nU1,student\nU1,ta\nU2,observer"},
    ),
    case(
        "5.8",
        "a login is removed by a row of users, and the person stays",
        up(WORLD, logins="user_id,login_id,existing_user_id\nL1,x,U1"),
        up(users=users("L1,x,deleted")),
        state={"logins": "login_user_id", "users": f"{LOGINS}\nU1,ann\nU2,bob", "enrollments": "user_id\nU1\nU2"},
        closed={"logins": ["L1 deleted"]},
    ),
    case(
        "5.3",
        "a person with another live login stays when the own login is deleted, and goes with the last one",
        up(WORLD, logins="user_id,login_id,existing_user_id\nL1,x,U1"),
        up(users=users("U1,ann,deleted")),
        up(enrollments="course_id,user_id,role,status\nC1,U1,ta,active"),
        state={"users": f"{LOGINS}\nU1,\nU2,bob", "enrollments": "user_id,role\nU1,student\nU1,ta\nU2,observer"},
        found=["warning deleted_reference enrollments.csv 2 user_id"],
    ),
    case(
        "5.3",
        "when the last login goes, so does the person",
        up(WORLD, logins="user_id,login_id,existing_user_id\nL1,x,U1"),
        up(users=users("U1,ann,deleted", "L1,x,deleted")),
        state={"users": f"{LOGINS}\nU2,bob", "enrollments": "user_id\nU2", "logins": "login_user_id"},
        closed={"users": ["U1 deleted"], "logins": ["L1 deleted"], "enrollments": ["C1//U1/student/ cascade"]},
    ),
]


@pytest.mark.parametrize("line", CASES, ids=lambda c: f"{c.section} {c.name}")
def test_users_and_logins(line: Case) -> None:
    run(line)
