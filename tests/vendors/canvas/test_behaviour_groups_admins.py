"""How rows of groups, memberships and admins are applied (behaviour: sections 5.10 and 5.12)."""

from __future__ import annotations

import pytest

from tests.vendors.canvas.folding import Case, case, run, up

BASE = {
    "accounts": "account_id,parent_account_id,name,status\nA,,D,active\nB,A,S,active",
    "courses": "course_id,short_name,long_name,account_id,status\nC1,ART,Art,A,active\nC2,BIO,Biology,A,active",
    "users": "user_id,login_id,status\nU1,ann,active\nU2,bob,active",
    "enrollments": "course_id,user_id,role,status\nC1,U1,student,active",
}
CATEGORY = "group_category_id,account_id,course_id,category_name,status"
GROUP = "group_id,group_category_id,account_id,course_id,name,status"
MEMBER = "group_id,user_id,status"
ADMIN = "user_id,account_id,role,role_id,status"
CATEGORIES = "group_category_id,organization_id,course_id,name"
GROUPS = "group_id,group_category_id,organization_id,course_id,name"


def rows(header: str, *lines: str) -> str:
    return "\n".join([header, *lines])


CASES = [
    case(
        "5.12",
        "a set belongs to an account, to a course, or to the root; never to two",
        up(
            BASE,
            group_categories=rows(
                CATEGORY,
                "K1,A,,Teams,active",
                "K2,,C1,Teams,active",
                "K3,,,Teams,active",
                "K4,A,C1,Both,active",
                "K5,Z,,X,active",
                "K6,,Z,X,active",
            ),
        ),
        state={"group_categories": f"{CATEGORIES}\nK1,A,,Teams\nK2,,C1,Teams\nK3,,,Teams"},
        found=[
            "reject two_contexts group_categories.csv 5",
            "reject unknown_reference group_categories.csv 6 account_id",
            "reject unknown_reference group_categories.csv 7 course_id",
        ],
    ),
    case(
        "5.12",
        "a set's name is unique where it is, among live ones; the same id again updates",
        up(
            BASE,
            group_categories=rows(
                CATEGORY, "K1,A,,Teams,active", "K2,A,,Teams,active", "K1,A,,Crews,active", "K3,A,,Teams,active"
            ),
        ),
        up(group_categories=rows(CATEGORY, "K3,A,,Teams,deleted", "K4,A,,Teams,active")),
        state={"group_categories": f"{CATEGORIES}\nK1,A,,Crews\nK4,A,,Teams"},
        closed={"group_categories": ["K3 deleted"]},
    ),
    case(
        "5.12",
        "a group of a set whose id two sets have is refused",
        up(
            BASE,
            group_categories=rows(CATEGORY, "K1,A,,Teams,active", "K1,B,,Crews,active"),
            groups=rows(GROUP, "G1,K1,,,One,available"),
        ),
        state={"group_categories": f"{CATEGORIES}\nK1,A,,Teams", "groups": GROUPS},
        found=[
            "reject duplicate_key group_categories.csv 3 group_category_id",
            "reject unknown_reference groups.csv 2 group_category_id",
        ],
    ),
    case(
        "5.12",
        "a name that is taken refuses the row",
        up(BASE, group_categories=rows(CATEGORY, "K1,A,,Teams,active", "K2,A,,Teams,active")),
        state={"group_categories": f"{CATEGORIES}\nK1,A,,Teams"},
        found=["reject name_taken group_categories.csv 3 category_name"],
    ),
    case(
        "5.12",
        "a set moves to another context only without live groups",
        up(
            BASE,
            group_categories=rows(CATEGORY, "K1,A,,Teams,active", "K2,A,,Crews,active"),
            groups=rows(GROUP, "G1,K1,,,One,available"),
        ),
        up(group_categories=rows(CATEGORY, "K1,B,,Teams,active", "K2,B,,Crews,active")),
        state={"group_categories": f"{CATEGORIES}\nK1,A,,Teams\nK2,B,,Crews"},
        found=["reject move_blocked group_categories.csv 2"],
    ),
    case(
        "5.12",
        "a deleted set takes its groups along, and they their members",
        up(
            BASE,
            group_categories=rows(CATEGORY, "K1,A,,Teams,active"),
            groups=rows(GROUP, "G1,K1,,,One,available"),
            groups_membership=rows(MEMBER, "G1,U1,accepted"),
        ),
        up(group_categories=rows(CATEGORY, "K1,A,,Teams,deleted")),
        state={"groups": "group_id"},
        closed={"group_categories": ["K1 deleted"], "groups": ["G1 cascade"], "group_memberships": ["G1/U1 cascade"]},
    ),
    case(
        "5.12",
        "a group is where the row says, or where its set is, or where it was",
        up(
            BASE,
            group_categories=rows(CATEGORY, "K1,,C1,Teams,active"),
            groups=rows(
                GROUP,
                "G1,,B,,One,available",
                "G2,K1,,,Two,available",
                "G3,K1,,C1,Three,available",
                "G4,K1,A,,Four,available",
                "G5,K9,,,Five,available",
                "G6,,A,C1,Six,available",
            ),
        ),
        up(groups=rows(GROUP, "G1,,,,Uno,available")),
        state={"groups": f"{GROUPS}\nG1,,B,,Uno\nG2,K1,,C1,Two\nG3,K1,,C1,Three"},
    ),
    case(
        "5.12",
        "a set of another context, an unknown one, and two contexts are refused",
        up(
            BASE,
            group_categories=rows(CATEGORY, "K1,,C1,Teams,active"),
            groups=rows(GROUP, "G4,K1,A,,Four,available", "G5,K9,,,Five,available", "G6,,A,C1,Six,available"),
        ),
        state={"groups": "group_id"},
        found=[
            "reject unknown_reference groups.csv 2 group_category_id",
            "reject unknown_reference groups.csv 3 group_category_id",
            "reject two_contexts groups.csv 4",
        ],
    ),
    case(
        "5.12",
        "closed and completed groups are available; deleted ends one, in any case",
        up(BASE, groups=rows(GROUP, "G1,,,,One,closed", "G2,,,,Two,completed", "G3,,,,Three,available")),
        up(groups=rows(GROUP, "G3,,,,Three,Deleted")),
        state={"groups": "group_id\nG1\nG2"},
        closed={"groups": ["G3 deleted"]},
    ),
    case(
        "5.12",
        "a group with members does not move from or to a course",
        up(
            BASE,
            groups=rows(GROUP, "G1,,,,One,available", "G2,,A,,Two,available"),
            groups_membership=rows(MEMBER, "G1,U1,accepted", "G2,U1,accepted"),
        ),
        up(groups=rows(GROUP, "G1,,,C1,One,available", "G2,,B,,Two,available")),
        state={"groups": f"{GROUPS}\nG1,,,,One\nG2,,B,,Two"},
        found=["reject move_blocked groups.csv 2"],
    ),
    case(
        "5.12",
        "a deleted group takes its memberships along, and deleting one that never was is no error",
        up(BASE, groups=rows(GROUP, "G1,,,,One,available"), groups_membership=rows(MEMBER, "G1,U1,accepted")),
        up(groups=rows(GROUP, "G1,,,,One,deleted", "G9,,,,Nine,deleted")),
        state={"groups": "group_id", "group_memberships": "group_id"},
        closed={"groups": ["G1 deleted"], "group_memberships": ["G1/U1 cascade"]},
    ),
    case(
        "5.12",
        "a membership needs its group and its user, and of a course's group the enrollment",
        up(
            BASE,
            groups=rows(GROUP, "G1,,,C1,One,available", "G2,,,,Two,available"),
            groups_membership=rows(
                MEMBER, "G1,U1,accepted", "G1,U2,accepted", "G2,U2,accepted", "G9,U1,accepted", "G2,U9,accepted"
            ),
        ),
        state={"group_memberships": "group_id,user_id,status\nG1,U1,accepted\nG2,U2,accepted"},
        found=[
            "reject not_enrolled groups_membership.csv 3 user_id",
            "reject unknown_reference groups_membership.csv 5 group_id",
            "reject unknown_reference groups_membership.csv 6 user_id",
        ],
    ),
    *(
        case(
            "5.12",
            f"who leaves the course leaves its groups: {how}",
            up(
                {**BASE, "enrollments": "course_id,section_id,user_id,role,status\n,S1,U1,student,active\nC1,,U2,student,active"},
                sections="section_id,course_id,name,status\nS1,C1,One,active",
                users="user_id,login_id,status\nU1,ann,active\nU2,bob,active\nU3,cy,active",
                groups=rows(GROUP, "G1,,,C1,One,available", "G2,,A,,Two,available"),
                groups_membership=rows(MEMBER, "G1,U1,accepted", "G2,U1,accepted", "G1,U2,accepted"),
            ),
            up(more),
            state={"group_memberships": f"group_id,user_id\n{left}", "groups": "group_id,course_id\nG1,C1\nG2,"},
            found=found,
        )
        for how, more, left, found in (
            ("the section moves", {"sections": "section_id,course_id,name,status\nS1,C2,One,active"}, "G1,U2\nG2,U1", ()),
            ("the section is cross-listed", {"xlists": "xlist_course_id,section_id,status\nC2,S1,active"}, "G1,U2\nG2,U1", ()),
            ("the section ends", {"sections": "section_id,course_id,name,status\nS1,C1,,deleted"}, "G1,U2\nG2,U1", ()),
            (
                "the course ends; its groups stay, to come back with it",
                {"courses": "course_id,short_name,long_name,status\nC1,ART,Art,deleted"},
                "G2,U1",
                (),
            ),
            (
                "a row that lets them in again is refused",
                {
                    "xlists": "xlist_course_id,section_id,status\nC2,S1,active",
                    "groups_membership": rows(MEMBER, "G1,U1,accepted", "G1,U2,accepted"),
                },
                "G1,U2\nG2,U1",
                ["reject not_enrolled groups_membership.csv 2 user_id"],
            ),
        )
    ),
    case(
        "5.12",
        "an observer who is no more linked leaves the groups of the student's course",
        up(
            BASE,
            user_observers="observer_id,student_id,status\nU2,U1,active",
            groups=rows(GROUP, "G1,,,C1,One,available"),
        ),
        up(groups_membership=rows(MEMBER, "G1,U2,accepted")),
        up(user_observers="observer_id,student_id,status\nU2,U1,deleted"),
        state={"group_memberships": "group_id", "enrollments": "user_id\nU1"},
    ),
    case(
        "5.12",
        "memberships come and go, again and again; a delete of one that never was is no error",
        up(
            BASE,
            groups=rows(GROUP, "G1,,,,One,available"),
            groups_membership=rows(MEMBER, "G1,U1,accepted", "G1,U1,accepted", "G1,U2,deleted"),
        ),
        up(groups_membership=rows(MEMBER, "G1,U1,deleted", "G1,U1,deleted")),
        state={"group_memberships": "group_id"},
        closed={"group_memberships": ["G1/U1 deleted"]},
    ),
    case(
        "5.10",
        "a role in an account, or in the root if it is blank; several of one user stand side by side",
        up(
            BASE,
            admins=rows(
                ADMIN, "U1,,AccountAdmin,,active", "U1,A,AccountAdmin,,active", "U1,A,Registrar,,active", "U2,A,,9,active"
            ),
            with_={"custom_roles": {"Registrar": "account", "9": "account"}},
        ),
        state={
            "user_roles": "user_kind,user_id,organization_id,role\nuser,U1,,AccountAdmin\nuser,U1,A,AccountAdmin\nuser,U1,A,Registrar\nuser,U2,A,9"
        },
    ),
    case(
        "5.10",
        "user, account and role must be known",
        up(
            BASE,
            admins=rows(
                ADMIN, "U9,,AccountAdmin,,active", "U1,Z,AccountAdmin,,active", "U1,A,Boss,,active", "U1,A,student,,active"
            ),
        ),
        state={"user_roles": "user_id"},
        found=[
            "reject unknown_reference admins.csv 2 user_id",
            "reject unknown_reference admins.csv 3 account_id",
            "reject unknown_role admins.csv 4 role",
            "reject unknown_role admins.csv 5 role",
        ],
    ),
    case(
        "5.10",
        "deleting a role ends that one; deleting one that is not there is silent",
        up(BASE, admins=rows(ADMIN, "U1,,AccountAdmin,,active", "U1,A,AccountAdmin,,active")),
        up(admins=rows(ADMIN, "U1,A,AccountAdmin,,deleted", "U2,A,AccountAdmin,,deleted")),
        state={"user_roles": "user_id,organization_id\nU1,"},
        closed={"user_roles": ["U1/A/AccountAdmin deleted"]},
    ),
]


@pytest.mark.parametrize("line", CASES, ids=lambda c: f"{c.section} {c.name}")
def test_groups_and_admins(line: Case) -> None:
    run(line)
