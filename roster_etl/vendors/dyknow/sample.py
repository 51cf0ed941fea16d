"""A synthetic Dyknow district, and its next day: data that the specs cannot generate."""

from __future__ import annotations

from random import Random

from roster_etl.spec.sample_district import (
    DOMAIN,
    Level,
    NextDay,
    classes,
    count_schools,
    cycled,
    places_of,
    school_name,
    student_id,
    student_name,
)
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
LEVELS = (
    Level(
        kind="Elementary",
        grades=("KG", "01", "02", "03", "04", "05"),
        courses=("Homeroom", "Reading", "Math", "Science"),
    ),
    Level(kind="Middle School", grades=("06", "07", "08"), courses=("English", "Math", "Science", "History", "Art")),
    Level(kind="High School", grades=("09", "10", "11", "12"), courses=("English", "Algebra", "Biology", "Government")),
)
YEAR, FALL = ("08/17/2026", "06/04/2027"), ("2026-08-17", "2026-12-18")  # the second one as other systems write days


def district(students: int, random: Random) -> Rows:
    """Return the rows of a district of about `students` students (at least one for each grade of a school), by file."""
    schools = [_school(n) for n in range(count_schools(students, LEVELS))]
    places = places_of((school["school_id"] for school in schools), LEVELS)
    people = [_student(n, *cycled(places, n), random) for n in range(max(students, 1))]
    rows: Rows = {"schools": schools, "students": people, "teachers": [], "sections": [], "enrollments": []}
    for number, school in enumerate(schools):
        pupils = [person for person in people if person["school_id"] == school["school_id"]]
        _fill_school(rows, school, cycled(LEVELS, number), pupils)
    return rows


def next_day(rows: Rows, random: Random) -> tuple[Rows, tuple[SampleChange, ...]]:
    """Return the upload of the day after `rows`, and what is different: arrivals, moves, leavers, and broken rows."""
    day = NextDay(rows, random, (row["student_id"] for row in rows["students"]))
    leavers, renamed, broken = day.choose(2, spare=2)
    day.remove(leavers, {"students": "student_id", "enrollments": "student_id"}, "left the district, with their enrollments")
    day.rename(renamed, "students", "student_id", "last_name", "-Marsh")
    _add_new_students(day)
    _corrupt_rows(day, broken)
    return day.result()


def _school(n: int) -> Row:
    return {"school_id": f"{3 * (n + 1):03d}", "school_name": school_name(n, SCHOOL_NAMES, cycled(LEVELS, n).kind)}


def _student(n: int, school_id: str, grade: str, random: Random) -> Row:
    first, last = student_name(n, random, FIRST_NAMES, LAST_NAMES)
    return {
        "school_id": school_id,
        "student_id": student_id(n),
        "first_name": first,
        "last_name": last,
        "student_email": f"{student_id(n).lower()}@students.{DOMAIN}",
        "username": f"student{n + 1}",
        "grade": grade,
    }


def _teacher(school: Row, n: int) -> Row:
    teacher_id = str(1001 + n)  # students have such IDs too: the two files have separate ID spaces
    return {
        "school_id": school["school_id"],
        "teacher_id": teacher_id,
        "first_name": cycled(FIRST_NAMES, 5 * n + 1),
        "last_name": cycled(LAST_NAMES, 7 * n + 2),
        "teacher_email": f"teacher{teacher_id}@{DOMAIN}",
    }


def _fill_school(rows: Rows, school: Row, level: Level[str], pupils: list[Row]) -> None:
    teachers = [_teacher(school, len(rows["teachers"]) + n) for n in range(max(4, len(pupils) // 16))]
    rows["teachers"] += teachers
    for grade, group, members in classes(level, pupils, "grade"):
        for period, course in enumerate(level.courses, start=1):
            section = _section(school, f"{course} {grade}", f"{period}{grade}-{group}", teachers, period + group)
            rows["sections"].append(section)
            rows["enrollments"] += [_enrollment(section, person) for person in members]
    rows["sections"].append(_section(school, "Study Hall", "SH", teachers, 1))  # nobody is in it yet


def _section(school: Row, course: str, number: str, teachers: list[Row], at: int) -> Row:
    colleagues = [cycled(teachers, at + step)["teacher_id"] for step in range(4)]
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
    return {"school_id": section["school_id"], "section_id": section["section_id"], "student_id": student["student_id"]}


def _add_new_students(day: NextDay) -> None:
    grades = {row["school_id"]: cycled(LEVELS, n).grades[0] for n, row in enumerate(day.rows["schools"])}
    first = max(int(row["username"].removeprefix("student")) for row in day.rows["students"])
    for n in range(first, first + day.few + 1):
        section = day.random.choice(day.rows["sections"])
        person = _student(n, section["school_id"], grades[section["school_id"]], day.random)
        day.rows["students"].append(person)
        day.rows["enrollments"].append(_enrollment(section, person))
    day.note_arrivals("students", "enrollments")


def _corrupt_rows(day: NextDay, chosen: list[str]) -> None:
    """Break a few rows as exports do: a lost name, a grade that is no CEDS code, a reference to nothing."""
    if len(chosen) < 2:
        return
    day.set_cell("students", "student_id", chosen[0], "last_name", "")
    day.set_cell("students", "student_id", chosen[1], "grade", "Kindergarten")
    day.rows["enrollments"].append({**day.rows["enrollments"][0], "student_id": "no-such-student"})
    day.note("refused", "students", 1, "lost the last name, which is required; the record stays as it was")
    day.note("doubted", "students", 1, "has a grade that is no CEDS code; it is left empty")
    day.note("refused", "enrollments", 1, "names a student who is in no file")
