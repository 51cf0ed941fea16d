"""How rows of accounts and terms are applied (behaviour: sections 5.1 and 5.2)."""

from __future__ import annotations

import pytest

from tests.vendors.canvas.folding import Case, case, run, up

TREE = """
    account_id,parent_account_id,name,status
    A,,District,active
    B,A,School,active
"""
IN_B = "course_id,short_name,long_name,account_id,status\nC1,c,C,B,active"
IN_T = "course_id,short_name,long_name,term_id,status\nC1,c,C,T1,active"
TERM = "term_id,name,status,start_date,end_date,integration_id\nT1,Fall,active,2026-08-01,2026-12-20,i1"
ACCOUNTS = "organization_id,parent_organization_id,name"

CASES = [
    case(
        "5.1",
        "an account is made with its name and its parent",
        up(accounts=TREE),
        state={"organizations": "organization_id,parent_organization_id,name,type\nA,,District,account\nB,A,School,account"},
    ),
    case(
        "5.1",
        "a new account needs a name and a status",
        up(accounts="account_id,parent_account_id,name,status\nA,,,active\nB,,School,"),
        state={"organizations": "organization_id"},
        found=["reject missing_required accounts.csv 2 name", "reject missing_required accounts.csv 3 status"],
    ),
    case(
        "5.1",
        "blank name and status leave a known account as it is",
        up(accounts=TREE),
        up(accounts="account_id,parent_account_id,name,status\nB,A,,"),
        state={"organizations": f"{ACCOUNTS}\nA,,District\nB,A,School"},
        closed={},
    ),
    case(
        "5.1",
        "a blank parent moves a known account to the root, with a warning",
        up(accounts=TREE),
        up(accounts="account_id,parent_account_id,name,status\nB,,School,active"),
        state={"organizations": f"{ACCOUNTS}\nA,,District\nB,,School"},
        closed={"organizations": ["B changed"]},
        found=["warning moved_to_root accounts.csv 2 parent_account_id"],
    ),
    case(
        "5.1",
        "a parent must stand in an earlier row, and what follows from a refused row says so",
        up(accounts="account_id,parent_account_id,name,status\nB,A,School,active\nA,,District,active\nC,B,Class,active"),
        state={"organizations": f"{ACCOUNTS}\nA,,District"},
        found=[
            "reject unknown_reference accounts.csv 2 parent_account_id",
            "reject unknown_reference accounts.csv 4 parent_account_id",
        ],
    ),
    case(
        "5.1",
        "a deleted parent refuses the row",
        up(accounts="account_id,parent_account_id,name,status\nA,,District,active\nA,,District,deleted\nB,A,School,active"),
        state={"organizations": "organization_id"},
        found=["reject deleted_parent accounts.csv 4 parent_account_id"],
    ),
    case(
        "5.1",
        "a loop is refused, however long, and so is an account that is its own parent",
        up(accounts=TREE),
        up(accounts="account_id,parent_account_id,name,status\nA,B,District,active\nB,B,School,active"),
        state={"organizations": f"{ACCOUNTS}\nA,,District\nB,A,School"},
        closed={},
        found=["reject loop accounts.csv 2 parent_account_id", "reject loop accounts.csv 3 parent_account_id"],
    ),
    case(
        "5.1",
        "new accounts that are above each other are a loop, and an account below them has an unknown parent",
        up(
            accounts="account_id,parent_account_id,name,status\nA,B,One,active\nB,C,Two,active\nC,A,Three,active\n"
            "D,A,Four,active\nE,,Five,active"
        ),
        state={"organizations": f"{ACCOUNTS}\nE,,Five"},
        found=[
            "reject loop accounts.csv 2 parent_account_id",
            "reject loop accounts.csv 3 parent_account_id",
            "reject loop accounts.csv 4 parent_account_id",
            "reject unknown_reference accounts.csv 5 parent_account_id",
        ],
    ),
    case(
        "5.1",
        "an account with live sub-accounts or courses is not deleted",
        up(accounts=TREE, courses=IN_B),
        up(accounts="account_id,parent_account_id,name,status\nA,,District,deleted\nB,A,School,deleted"),
        state={"organizations": f"{ACCOUNTS}\nA,,District\nB,A,School"},
        found=["reject has_active_children accounts.csv 2", "reject has_active_children accounts.csv 3"],
    ),
    case(
        "5.1",
        "children first, then their parent: both are deleted",
        up(accounts=TREE),
        up(accounts="account_id,parent_account_id,name,status\nB,A,School,deleted\nA,,District,deleted"),
        state={"organizations": "organization_id"},
        closed={"organizations": ["A deleted", "B deleted"]},
    ),
    case(
        "5.1",
        "a deleted account comes back with the name that it had",
        up(accounts=TREE),
        up(accounts="account_id,parent_account_id,name,status\nB,A,,deleted"),
        up(accounts="account_id,parent_account_id,name,status\nB,A,,active"),
        state={"organizations": f"{ACCOUNTS}\nA,,District\nB,A,School"},
        closed={},
    ),
    case(
        "5.1",
        "an absent integration_id leaves it, a blank one clears it",
        up(accounts="account_id,parent_account_id,name,status,integration_id\nA,,District,active,i1\nB,,School,active,i2"),
        up({"accounts": "account_id,parent_account_id,name,status\nA,,District,active"}),
        up(accounts="account_id,parent_account_id,name,status,integration_id\nB,,School,active,"),
        state={"organizations": "organization_id,integration_id\nA,i1\nB,"},
    ),
    case(
        "5.1",
        "an integration id belongs to one account, until it is free",
        up(
            accounts="account_id,parent_account_id,name,status,integration_id\nA,,D,active,i1\nB,,S,active,i1\nA,,D,active,\nB,,S,active,i1"
        ),
        state={"organizations": "organization_id,integration_id\nA,\nB,i1"},
        found=["reject integration_id_taken accounts.csv 3 integration_id"],
    ),
    case(
        "5.1",
        "an account that ends lets its integration id go, and comes back only without it",
        up(accounts="account_id,parent_account_id,name,status,integration_id\nA,,D,active,i1"),
        up(accounts="account_id,parent_account_id,name,status,integration_id\nA,,D,deleted,i1\nB,,S,active,i1"),
        up(accounts="account_id,parent_account_id,name,status\nA,,D,active"),
        state={"organizations": "organization_id,integration_id\nB,i1"},
        found=["reject integration_id_taken accounts.csv 2 integration_id"],
    ),
    case(
        "5.2",
        "a term that ends lets its integration id go, and comes back only without it",
        up(terms=TERM),
        up(terms="term_id,name,status,integration_id\nT1,Fall,deleted,i1\nT2,Next,active,i1"),
        up(terms="term_id,name,status\nT1,Fall,active"),
        state={"terms": "term_id,integration_id\nT2,i1"},
        found=["reject integration_id_taken terms.csv 2 integration_id"],
    ),
    case(
        "5.2",
        "a term has its dates as moments in UTC",
        up(terms="term_id,name,status,start_date,end_date\nT1,Fall,active,2013-8-1,2013-12-26T17:00-5:00"),
        state={"terms": "term_id,name,start_at,end_at\nT1,Fall,2013-08-01,2013-12-26T22:00"},
    ),
    case(
        "5.2",
        "blank dates clear, absent columns keep",
        up(terms=TERM),
        up(terms="term_id,name,status,start_date\nT1,Autumn,active,"),
        state={"terms": "term_id,name,start_at,end_at,integration_id\nT1,Autumn,,2026-12-20,i1"},
    ),
    case(
        "5.2",
        "a date that cannot be read is cleared, the other one is kept",
        up(terms=TERM),
        up(terms="term_id,name,status,start_date,end_date\nT1,Fall,active,2026-08-03,someday"),
        state={"terms": "term_id,start_at,end_at\nT1,2026-08-03,"},
    ),
    case(
        "5.2",
        "a term needs its name, unless it goes; one that comes back has what it had",
        up(terms=TERM),
        up(terms="term_id,name,status\nT1,,deleted\nT2,,active"),
        up(terms="term_id,name,status\nT1,Fall,active"),
        state={"terms": "term_id,name,start_at,integration_id\nT1,Fall,2026-08-01,i1"},
    ),
    case(
        "5.2",
        "a term that live courses use is not deleted",
        up(terms=TERM, courses=IN_T),
        up(terms="term_id,name,status\nT1,Fall,deleted"),
        state={"terms": "term_id\nT1"},
        found=["reject has_active_children terms.csv 2"],
    ),
    case(
        "5.2",
        "a term without courses is deleted, with its dates by type of enrollment",
        up(
            terms="term_id,name,status,date_override_enrollment_type,start_date\nT1,F,active,,\nT1,,active,TaEnrollment,2026-08-02"
        ),
        up(terms="term_id,name,status\nT1,Fall,deleted"),
        state={"terms": "term_id", "term_dates": "term_id"},
        closed={"terms": ["T1 deleted"], "term_dates": ["T1/TaEnrollment cascade"]},
    ),
    case(
        "5.2",
        "a row with an enrollment type sets that type's dates and nothing else",
        up(terms=TERM),
        up(
            terms="""
            term_id,name,status,start_date,end_date,date_override_enrollment_type
            T1,Ignored,active,2026-08-05,2026-12-01,StudentEnrollment
            T1,,active,2026-07-25,,TeacherEnrollment
            T1,,deleted,,,TeacherEnrollment
            T9,,active,,,TaEnrollment
            """
        ),
        state={
            "terms": "term_id,name,start_at\nT1,Fall,2026-08-01",
            "term_dates": "term_id,enrollment_type,start_at,end_at\nT1,StudentEnrollment,2026-08-05,2026-12-01",
        },
        found=["reject unknown_reference terms.csv 5 term_id"],
    ),
]


@pytest.mark.parametrize("line", CASES, ids=lambda c: f"{c.section} {c.name}")
def test_accounts_and_terms(line: Case) -> None:
    run(line)
