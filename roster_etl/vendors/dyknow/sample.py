"""A synthetic Dyknow district, and its next day: data that the specs cannot generate.

Belongs here: rows with the cells that make a district realistic. Missing cells are filled from the specs.
All people are invented. The names and IDs are difficult on purpose: importers lose ``Null``, ``NA``, ``007`` and ``1E5``.
"""

from __future__ import annotations

from random import Random
from typing import NamedTuple

from roster_etl.spec.sample_types import Row, Rows, SampleChange

FIRST_NAMES = (
    "Amara", "Bao", "Cléo", "Deepa", "Elif", "Frida", "Gus", "Hana", "Ivo", "Júlia", "NA", "Kwame", "Leïla", "Mateo", "Nia", "Oskar",
    "Paz", "Rafał", "Sanaa", "Tomás", "Wren", "Yara", "D'Arcy", "Anne-Lise",
)  # fmt: skip
LAST_NAMES = (
    "Null", "O'Neill", "Álvarez", "Bergström", "de la Cruz", "Eze", "None", "Fujita", "Gómez-Reyes", "Hassan", "Ito", "Jensen", "王",
    "Lindqvist", "True", "McKay", "Novák", "Okoro", "Phạm", "Quispe", "St. Clair", "Vega",
)  # fmt: skip
SCHOOL_NAMES = ("Cedar Hill", "Rosa Parks", "Lakeview", "St. Brigid's", 'Jefferson "Jets"', "Harbor, East")


class Level(NamedTuple):
    """A kind of school: the CEDS codes of its grades, and its courses."""

    kind: str
    grades: tuple[str, ...]
    courses: tuple[str, ...]


LEVELS = (
    Level(
        kind="Elementary",
        grades=("KG", "01", "02", "03", "04", "05"),
        courses=("Homeroom", "Reading", "Math", "Science"),
    ),
    Level(kind="Middle School", grades=("06", "07", "08"), courses=("English", "Math", "Science", "History", "Art")),
    Level(kind="High School", grades=("09", "10", "11", "12"), courses=("English", "Algebra", "Biology", "Government")),
)
YEAR, FALL = ("08/17/2026", "06/04/2027"), ("2026-08-17", "2026-12-18")  # the second one in the date format of other systems
CLASS_SIZE = 24
STUDENTS_A_SCHOOL = 400
DOMAIN = "sample.example.org"


def district(students: int, random: Random) -> Rows:
    """Return the rows of a district of about `students` students (at least one for each grade of a school), by file."""
    schools = [_school(n) for n in range(max(len(LEVELS), round(students / STUDENTS_A_SCHOOL)))]
    places = [(school["school_id"], grade) for n, school in enumerate(schools) for grade in _level(n).grades]
    people = [_student(n, *places[n % len(places)], random) for n in range(max(students, 1))]
    rows: Rows = {"schools": schools, "students": people, "teachers": [], "sections": [], "enrollments": []}
    for number, school in enumerate(schools):
        pupils = [person for person in people if person["school_id"] == school["school_id"]]
        _fill_school(rows, school, _level(number), pupils)
    return rows


def next_day(rows: Rows, random: Random) -> tuple[Rows, tuple[SampleChange, ...]]:
    """Return the upload of the day after `rows`, and its changes: arrivals, moves, leavers, and invalid rows."""
    rows = {file: [dict(row) for row in of_file] for file, of_file in rows.items()}
    ids = [row["student_id"] for row in rows["students"]]
    few = len(ids) // 100 or min(1, len(ids) // 10)  # a very small district loses nobody
    chosen = random.sample(ids, min(len(ids), 2 * few + 2))
    changes = (
        _leave(rows, set(chosen[:few])),
        _rename(rows, set(chosen[few : 2 * few])),
        *_arrive(rows, few + 1, random),
        *_break(rows, chosen[2 * few :]),
    )
    return rows, tuple(change for change in changes if change.count)


def _level(n: int) -> Level:
    return LEVELS[n % len(LEVELS)]


def _school(n: int) -> Row:
    name = f"{SCHOOL_NAMES[n % len(SCHOOL_NAMES)]} {_level(n).kind}{f' {n}' if n >= len(SCHOOL_NAMES) else ''}"
    return {"school_id": f"{3 * (n + 1):03d}", "school_name": name}


def _student(n: int, school_id: str, grade: str, random: Random) -> Row:
    first = FIRST_NAMES[n % len(FIRST_NAMES)] if n < len(FIRST_NAMES) else random.choice(FIRST_NAMES)
    last = LAST_NAMES[n % len(LAST_NAMES)] if n < len(LAST_NAMES) else random.choice(LAST_NAMES)
    student_id = ("007", "7", "1E5")[n] if n < 3 else str(998 + n)
    return {
        "school_id": school_id,
        "student_id": student_id,
        "first_name": first,
        "last_name": last,
        "student_email": f"{student_id.lower()}@students.{DOMAIN}",
        "username": f"student{n + 1}",
        "grade": grade,
    }


