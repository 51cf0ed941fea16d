"""A synthetic Mastery Connect district, and its next day: data that the specs cannot generate.

Belongs here: rows with the cells that make a district realistic. Missing cells are filled from the specs.
All people are invented. The names and IDs are difficult on purpose: importers lose ``Null``, ``NA``, ``007`` and ``1E5``.
"""

from __future__ import annotations

from random import Random
from typing import NamedTuple

from roster_etl.spec.sample_types import Row, Rows, SampleChange

FIRST_NAMES = (
    "Ana", "Ben", "Chloé", "Dana", "Emil", "Fatima", "Grace", "Hiro", "Imani", "José", "Kofi", "Lucía", "Mei", "NA", "Olu", "Priya",
    "Quinn", "Rosa", "Søren", "Thảo", "Uma", "Viktor", "伟", "Ximena", "Yusuf", "Zoë", "D'Andre", "Mary-Kate",
)  # fmt: skip
LAST_NAMES = (
    "O'Brien", "Null", "李", "Nguyễn", "García Márquez", "Okafor", "None", "Smith-Jones", "Müller", "Sato", "True", "Peña", "van der Berg",
    "Test", "Johansson", "Haddad", "St. James", "Ivanova", "Kowalski", "N'Diaye", "Ferrari", "Silva", "Cohen", "Brown",
)  # fmt: skip
SCHOOL_NAMES = ("Lincoln", "Riverside", "St. Mary's", "Mission, North", 'Franklin "Hawks"', "Ada Lovelace")
DOMAIN = "sample.example.org"
CLASS_SIZE = 24
STUDENTS_A_SCHOOL = 400


class Level(NamedTuple):
    """A kind of school. Courses: short name, long name, number."""

    kind: str
    grades: tuple[str, ...]
    courses: tuple[tuple[str, str, str], ...]


LEVELS = (
    Level(
        kind="Elementary School",
        grades=("PreKindergarten", "Kindergarten", "1", "2", "3", "4", "5"),
        courses=(("ELA", "Language Arts", "100"), ("Math", "Mathematics", "200"), ("Sci", "Science", "300")),
    ),
    Level(
        kind="Middle School",
        grades=("6", "7", "8"),
        courses=(
            ("Eng", "English", "100"),
            ("Math", "Mathematics", "200"),
            ("Bio", "Life Science", "300"),
            ("Span", "Spanish", "400"),
        ),
    ),
    Level(
        kind="High School",
        grades=("9", "10", "11", "12"),
        courses=(
            ("Eng", "English", "100"),
            ("Alg", "Algebra", "101"),
            ("Bio", "Biology", "300"),
            ("Hist", "World History", "500"),
        ),
    ),
)


def district(students: int, random: Random) -> Rows:
    """Return the rows of a district of about `students` students (at least one), by file."""
    accounts = [_account(n) for n in range(max(len(LEVELS), round(students / STUDENTS_A_SCHOOL)))]
    rows: Rows = {"accounts": accounts, "users": [], "courses": [], "sections": [], "enrollments": []}
    places = [(n, grade) for n in range(len(accounts)) for grade in LEVELS[n % len(LEVELS)].grades]
    pupils = [
        _student(n, accounts[places[n % len(places)][0]], places[n % len(places)][1], random) for n in range(max(students, 1))
    ]
    for number, account in enumerate(accounts):
        own = [pupil for pupil in pupils if pupil["account_id"] == account["account_id"]]
        _fill_school(rows, account, LEVELS[number % len(LEVELS)], own)
    rows["users"] += pupils
    return rows


def next_day(rows: Rows, random: Random) -> tuple[Rows, tuple[SampleChange, ...]]:
    """Return the upload of the day after `rows`, and its changes: deleted rows, arrivals, new names, and invalid rows."""
    rows = {file: [dict(row) for row in of_file] for file, of_file in rows.items()}
    ids = [row["user_id"] for row in rows["users"] if row["user_role"] == "student"]
    few = len(ids) // 100 or min(1, len(ids) // 10)  # a very small district loses nobody
    chosen = random.sample(ids, min(len(ids), 3 * few + 1))
    deleted, left_out, renamed = (set(chosen[n * few : (n + 1) * few]) for n in range(3))
    changes = (
        _delete(rows, deleted),
        _leave_out(rows, left_out),
        _rename(rows, renamed),
        *_arrive(rows, few + 1, random),
        *_break(rows, chosen[3 * few :]),
    )
    return rows, tuple(change for change in changes if change.count)


def _account(n: int) -> Row:
    level = LEVELS[n % len(LEVELS)]
    number = f" {n}" if n >= len(SCHOOL_NAMES) else ""
    return {
        "account_id": f"{7 * (n + 1):03d}",
        "name": f"{SCHOOL_NAMES[n % len(SCHOOL_NAMES)]} {level.kind}{number}",
        "status": "active",
    }


