"""A synthetic Clever district, and its next day: data that the specs cannot generate."""

from __future__ import annotations

from random import Random
from typing import NamedTuple

from roster_etl.spec.sample_district import (
    DOMAIN,
    FIRST_NAMES,
    LAST_NAMES,
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
from roster_etl.vendors.clever.students import CONTACT_COLUMNS

SCHOOL_NAMES = (
    "Lincoln",
    "Harriet Tubman",
    "Riverside",
    "Cesar Chavez",
    "St. Mary's",
    "Mission, North",
    'Franklin "Hawks"',
    "Ada Lovelace",
)


class Slot(NamedTuple):
    """The place of a section in its school's timetable."""

    school_id: str
    grade: str
    group: int
    period: int


# Courses: name, number, subject; a blank subject is for the importer to infer.
LEVELS = (
    Level(
        kind="Elementary School",
        grades=("Kindergarten", "1", "2", "3", "4", "5"),
        courses=(
            ("Homeroom", "HR", "Homeroom/advisory"),
            ("Language Arts", "LA", "English/language arts"),
            ("Math", "MA", ""),
            ("Science", "SC", "Science"),
            ("Art", "AR", ""),
        ),
    ),
    Level(
        kind="Middle School",
        grades=("6", "7", "8"),
        courses=(
            ("English", "EN", "English/language arts"),
            ("Math", "MA", "Math"),
            ("Life Science", "LS", ""),
            ("Social Studies", "SS", "Social studies"),
            ("Physical Education", "PE", ""),
            ("Spanish", "SP", "Language"),
        ),
    ),
    Level(
        kind="High School",
        grades=("9", "10", "11", "12"),
        courses=(
            ("English", "EN", ""),
            ("Algebra", "AL", ""),
            ("Biology", "BI", "Science"),
            ("World History", "WH", ""),
            ("Robotics", "RO", "Technology and engineering"),
            ("Health", "HE", "PE and health"),
        ),
    ),
)
TERMS = (("Year", "08/17/2026", "06/04/2027"), ("S1", "08/17/2026", "12/18/2026"), ("S2", "01/04/2027", "06/04/2027"))
CONTACTS = (
    ("Mother", "guardian"),
    ("Father", "guardian"),
    ("Aunt", "emergency"),
    ("Grandfather", "family"),
    ("Neighbor", "emergency"),
)
STREETS = ("Oak Street", "Maple Avenue, Apt 4", 'Cañada Road "Rear"', "St. Mary's Lane", "1st Street")


def district(students: int, random: Random) -> Rows:
    """Return the rows of a district of about `students` students (at least one for each grade of a school), by file."""
    schools = [_school(n) for n in range(count_schools(students, LEVELS))]
    rows: Rows = {"schools": schools, "teachers": [], "students": [], "sections": [], "enrollments": [], "staff": _staff(schools)}
    places = places_of((school["School_id"] for school in schools), LEVELS)
    people = [_student(n, *cycled(places, n), random) for n in range(max(students, 1))]
    for number, school in enumerate(schools):
        pupils = [person for person in people if person["School_id"] == school["School_id"]]
        _fill_school(rows, school, cycled(LEVELS, number), pupils, random)
    for person in people:
        rows["students"] += _with_contacts(person, random)
    return rows


def next_day(rows: Rows, random: Random) -> tuple[Rows, tuple[SampleChange, ...]]:
    """Return the upload of the day after `rows`, and what is different: arrivals, moves, leavers, and broken rows."""
    day = NextDay(rows, random, (row["Student_id"] for row in rows["students"]))
    leavers, renamed, movers, *broken = day.choose(4, spare=2)
    day.remove(leavers, {"students": "Student_id", "enrollments": "Student_id"}, "left the district, with their enrollments")
    day.rename(renamed, "students", "Student_id", "Last_name")
    _move(day, movers)
    _add_new_students(day)
    _corrupt_rows(day, [person for group in broken for person in group])
    return day.result()


def _school(n: int) -> Row:
    level = cycled(LEVELS, n)
    return {
        "School_id": f"{7 * (n + 1):03d}",
        "School_name": school_name(n, SCHOOL_NAMES, level.kind),
        "School_number": f"{n + 1:04d}",
        "Low_grade": level.grades[0],
        "High_grade": level.grades[-1],
        "Principal": f"{cycled(FIRST_NAMES, 5 * n)} {cycled(LAST_NAMES, n)}",
        "Principal_email": f"principal{n + 1}@{DOMAIN}",
        "State_id": f"{4400000 + n}",
        "School_state": "CA",
        "School_address": f"{100 * (n + 1)} Main Street{', Building B' if n % 2 else ''}",
        "School_city": "Springfield",
        "School_zip": f"{1001 + n:05d}",
        "School_phone": f"555201{n % 10000:04d}",
        "ext.mascot": ("Hawks", "Bears", "Golden, Eagles")[n % 3],
    }


def _student(n: int, school_id: str, grade: str, random: Random) -> Row:
    first, last = student_name(n, random)
    years = 5 if grade == "Kindergarten" else 5 + int(grade)
    return {
        "School_id": school_id,
        "Student_id": student_id(n),
        "Student_number": f"{n + 1:06d}",
        "State_id": f"S{n + 1:09d}",
        "First_name": first,
        "Last_name": last,
        "Preferred_last_name": "",
        "Preferred_middle_name": "",
        "Preferred_first_name": random.choice(("", "", "", "Sam", "Zé")),
        "Middle_name": random.choice(("", "", "A.", "Lee", "María")),
        "Grade": grade,
        "DOB": f"{random.randint(1, 12):02d}/{random.randint(1, 28):02d}/{2026 - years}",
        "Graduation_year": str(2027 + 17 - years),
        "Home_language": random.choice(("English", "Spanish", "Vietnamese", "")),
        "Student_street": f"{random.randint(1, 9999)} {random.choice(STREETS)}",
        "Student_city": "Springfield",
        "Student_state": "CA",
        "Student_zip": f"{random.randint(1001, 1099):05d}",
        "Student_email": f"{student_id(n).lower()}@students.{DOMAIN}",
        "Username": f"student{n + 1}",
        "Disability_type": "",
        "ext.bus_route": random.choice(("12", "07", "")),
    }


def _with_contacts(person: Row, random: Random) -> list[Row]:
    count = random.choice((0, 1, 1, 2, 2, 3))
    kinds = random.sample(CONTACTS, count)
    return [person | _contact(person, n, *kind, random) for n, kind in enumerate(kinds)] or [
        person | dict.fromkeys(CONTACT_COLUMNS, "")
    ]


def _contact(person: Row, n: int, relationship: str, kind: str, random: Random) -> Row:
    own_id = f"C{person['Student_id']}-{n + 1}" if int(person["Student_number"]) % 2 else ""
    return {
        "Contact_relationship": relationship,
        "Contact_type": kind,
        "Contact_name": f"{random.choice(FIRST_NAMES)} {person['Last_name']}",
        "Contact_phone": f"555{random.randint(2000000, 9999999)}",
        "Contact_phone_type": random.choice(("Cell", "Home", "Work")),
        "Contact_email": f"family{person['Student_number']}.{n + 1}@{DOMAIN}" if n == 0 else "",
        "Contact_sis_id": own_id,
    }


def _fill_school(rows: Rows, school: Row, level: Level[tuple[str, str, str]], pupils: list[Row], random: Random) -> None:
    teachers = [_teacher(school, len(rows["teachers"]) + n) for n in range(max(3, len(pupils) // 16))]
    rows["teachers"] += teachers
    for grade, group, members in classes(level, pupils, "Grade"):
        for period, course in enumerate(level.courses, start=1):
            slot = Slot(school["School_id"], grade, group, period)
            _enroll(rows, _section(slot, course, teachers, random), members)
    singers = pupils[::5]
    if singers:
        _enroll(rows, _choir(school, _all_grades(level), teachers), singers)


def _all_grades(level: Level[tuple[str, str, str]]) -> str:
    numbers = [grade for grade in level.grades if grade.isdigit()]
    return f"{numbers[0]}-{numbers[-1]}"


def _enroll(rows: Rows, section: Row, pupils: list[Row]) -> None:
    rows["sections"].append(section)
    rows["enrollments"] += [_enrollment(section, person["Student_id"]) for person in pupils]


def _enrollment(section: Row, student_id: str) -> Row:
    return {"School_id": section["School_id"], "Section_id": section["Section_id"], "Student_id": student_id}


def _teacher(school: Row, n: int) -> Row:
    teacher_id = str(1001 + n)  # students have such IDs too: the two files have separate ID spaces
    return {
        "School_id": school["School_id"],
        "Teacher_id": teacher_id,
        "Teacher_number": f"{n + 1:05d}",
        "State_teacher_id": f"{8000000 + n}",
        "Middle_name": "",
        "Teacher_email": f"teacher{teacher_id}@{DOMAIN}",
        "First_name": cycled(FIRST_NAMES, 3 * n + 1),
        "Last_name": cycled(LAST_NAMES, 5 * n + 2),
        "Title": "Teacher",
        "Username": f"teacher{teacher_id}",
    }


def _section(slot: Slot, course: tuple[str, str, str], teachers: list[Row], random: Random) -> Row:
    school_id, grade, group, period = slot
    name, number, subject = course
    term, start, end = TERMS[0] if period < 5 else random.choice(TERMS[1:])
    at = period + 2 * group + ord(grade[0]) + ord(grade[-1])
    colleagues = [cycled(teachers, at + step)["Teacher_id"] for step in (0, 1, 2)]
    return {
        "School_id": school_id,
        "Section_id": f"{school_id}-{number}{_short(grade)}-{group}",
        "Teacher_id": colleagues[0],
        "Teacher_2_id": colleagues[1] if period == 2 else "",
        "Teacher_3_id": colleagues[2] if period == 2 and group == 1 else "",
        "Name": "",
        "Section_number": str(group),
        "Grade": grade if period != 3 else "",
        "Course_name": f"{name} {grade}",
        "Course_number": f"{number}{_short(grade)}",
        "Course_description": f"{name}, grade {grade}",
        "Period": str(period),
        "Subject": subject,
        "Term_name": term,
        "Term_start": start,
        "Term_end": end,
        "ext.room": f"{100 * group + period}",
    }


def _short(grade: str) -> str:
    return "K" if grade == "Kindergarten" else grade


def _choir(school: Row, grades: str, teachers: list[Row]) -> Row:
    term, start, end = TERMS[0]
    return {
        "School_id": school["School_id"],
        "Section_id": f"{school['School_id']}-CHOIR",
        "Teacher_id": teachers[-1]["Teacher_id"],
        "Name": "Choir, all grades",
        "Section_number": "1",
        "Grade": grades,
        "Course_name": "",
        "Course_number": "",
        "Course_description": "",
        "Period": "7",
        "Subject": "",
        "Term_name": term,
        "Term_start": start,
        "Term_end": end,
    }


def _staff(schools: list[Row]) -> list[Row]:
    people = [
        _employee("1", "DEFAULT_DISTRICT_OFFICE", "Superintendent", "Office", ""),
        _employee("2", "district", "Director of Technology", "Technology", ""),
        _employee("3", schools[0]["School_id"], "Coach", "Technology", "stl"),
        _employee("3", schools[1]["School_id"], "Coach", "Technology", ""),
    ]
    return people + [_employee(str(4 + n), school["School_id"], "Principal", "Office", "") for n, school in enumerate(schools)]


def _employee(number: str, school_id: str, title: str, department: str, role: str) -> Row:
    return {
        "School_id": school_id,
        "Staff_id": number.zfill(3),
        "Staff_email": f"staff{number}@{DOMAIN}",
        "First_name": cycled(FIRST_NAMES, 7 * int(number)),
        "Last_name": cycled(LAST_NAMES, 11 * int(number)),
        "Department": department,
        "Title": title,
        "Username": f"staff{number}",
        "Role": role,
    }


def _move(day: NextDay, movers: list[str]) -> None:
    """Move each of `movers` from the first of their sections to another one of that school."""
    schools = {row["Section_id"]: row["School_id"] for row in day.rows["sections"]}
    taken = {(row["Student_id"], row["Section_id"]) for row in day.rows["enrollments"]}
    waiting, moved = set(movers), 0
    for row in day.rows["enrollments"]:
        student = row["Student_id"]
        if student not in waiting:
            continue
        waiting.discard(student)
        free = [s for s, school in schools.items() if school == row["School_id"] and (student, s) not in taken]
        if free:
            row["Section_id"] = free[0]
            moved += 1
    day.note("updated", "enrollments", moved, "changed from one section to another")


def _add_new_students(day: NextDay) -> None:
    first = max(int(row["Student_number"]) for row in day.rows["students"])
    grades = {row["School_id"]: row["Low_grade"] for row in day.rows["schools"]}
    for n in range(first, first + day.few + 1):
        section = day.random.choice(day.rows["sections"])
        person = _student(n, section["School_id"], grades[section["School_id"]], day.random)
        day.rows["students"] += _with_contacts(person, day.random)
        day.rows["enrollments"].append(_enrollment(section, person["Student_id"]))
    day.note_arrivals("students", "enrollments")


def _rows_of(day: NextDay, student: str) -> str:
    """Return how many rows a student has, one for each contact, in words."""
    count = sum(row["Student_id"] == student for row in day.rows["students"])
    return f"{count} row{'s' * (count != 1)}"


def _corrupt_rows(day: NextDay, chosen: list[str]) -> None:
    """Break a few rows as exports do: a lost name, a date that does not exist, a reference to nothing."""
    if len(chosen) < 2:
        return
    nameless, undated = (_rows_of(day, student) for student in (chosen[0], chosen[-1]))
    day.set_cell("students", "Student_id", chosen[-1], "DOB", "02/30/2012")
    day.set_cell("students", "Student_id", chosen[0], "Last_name", "")
    day.rows["enrollments"].append(_enrollment(day.rows["sections"][0], "no-such-student"))
    day.note("refused", "students", 1, f"lost the last name, which is required, in {nameless}; the record stays as it was")
    day.note("doubted", "students", 1, f"has a date of birth that does not exist, in {undated}; it is left empty")
    day.note("refused", "enrollments", 1, "names a student who is in no file")