def _teacher(school: Row, n: int) -> Row:
    teacher_id = str(1001 + n)  # students have such IDs too: the two files have separate ID spaces
    return {
        "school_id": school["school_id"],
        "teacher_id": teacher_id,
        "first_name": FIRST_NAMES[(5 * n + 1) % len(FIRST_NAMES)],
        "last_name": LAST_NAMES[(7 * n + 2) % len(LAST_NAMES)],
        "teacher_email": f"teacher{teacher_id}@{DOMAIN}",
    }


def _fill_school(rows: Rows, school: Row, level: Level, pupils: list[Row]) -> None:
    teachers = [_teacher(school, len(rows["teachers"]) + n) for n in range(max(4, len(pupils) // 16))]
    rows["teachers"] += teachers
    for grade in level.grades:
        of_grade = [person for person in pupils if person["grade"] == grade]
        for group, first in enumerate(range(0, len(of_grade), CLASS_SIZE), start=1):
            for period, course in enumerate(level.courses, start=1):
                section = _section(school, f"{course} {grade}", f"{period}{grade}-{group}", teachers, period + group)
                rows["sections"].append(section)
                rows["enrollments"] += [_enrollment(section, person) for person in of_grade[first : first + CLASS_SIZE]]
    rows["sections"].append(_section(school, "Study Hall", "SH", teachers, 1))  # a section without students


def _section(school: Row, course: str, number: str, teachers: list[Row], at: int) -> Row:
    colleagues = [teachers[(at + step) % len(teachers)]["teacher_id"] for step in range(4)]
    start, end = FALL if at % 3 == 0 else YEAR
    return {
        "school_id": school["school_id"],
        "section_id": f"{school['school_id']}-{number}",
        "teacher_id": colleagues[0],
        "course_name": course,
        "term_start": start,
        "term_end": end,
        "teacher_2_id": colleagues[1] if at % 2 else "",
        "teacher_3_id": colleagues[2] if at % 4 == 3 else "",
        "teacher_12_id": colleagues[3] if at % 5 == 4 else "",
    }


def _enrollment(section: Row, student: Row) -> Row:
    return {
        "school_id": section["school_id"],
        "section_id": section["section_id"],
        "student_id": student["student_id"],
    }


def _leave(rows: Rows, leavers: set[str]) -> SampleChange:
    for file in ("students", "enrollments"):
        rows[file] = [row for row in rows[file] if row["student_id"] not in leavers]
    return SampleChange(kind="removed", file="students", count=len(leavers), what="left the district, with their enrollments")


def _rename(rows: Rows, renamed: set[str]) -> SampleChange:
    for row in rows["students"]:
        if row["student_id"] in renamed:
            row["last_name"] = f"{row['last_name']}-Marsh"
    return SampleChange(kind="updated", file="students", count=len(renamed), what="have a new last name")


def _arrive(rows: Rows, count: int, random: Random) -> tuple[SampleChange, ...]:
    grades = {row["school_id"]: _level(n).grades[0] for n, row in enumerate(rows["schools"])}
    first = max(int(row["username"].removeprefix("student")) for row in rows["students"])
    for n in range(first, first + count):
        section = random.choice(rows["sections"])
        person = _student(n, section["school_id"], grades[section["school_id"]], random)
        rows["students"].append(person)
        rows["enrollments"].append(_enrollment(section, person))
    return (
        SampleChange(kind="created", file="students", count=count, what="are new"),
        SampleChange(kind="created", file="enrollments", count=count, what="are of the new students"),
    )


def _break(rows: Rows, chosen: list[str]) -> tuple[SampleChange, ...]:
    """Break some rows as exports do: a missing name, a grade that is no CEDS code, a reference to nothing."""
    if len(chosen) < 2:
        return ()
    nameless, graded = chosen[0], chosen[1]
    for row in rows["students"]:
        if row["student_id"] == nameless:
            row["last_name"] = ""
        elif row["student_id"] == graded:
            row["grade"] = "Kindergarten"
    rows["enrollments"].append({**rows["enrollments"][0], "student_id": "no-such-student"})
    return (
        SampleChange(
            kind="refused", file="students", count=1, what="lost the last name, which is required; the record stays as it was"
        ),
        SampleChange(kind="doubted", file="students", count=1, what="has a grade that is no CEDS code; it is left empty"),
        SampleChange(kind="refused", file="enrollments", count=1, what="names a student who is in no file"),
    )