def _student(n: int, account: Row, grade: str, random: Random) -> Row:
    user_id = ("007", "7", "1E5")[n] if n < 3 else f"S{998 + n}"
    return {
        "email": f"student{n + 1}@students.{DOMAIN}",
        "first_name": FIRST_NAMES[n % len(FIRST_NAMES)] if n < len(FIRST_NAMES) else random.choice(FIRST_NAMES),
        "last_name": LAST_NAMES[n % len(LAST_NAMES)] if n < len(LAST_NAMES) else random.choice(LAST_NAMES),
        "login_id": f"student{n + 1}" if n % 3 else "",  # then the e-mail address is used instead
        "account_id": account["account_id"],
        "status": "active",
        "student_grade": grade,
        "student_number": f"{n + 1:06d}",
        "student_state_number": f"NV-{n + 1:08d}",
        "user_id": user_id,
        "user_role": "student",
    }


def _teacher(n: int, account: Row) -> Row:
    blank = dict.fromkeys(
        ("student_ell_status", "student_gender", "student_grade", "student_hispanic", "student_number", "student_race"), ""
    )
    return blank | {
        "email": f"teacher{n + 1}@{DOMAIN}",
        "first_name": FIRST_NAMES[(3 * n + 1) % len(FIRST_NAMES)],
        "last_name": LAST_NAMES[(5 * n + 2) % len(LAST_NAMES)],
        "login_id": "",
        "account_id": account["account_id"],
        "status": "active",
        "student_state_number": "",
        "user_id": f"T{n + 1:04d}",
        "user_role": "teacher",
    }


def _fill_school(rows: Rows, account: Row, level: Level, pupils: list[Row]) -> None:
    before = len(rows["users"])
    teachers = [_teacher(before + n, account) for n in range(max(len(level.courses), len(pupils) // 16))]
    rows["users"] += teachers
    for place, (short, long, number) in enumerate(level.courses):
        course = _course(account, short, long)
        rows["courses"].append(course)
        for group, grade in enumerate(level.grades):
            of_grade = [pupil for pupil in pupils if pupil["student_grade"] == grade]
            for part, first in enumerate(range(0, max(len(of_grade), 1), CLASS_SIZE)):
                teacher = teachers[(place + group + part) % len(teachers)]
                section = _section(course, number, f"{long} {grade}", part)
                rows["sections"].append(section)
                rows["enrollments"].append(_enrollment(section, teacher))
                rows["enrollments"] += [_enrollment(section, pupil) for pupil in of_grade[first : first + CLASS_SIZE]]


def _course(account: Row, short: str, long: str) -> Row:
    return {
        "account_id": account["account_id"],
        "course_id": f"{account['account_id']}-{short}",
        "long_name": long,
        "short_name": short,
        "status": "active",
    }


def _section(course: Row, number: str, name: str, part: int) -> Row:
    section_id = f"{course['course_id']}-{name.rpartition(' ')[2]}-{part + 1}"
    shown = f"{name}, Period {part + 1}A" if part or number != "300" else ""  # derived from course and teacher
    return {
        "section_id": section_id,
        "name": shown,
        "course_id": course["course_id"],
        "course_number": number,
        "status": "active",
    }


def _enrollment(section: Row, user: Row) -> Row:
    return {"role": user["user_role"], "user_id": user["user_id"], "section_id": section["section_id"], "status": "active"}


def _delete(rows: Rows, users: set[str]) -> SampleChange:
    for file in ("users", "enrollments"):
        for row in rows[file]:
            if row["user_id"] in users:
                row["status"] = "deleted"
    return SampleChange(kind="removed", file="users", count=len(users), what="are marked as deleted, with their enrollments")


def _leave_out(rows: Rows, users: set[str]) -> SampleChange:
    for file in ("users", "enrollments"):
        rows[file] = [row for row in rows[file] if row["user_id"] not in users]
    return SampleChange(kind="removed", file="users", count=len(users), what="are left out, with their enrollments")


def _rename(rows: Rows, users: set[str]) -> SampleChange:
    for row in rows["users"]:
        if row["user_id"] in users:
            row["last_name"] = f"{row['last_name']}-Rivera"
    return SampleChange(kind="updated", file="users", count=len(users), what="have a new last name")


def _arrive(rows: Rows, count: int, random: Random) -> tuple[SampleChange, ...]:
    accounts = {row["account_id"]: row for row in rows["accounts"]}
    courses = {row["course_id"]: row for row in rows["courses"]}
    first = max(int(row["student_number"] or 0) for row in rows["users"])
    for n in range(first, first + count):
        section = random.choice(rows["sections"])
        account = accounts[courses[section["course_id"]]["account_id"]]
        person = _student(n, account, "5", random)
        rows["users"].append(person)
        rows["enrollments"].append(_enrollment(section, person))
    return (
        SampleChange(kind="created", file="users", count=count, what="are new"),
        SampleChange(kind="created", file="enrollments", count=count, what="are of the new students"),
    )


def _break(rows: Rows, chosen: list[str]) -> tuple[SampleChange, ...]:
    """Break some rows as exports do: an unknown status, a reference to nothing."""
    if not chosen:
        return ()
    for row in rows["users"]:
        if row["user_id"] == chosen[0]:
            row["status"] = "inactive"
    rows["enrollments"].append(_enrollment(rows["sections"][0], {"user_id": "no-such-user", "user_role": "student"}))
    return (
        SampleChange(
            kind="refused", file="users", count=1, what="has a status that the format does not know; the record stays as it was"
        ),
        SampleChange(kind="refused", file="enrollments", count=1, what="names a user who is in no file"),
    )
