"""A synthetic Clever district, and its next day: data that the specs cannot generate.

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


class Level(NamedTuple):
    """A kind of school. Courses: name, number, subject; the importer infers a blank subject."""

    kind: str
    grades: tuple[str, ...]
    all_grades: str
    courses: tuple[tuple[str, str, str], ...]


class Slot(NamedTuple):
    """The place of a section in its school's timetable."""

    school_id: str
    grade: str
    group: int
    period: int


LEVELS = (
    Level(
        kind="Elementary School",
        grades=("Kindergarten", "1", "2", "3", "4", "5"),
        all_grades="1-5",
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
        all_grades="6-8",
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
        all_grades="9-12",
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
NO_CONTACT = {
    "Contact_relationship": "",
    "Contact_type": "",
    "Contact_name": "",
    "Contact_phone": "",
    "Contact_phone_type": "",
    "Contact_email": "",
    "Contact_sis_id": "",
}
STREETS = ("Oak Street", "Maple Avenue, Apt 4", 'Cañada Road "Rear"', "St. Mary's Lane", "1st Street")
CLASS_SIZE = 24
STUDENTS_A_SCHOOL = 400
DOMAIN = "sample.example.org"


def district(students: int, random: Random) -> Rows:
    """Return the rows of a district of about `students` students (at least one for each grade of a school), by file."""
    schools = [_school(n) for n in range(max(len(LEVELS), round(students / STUDENTS_A_SCHOOL)))]
    rows: Rows = {"schools": schools, "teachers": [], "students": [], "sections": [], "enrollments": [], "staff": _staff(schools)}
    people = _people(schools, students, random)
    for number, school in enumerate(schools):
        pupils = [person for person in people if person["School_id"] == school["School_id"]]
        _fill_school(rows, school, LEVELS[number % len(LEVELS)], pupils, random)
    for person in people:
        rows["students"] += _with_contacts(person, random)
    return rows


def next_day(rows: Rows, random: Random) -> tuple[Rows, tuple[SampleChange, ...]]:
    """Return the upload of the day after `rows`, and its changes: arrivals, moves, leavers, and invalid rows."""
    rows = {file: [dict(row) for row in of_file] for file, of_file in rows.items()}
    ids = list(dict.fromkeys(row["Student_id"] for row in rows["students"]))
    few = len(ids) // 100 or min(1, len(ids) // 10)  # a very small district loses nobody
    chosen = random.sample(ids, min(len(ids), 4 * few + 2))
    leavers, renamed, movers = set(chosen[:few]), set(chosen[few : 2 * few]), set(chosen[2 * few : 3 * few])
    changes = (
        _leave(rows, leavers),
        _rename(rows, renamed),
        _move(rows, movers),
        *_arrive(rows, few + 1, random),
        *_break(rows, chosen[3 * few :]),
    )
    return rows, tuple(change for change in changes if change.count)


def _school(n: int) -> Row:
    level = LEVELS[n % len(LEVELS)]
    principal = f"{FIRST_NAMES[(5 * n) % len(FIRST_NAMES)]} {LAST_NAMES[n % len(LAST_NAMES)]}"
    return {
        "School_id": f"{7 * (n + 1):03d}",
        "School_name": f"{SCHOOL_NAMES[n % len(SCHOOL_NAMES)]} {level.kind}{f' {n}' if n >= len(SCHOOL_NAMES) else ''}",
        "School_number": f"{n + 1:04d}",
        "Low_grade": level.grades[0],
        "High_grade": level.grades[-1],
        "Principal": principal,
        "Principal_email": f"principal{n + 1}@{DOMAIN}",
        "State_id": f"{4400000 + n}",
        "School_state": "CA",
        "School_address": f"{100 * (n + 1)} Main Street{', Building B' if n % 2 else ''}",
        "School_city": "Springfield",
        "School_zip": f"{1001 + n:05d}",
        "School_phone": f"555201{n % 10000:04d}",
        "ext.mascot": ("Hawks", "Bears", "Golden, Eagles")[n % 3],
    }


def _people(schools: list[Row], students: int, random: Random) -> list[Row]:
    places = [(school["School_id"], grade) for n, school in enumerate(schools) for grade in LEVELS[n % len(LEVELS)].grades]
    return [_student(n, *places[n % len(places)], random) for n in range(max(students, 1))]


def _student(n: int, school_id: str, grade: str, random: Random) -> Row:
    first = FIRST_NAMES[n % len(FIRST_NAMES)] if n < len(FIRST_NAMES) else random.choice(FIRST_NAMES)
    last = LAST_NAMES[n % len(LAST_NAMES)] if n < len(LAST_NAMES) else random.choice(LAST_NAMES)
    years = 5 if grade == "Kindergarten" else 5 + int(grade)
    student_id = ("007", "7", "1E5")[n] if n < 3 else str(998 + n)
    return {
        "School_id": school_id,
        "Student_id": student_id,
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
        "Student_email": f"{student_id.lower()}@students.{DOMAIN}",
        "Username": f"student{n + 1}",
        "Disability_type": "",
        "ext.bus_route": random.choice(("12", "07", "")),
    }


def _with_contacts(person: Row, random: Random) -> list[Row]:
    count = random.choice((0, 1, 1, 2, 2, 3))
    kinds = random.sample(CONTACTS, count)
    return [person | _contact(person, n, *kind, random) for n, kind in enumerate(kinds)] or [person | NO_CONTACT]


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


def _fill_school(rows: Rows, school: Row, level: Level, pupils: list[Row], random: Random) -> None:
    teachers = [_teacher(school, len(rows["teachers"]) + n) for n in range(max(3, len(pupils) // 16))]
    rows["teachers"] += teachers
    for grade in level.grades:
        of_grade = [person for person in pupils if person["Grade"] == grade]
        for group, first in enumerate(range(0, len(of_grade), CLASS_SIZE), start=1):
            for period, course in enumerate(level.courses, start=1):
                slot = Slot(school["School_id"], grade, group, period)
                _enroll(rows, _section(slot, course, teachers, random), of_grade[first : first + CLASS_SIZE])
    singers = pupils[::5]
    if singers:
        _enroll(rows, _choir(school, level.all_grades, teachers), singers)


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
        "First_name": FIRST_NAMES[(3 * n + 1) % len(FIRST_NAMES)],
        "Last_name": LAST_NAMES[(5 * n + 2) % len(LAST_NAMES)],
        "Title": "Teacher",
        "Username": f"teacher{teacher_id}",
    }


def _section(slot: Slot, course: tuple[str, str, str], teachers: list[Row], random: Random) -> Row:
    school_id, grade, group, period = slot
    name, number, subject = course
    term, start, end = TERMS[0] if period < 5 else random.choice(TERMS[1:])
    at = (period + 2 * group + ord(grade[0]) + ord(grade[-1])) % len(teachers)
    colleagues = [teachers[(at + step) % len(teachers)]["Teacher_id"] for step in (0, 1, 2)]
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
        "First_name": FIRST_NAMES[(7 * int(number)) % len(FIRST_NAMES)],
        "Last_name": LAST_NAMES[(11 * int(number)) % len(LAST_NAMES)],
        "Department": department,
        "Title": title,
        "Username": f"staff{number}",
        "Role": role,
    }


def _leave(rows: Rows, leavers: set[str]) -> SampleChange:
    for file in ("students", "enrollments"):
        rows[file] = [row for row in rows[file] if row["Student_id"] not in leavers]
    return SampleChange(kind="removed", file="students", count=len(leavers), what="left the district, with their enrollments")


def _rename(rows: Rows, renamed: set[str]) -> SampleChange:
    for row in rows["students"]:
        if row["Student_id"] in renamed:
            row["Last_name"] = f"{row['Last_name']}-Rivera"
    return SampleChange(kind="updated", file="students", count=len(renamed), what="have a new last name")


def _move(rows: Rows, movers: set[str]) -> SampleChange:
    """Move each of `movers` from the first of their sections to another one at the same school."""
    schools = {row["Section_id"]: row["School_id"] for row in rows["sections"]}
    taken = {(row["Student_id"], row["Section_id"]) for row in rows["enrollments"]}
    waiting, moved = set(movers), 0
    for row in rows["enrollments"]:
        student = row["Student_id"]
        if student not in waiting:
            continue
        waiting.discard(student)
        free = [s for s, school in schools.items() if school == row["School_id"] and (student, s) not in taken]
        if free:
            row["Section_id"] = free[0]
            moved += 1
    return SampleChange(kind="updated", file="enrollments", count=moved, what="changed from one section to another")


def _arrive(rows: Rows, count: int, random: Random) -> tuple[SampleChange, ...]:
    first = max(int(row["Student_number"]) for row in rows["students"])
    for n in range(first, first + count):
        section = random.choice(rows["sections"])
        grade = next((row["Low_grade"] for row in rows["schools"] if row["School_id"] == section["School_id"]), "1")
        person = _student(n, section["School_id"], grade, random)
        rows["students"] += _with_contacts(person, random)
        rows["enrollments"].append(_enrollment(section, person["Student_id"]))
    return (
        SampleChange(kind="created", file="students", count=count, what="are new"),
        SampleChange(kind="created", file="enrollments", count=count, what="are of the new students"),
    )


def _rows_of(rows: Rows, student: str) -> str:
    """Return the number of rows of a student, one for each contact, as text."""
    count = sum(row["Student_id"] == student for row in rows["students"])
    return f"{count} row{'s' * (count != 1)}"


def _break(rows: Rows, chosen: list[str]) -> tuple[SampleChange, ...]:
    """Break some rows as exports do: a missing name, a date that does not exist, a reference to nothing."""
    if len(chosen) < 2:
        return ()
    nameless, undated = chosen[0], chosen[-1]
    nameless_rows, undated_rows = (_rows_of(rows, student) for student in (nameless, undated))
    for row in rows["students"]:
        if row["Student_id"] == nameless:
            row["Last_name"] = ""
        elif row["Student_id"] == undated:
            row["DOB"] = "02/30/2012"
    rows["enrollments"].append(_enrollment(rows["sections"][0], "no-such-student"))
    return (
        SampleChange(
            kind="refused",
            file="students",
            count=1,
            what=f"lost the last name, which is required, in {nameless_rows}; the record stays as it was",
        ),
        SampleChange(
            kind="doubted",
            file="students",
            count=1,
            what=f"has a date of birth that does not exist, in {undated_rows}; it is left empty",
        ),
        SampleChange(kind="refused", file="enrollments", count=1, what="names a student who is in no file"),
    )
