"""Rows of one upload do what the same rows do in uploads of their own: columns at a time is no other rule than row by row."""

from __future__ import annotations

import random

import pytest

from tests.sampling import every
from tests.vendors.canvas.folding import District

pytestmark = pytest.mark.sampled
BASE = {
    "courses": "course_id,short_name,long_name,status\nC1,ART,Art,active\nC2,BIO,Biology,active",
    "sections": "section_id,course_id,name,status\nS1,C1,One,active\nS2,C1,Two,active\nS3,C2,Three,active",
    "users": "user_id,login_id,status\n" + "\n".join(f"U{n},user{n},active" for n in range(4)),
    "user_observers": "observer_id,student_id,status\nU3,U0,active",
}
STATUSES = ("active", "active", "completed", "inactive", "deleted", "deleted_last_completed")
COLUMNS = ("course_id", "section_id", "user_id", "role", "status", "role", "associated_user_id", "limit_section_privileges")
TABLES = {
    "enrollments": (*COLUMNS, "start_at", "end_at"),
    "users": ("user_id", "username", "status", "integration_id", "full_name", "sortable_name", "short_name"),
    "sections": ("section_id", "course_id", "home_course_id", "name"),
    "courses": ("course_id", "status"),
}


def _enrollment(choose: random.Random) -> str:
    place = choose.choice(("C1,", "C2,", ",S1", ",S2", ",S3", "C1,S1"))
    role = choose.choice(("student", "student", "Student", "ta", "observer"))
    other = choose.choice(("", "U0", "U1")) if role == "observer" else ""
    dates = choose.choice((",", "2026-08-01,2026-12-01", "2026-08-02,2026-12-02"))
    return f"{place},U{choose.choice((0, 0, 1, 2, 3))},{role},{choose.choice(STATUSES)},{other},{choose.choice(('', 'true', 'false'))},{dates}"


def _user(choose: random.Random, number: int) -> str:
    """Return a row of one of four people, who change their logins: another name as well would be somebody else."""
    status, name = choose.choice(("active", "deleted", "suspended")), choose.choice(("", f"Ann {number}"))
    return f"U{number},{choose.choice('abcd')},{status},,{name}"


def _section(choose: random.Random, number: int) -> str:
    """Return a row of one of four sections: two that change their names, and two that move."""
    course, name = (f"C{number % 2 + 1}", choose.choice(("One", "Uno"))) if number < 3 else (f"C{choose.randint(1, 2)}", "One")
    return f"S{number},{course},{name},{choose.choice(('active', 'active', 'deleted'))}"


ENROLLMENTS = "course_id,section_id,user_id,role,status,associated_user_id,limit_section_privileges,start_date,end_date"
KINDS = {
    "enrollments": (ENROLLMENTS, _enrollment),
    "users": (
        "user_id,login_id,status,integration_id,full_name",
        lambda c: _user(c, c.randrange(4)),
    ),
    "sections": (
        "section_id,course_id,name,status",
        lambda c: _section(c, c.randint(1, 4)),
    ),
    "xlists": (
        "xlist_course_id,section_id,status",
        lambda c: f"C{c.randint(1, 2)},S{c.randint(1, 3)},{c.choice(('active', 'deleted'))}",
    ),
}


def _state(kind: str, header: str, uploads: list[list[str]], warm_up: list[str]) -> dict[str, list[str]]:
    district = District()
    district.upload({**BASE, "enrollments": "\n".join([ENROLLMENTS, *warm_up])})
    for rows in uploads:
        district.upload({kind: "\n".join([header, *rows])})
        district.quarantine.clear()  # a row is tried once, at its place
    return {table: district.lines(table, columns) for table, columns in TABLES.items()}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", every(3, range(3)))
def test_one_upload_of_many_rows_is_many_uploads_of_one_row(kind: str, seed: int) -> None:
    choose = random.Random(seed)
    header, row = KINDS[kind]
    rows = [row(choose) for _ in range(10)]
    warm_up = [_enrollment(choose) for _ in range(3)]

    assert _state(kind, header, [rows], warm_up) == _state(kind, header, [[one] for one in rows], warm_up)
