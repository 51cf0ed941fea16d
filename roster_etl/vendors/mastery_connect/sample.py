"""A synthetic Mastery Connect district, and its next day: data that the specs cannot generate."""

from __future__ import annotations

from random import Random

from roster_etl.spec.sample_district import (
    CLASS_SIZE,
    DOMAIN,
    FIRST_NAMES,
    LAST_NAMES,
    Level,
    NextDay,
    count_schools,
    cycled,
    places_of,
    school_name,
    student_id,
    student_name,
)
from roster_etl.spec.sample_types import Row, Rows, SampleChange

SCHOOL_NAMES = ("Lincoln", "Riverside", "St. Mary's", "Mission, North", 'Franklin "Hawks"', "Ada Lovelace")
# Courses: short name, long name, number.
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
    accounts = [_account(n) for n in range(count_schools(students, LEVELS))]
    rows: Rows = {"accounts": accounts, "users": [], "courses": [], "sections": [], "enrollments": []}
    places = places_of(accounts, LEVELS)
    pupils = [_student(n, *cycled(places, n), random) for n in range(max(students, 1))]
    for number, account in enumerate(accounts):
        own = [pupil for pupil in pupils if pupil["account_id"] == account["account_id"]]
        _fill_school(rows, account, cycled(LEVELS, number), own)
    rows["users"] += pupils
    return rows


def next_day(rows: Rows, random: Random) -> tuple[Rows, tuple[SampleChange, ...]]:
    """Return the upload of the day after `rows`, and what is different: deleted rows, arrivals, new names, and broken rows."""
    day = NextDay(rows, random, (row["user_id"] for row in rows["users"] if row["user_role"] == "student"))
    deleted, left_out, renamed, broken = day.choose(3, spare=1)
    _delete(day, deleted)
    day.remove(left_out, {"users": "user_id", "enrollments": "user_id"}, "are left out, with their enrollments")
    day.rename(renamed, "users", "user_id", "last_name")
    _add_new_students(day)
    _corrupt_rows(day, broken)
    return day.result()


def _account(n: int) -> Row:
    name = school_name(n, SCHOOL_NAMES, cycled(LEVELS, n).kind)
    return {"account_id": f"{7 * (n + 1):03d}", "name": name, "status": "active"}


def _student(n: int, account: Row, grade: str, random: Random) -> Row:
    first, last = student_name(n, random)
    return {
        "email": f"student{n + 1}@students.{DOMAIN}",
        "first_name": first,
        "last_name": last,
        "login_id": f"student{n + 1}" if n % 3 else "",  # the e-mail address stands in
        "account_id": account["account_id"],
        "status": "active",
        "student_grade": grade,
        "student_number": f"{n + 1:06d}",
        "student_state_number": f"NV-{n + 1:08d}",
        "user_id": student_id(n, "S"),
        "user_role": "student",
    }


def _teacher(n: int, account: Row) -> Row:
    blank = dict.fromkeys(
        ("student_ell_status", "student_gender", "student_grade", "student_hispanic", "student_number", "student_race"), ""
    )
    return blank | {
        "email": f"teacher{n + 1}@{DOMAIN}",
        "first_name": cycled(FIRST_NAMES, 3 * n + 1),
        "last_name": cycled(LAST_NAMES, 5 * n + 2),
        "login_id": "",
        "account_id": account["account_id"],
        "status": "active",
        "student_state_number": "",
        "user_id": f"T{n + 1:04d}",
        "user_role": "teacher",
    }


def _fill_school(rows: Rows, account: Row, level: Level[tuple[str, str, str]], pupils: list[Row]) -> None:
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


def _delete(day: NextDay, users: list[str]) -> None:
    for file in ("users", "enrollments"):
        for user in users:
            day.set_cell(file, "user_id", user, "status", "deleted")
    day.note("removed", "users", len(users), "are marked as deleted, with their enrollments")


def _add_new_students(day: NextDay) -> None:
    accounts = {row["account_id"]: row for row in day.rows["accounts"]}
    courses = {row["course_id"]: row for row in day.rows["courses"]}
    first = max(int(row["student_number"] or 0) for row in day.rows["users"])
    for n in range(first, first + day.few + 1):
        section = day.random.choice(day.rows["sections"])
        person = _student(n, accounts[courses[section["course_id"]]["account_id"]], "5", day.random)
        day.rows["users"].append(person)
        day.rows["enrollments"].append(_enrollment(section, person))
    day.note_arrivals("users", "enrollments")


def _corrupt_rows(day: NextDay, chosen: list[str]) -> None:
    """Break a few rows as exports do: a status that nobody knows, a reference to nothing."""
    if not chosen:
        return
    day.set_cell("users", "user_id", chosen[0], "status", "inactive")
    nobody = {"user_id": "no-such-user", "user_role": "student"}
    day.rows["enrollments"].append(_enrollment(day.rows["sections"][0], nobody))
    day.note("refused", "users", 1, "has a status that the format does not know; the record stays as it was")
    day.note("refused", "enrollments", 1, "names a user who is in no file")
