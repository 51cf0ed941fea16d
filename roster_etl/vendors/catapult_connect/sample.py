"""A synthetic CatapultCONNECT district, and its next day: data that the specs cannot generate.

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
SITE_NAMES = ("Lincoln", "Harriet Tubman", "Riverside", "St. Mary's", "Mission, North", 'Franklin "Hawks"')


class Level(NamedTuple):
    """A kind of school. Courses: name, number, period; a course with a blank number is identified by its name only."""

    kind: str
    grades: tuple[str, ...]
    courses: tuple[tuple[str, str, str], ...]


LEVELS = (
    Level(
        kind="Elementary School",
        grades=("TK", "K", "1", "2", "3", "4", "5"),
        courses=(("Homeroom", "", "homeroom"), ("Language Arts", "LA", "0"), ("Math", "MA", "0")),
    ),
    Level(
        kind="High School",
        grades=("9", "10", "11", "12"),
        courses=(
            ("Jazz Band", "", "0"),
            ("English", "EN", "1"),
            ("Algebra", "AL", "2"),
            ("Biology", "BI", "3"),
            ("World History", "WH", "4A"),
        ),
    ),
)
CODES = ("010", "20", "1E1", "DHS")  # codes of the first sites: all of them are text
CLASS_SIZE = 24
STUDENTS_A_SCHOOL = 400
SHARE_ABSENT = 20  # one student in this many
DOMAIN = "sample.example.org"
TODAY, TOMORROW = "09/14/26", "09/15/26"


def district(students: int, random: Random) -> Rows:
    """Return the rows of a district of about `students` students (at least one), by file."""
    count = max(len(LEVELS), round(students / STUDENTS_A_SCHOOL))
    codes = [CODES[n] if n < len(CODES) else f"S{n:03d}" for n in range(count)]
    rows: Rows = {"staff": [], "students": [], "staff_to_student": [], "attendance": [], "schools": []}
    places = [(n, grade) for n in range(count) for grade in LEVELS[n % len(LEVELS)].grades]
    people = [_student(n, codes[places[n % len(places)][0]], places[n % len(places)][1], random) for n in range(max(students, 1))]
    for n, code in enumerate(codes):
        pupils = [person for person in people if person["School"] == code]
        _fill_school(rows, n, code, pupils)
        rows["schools"].append(_site(n, code))
    rows["staff"] += _shared_staff(codes)
    rows["schools"].append(_field_house(codes[0]))
    rows["students"] = people
    rows["attendance"] = _absences(rows, TODAY, random)
    return rows


def next_day(rows: Rows, random: Random) -> tuple[Rows, tuple[SampleChange, ...]]:
    """Return the upload of the day after `rows`, and its changes. It lacks the site file, which is uploaded once."""
    rows = {file: [dict(row) for row in of_file] for file, of_file in rows.items() if file != "schools"}
    ids = list(dict.fromkeys(row["ID"] for row in rows["students"]))
    few = len(ids) // 100 or min(1, len(ids) // 10)  # a very small district loses nobody
    chosen = random.sample(ids, min(len(ids), 2 * few + 2))
    leavers, renamed = set(chosen[:few]), set(chosen[few : 2 * few])
    changes = (
        _leave(rows, leavers),
        _rename(rows, renamed),
        *_arrive(rows, few + 1, random),
        *_break(rows, chosen[2 * few :]),
    )
    rows["attendance"] = _absences(rows, TOMORROW, random)
    return rows, tuple(change for change in changes if change.count)


def _student(n: int, school: str, grade: str, random: Random) -> Row:
    first = FIRST_NAMES[n % len(FIRST_NAMES)] if n < len(FIRST_NAMES) else random.choice(FIRST_NAMES)
    last = LAST_NAMES[n % len(LAST_NAMES)] if n < len(LAST_NAMES) else random.choice(LAST_NAMES)
    student_id = ("007", "7", "1E5")[n] if n < 3 else str(998 + n)
    return {
        "ID": student_id,
        "School": school,
        "Name.First": first,
        "Name.Last": last,
        "MobileNumber": _phone(random) if grade in LEVELS[1].grades else "",
        "Email": f"{student_id.lower()}@students.{DOMAIN}",
        **_contact("Primary", f"{random.choice(FIRST_NAMES)} {last}", n, random),
        **(_contact("Secondary", f"{random.choice(FIRST_NAMES)} {last}", n, random) if n % 3 else _no_contact("Secondary")),
        "ZipCode": f"{random.randint(1001, 1099):05d}",
        "Grade": grade,
        "BusRoute": random.choice(("", "07", "12", "Red")),
        "LunchBalance": random.choice(("", "0", "12.50", "-3.25")),
        "PrimaryLanguage": random.choice(("English", "Spanish", "Vietnamese", "")),
        "PreferredContactMethod": random.choice(("Text", "Email", "Voice", "")),
    }


def _contact(kind: str, name: str, n: int, random: Random) -> Row:
    return {
        f"ContactName{kind}": name,
        f"ContactPhone{kind}": _phone(random),
        f"ContactEmail{kind}": f"family{n + 1}.{kind.lower()}@{DOMAIN}" if n % 2 else "",
    }


def _no_contact(kind: str) -> Row:
    return {f"ContactName{kind}": "", f"ContactPhone{kind}": "", f"ContactEmail{kind}": ""}


def _phone(random: Random) -> str:
    number = str(random.randint(2000000, 9999999))
    return random.choice((f"555{number}", f"(555) {number[:3]}-{number[3:]}", f"555-{number[:3]}-{number[3:]}"))


def _site(n: int, code: str) -> Row:
    return {
        "School Site Name": _site_name(n),
        "Address": f"{100 * (n + 1)} Main Street, Springfield, CA {1001 + n:05d}",
        "Phone Number": f"(555) 201-{n % 10000:04d}",
        "Merge with Site ID": code,
    }


def _site_name(n: int) -> str:
    name = SITE_NAMES[n % len(SITE_NAMES)]
    return f"{name} {LEVELS[n % len(LEVELS)].kind}{f' {n}' if n >= len(SITE_NAMES) else ''}"


def _field_house(code: str) -> Row:
    return {
        "School Site Name": "Field House",
        "Address": "1 Stadium Way, Springfield, CA 01001",
        "Phone Number": "5552019999",
        "Merge with Site ID": code,
    }


def _fill_school(rows: Rows, n: int, code: str, pupils: list[Row]) -> None:
    level = LEVELS[n % len(LEVELS)]
    teachers = [_teacher(code, len(rows["staff"]) + k) for k in range(max(3, len(pupils) // 16))]
    rows["staff"] += [*teachers, _employee(f"P{n + 1:03d}", code, "Principal", 7 * n + 3)]
    for place, grade in enumerate(level.grades):
        of_grade = [person for person in pupils if person["Grade"] == grade]
        for group, first in enumerate(range(0, len(of_grade), CLASS_SIZE), start=1):
            for at, course in enumerate(level.courses):
                teacher = teachers[(place + group + (at if level is LEVELS[1] else 0)) % len(teachers)]
                cell = _class(code, teacher["ID"], grade, group, course)
                rows["staff_to_student"] += [{**cell, "Student": person["ID"]} for person in of_grade[first : first + CLASS_SIZE]]


def _class(code: str, teacher: str, grade: str, group: int, course: tuple[str, str, str]) -> Row:
    name, number, period = course
    return {
        "School": code,
        "Teacher": teacher,
        "Period": period,
        "Name": f"{name} {grade}",
        "Course_number": f"{number}{grade}" if number else "",
        "Section_number": str(group) if number else "",
    }


def _teacher(code: str, n: int) -> Row:
    return _employee(str(1001 + n), code, "Teacher" if n % 4 else "Instructor", 3 * n + 1)  # students have such IDs too


def _employee(staff_id: str, code: str, title: str, n: int) -> Row:
    return {
        "ID": staff_id,
        "School": code,
        "Name.First": FIRST_NAMES[n % len(FIRST_NAMES)],
        "Name.Last": LAST_NAMES[(5 * n + 2) % len(LAST_NAMES)],
        "Email": f"staff{staff_id.lower()}@{DOMAIN}",
        "Title": title,
        "Mobile_number": f"(555) 301-{n % 10000:04d}" if n % 2 else "",
    }


def _shared_staff(codes: list[str]) -> list[Row]:
    return [_employee("C001", code, "Counselor", 17) for code in codes[:2]]


def _absences(rows: Rows, day: str, random: Random) -> list[Row]:
    """Return absences from some of the classes; Teacher.name is spelled as in the staff file."""
    names = {row["ID"]: f"{row['Name.First']} {row['Name.Last']}" for row in rows["staff"]}
    known = {row["ID"] for row in rows["students"] if row["Name.Last"]}
    taught = [row for row in rows["staff_to_student"] if row["Student"] in known and row["Teacher"] in names]
    classes = list({(row["School"], row["Student"], row["Period"]): row for row in taught}.values())  # one absence for each
    chosen = random.sample(classes, max(1, len(classes) // SHARE_ABSENT)) if classes else []
    return [
        {
            "School": row["School"],
            "Student": row["Student"],
            "Period": row["Period"],
            "Absence.code": random.choice(("A", "U", "T30", "Enfermo")),
            "Teacher.name": names[row["Teacher"]],
            "Date": day,
        }
        for row in chosen
    ]


def _leave(rows: Rows, leavers: set[str]) -> SampleChange:
    rows["students"] = [row for row in rows["students"] if row["ID"] not in leavers]
    rows["staff_to_student"] = [row for row in rows["staff_to_student"] if row["Student"] not in leavers]
    return SampleChange(kind="removed", file="students", count=len(leavers), what="left the district, with their classes")


def _rename(rows: Rows, renamed: set[str]) -> SampleChange:
    for row in rows["students"]:
        if row["ID"] in renamed:
            row["Name.Last"] = f"{row['Name.Last']}-Rivera"
    return SampleChange(kind="updated", file="students", count=len(renamed), what="have a new last name")


def _arrive(rows: Rows, count: int, random: Random) -> tuple[SampleChange, ...]:
    first = 1 + max(int(row["ID"]) for row in rows["students"] if row["ID"].isdigit())
    known = {row["ID"]: row for row in rows["students"]}
    for number in range(first, first + count):
        row = random.choice(rows["staff_to_student"])
        peer = known[row["Student"]]
        person = _student(max(number - 998, 3), peer["School"], peer["Grade"], random) | {"ID": str(number)}
        rows["students"].append(person)
        rows["staff_to_student"].append({**row, "Student": person["ID"]})
    return (
        SampleChange(kind="created", file="students", count=count, what="are new"),
        SampleChange(kind="created", file="staff_to_student", count=count, what="are classes of the new students"),
    )


def _break(rows: Rows, chosen: list[str]) -> tuple[SampleChange, ...]:
    """Break some rows as exports do: a missing name, an invalid phone, rows that disagree, a reference to nothing."""
    if len(chosen) < 2:
        return ()
    nameless, unphoned = chosen[0], chosen[-1]
    for row in rows["students"]:
        if row["ID"] == nameless:
            row["Name.Last"] = ""
        elif row["ID"] == unphoned:
            row["ContactPhonePrimary"] = "ask the office"
    shared = [row for row in rows["staff"] if row["ID"] == "C001"]
    shared[-1]["Title"] = "Psychologist"
    rows["staff_to_student"].append({**rows["staff_to_student"][0], "Student": "no-such-student"})
    return (
        SampleChange(
            kind="refused",
            file="students",
            count=1,
            what="lost the last name, which is required; the record, and the classes, stay as they were",
        ),
        SampleChange(kind="doubted", file="students", count=1, what="has a contact whose phone is no number; it is left empty"),
        SampleChange(
            kind="doubted", file="staff", count=1, what="has another title in the row of a second school; the first counts"
        ),
        SampleChange(kind="refused", file="staff_to_student", count=1, what="names a student who is in no file"),
    )
