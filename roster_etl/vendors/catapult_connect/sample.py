"""A synthetic CatapultCONNECT district, and its next day: data that the specs cannot generate."""

from __future__ import annotations

from random import Random

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

SITE_NAMES = ("Lincoln", "Harriet Tubman", "Riverside", "St. Mary's", "Mission, North", 'Franklin "Hawks"')
# Courses: name, number, period; a blank number is a course that only its name tells.
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
SITE_CODES = ("010", "20", "1E1", "DHS")  # of the first sites: text, all of them
ABSENCE_INTERVAL = 20  # one of so many pairs of student and period has an absence
FIRST_DAY, SECOND_DAY = "09/14/26", "09/15/26"


def district(students: int, random: Random) -> Rows:
    """Return the rows of a district of about `students` students (at least one), by file."""
    codes = [SITE_CODES[n] if n < len(SITE_CODES) else f"S{n:03d}" for n in range(count_schools(students, LEVELS))]
    rows: Rows = {"staff": [], "students": [], "staff_to_student": [], "attendance": [], "schools": []}
    places = places_of(codes, LEVELS)
    people = [_student(n, *cycled(places, n), random) for n in range(max(students, 1))]
    for n, code in enumerate(codes):
        pupils = [person for person in people if person["School"] == code]
        _fill_school(rows, n, code, pupils)
        rows["schools"].append(_site(n, code))
    rows["staff"] += [_employee("C001", code, "Counselor", 17) for code in codes[:2]]
    rows["schools"].append(_field_house(codes[0]))
    rows["students"] = people
    rows["attendance"] = _absences(rows, FIRST_DAY, random)
    return rows


def next_day(rows: Rows, random: Random) -> tuple[Rows, tuple[SampleChange, ...]]:
    """Return the upload of the day after `rows`, and what is different. The site file, given once, is not in it."""
    daily = {file: of_file for file, of_file in rows.items() if file != "schools"}
    day = NextDay(daily, random, (row["ID"] for row in rows["students"]))
    leavers, renamed, broken = day.choose(2, spare=2)
    day.remove(leavers, {"students": "ID", "staff_to_student": "Student"}, "left the district, with their classes")
    day.rename(renamed, "students", "ID", "Name.Last")
    _add_new_students(day)
    _corrupt_rows(day, broken)
    day.rows["attendance"] = _absences(day.rows, SECOND_DAY, random)
    return day.result()


def _student(n: int, school: str, grade: str, random: Random) -> Row:
    first, last = student_name(n, random)
    return {
        "ID": student_id(n),
        "School": school,
        "Name.First": first,
        "Name.Last": last,
        "MobileNumber": _phone(random) if grade in LEVELS[1].grades else "",
        "Email": f"{student_id(n).lower()}@students.{DOMAIN}",
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
        "School Site Name": school_name(n, SITE_NAMES, cycled(LEVELS, n).kind),
        "Address": f"{100 * (n + 1)} Main Street, Springfield, CA {1001 + n:05d}",
        "Phone Number": f"(555) 201-{n % 10000:04d}",
        "Merge with Site ID": code,
    }


def _field_house(code: str) -> Row:
    return {
        "School Site Name": "Field House",
        "Address": "1 Stadium Way, Springfield, CA 01001",
        "Phone Number": "5552019999",
        "Merge with Site ID": code,
    }


def _fill_school(rows: Rows, n: int, code: str, pupils: list[Row]) -> None:
    level = cycled(LEVELS, n)
    teachers = [_teacher(code, len(rows["staff"]) + k) for k in range(max(3, len(pupils) // 16))]
    rows["staff"] += [*teachers, _employee(f"P{n + 1:03d}", code, "Principal", 7 * n + 3)]
    for grade, group, members in classes(level, pupils, "Grade"):
        for at, course in enumerate(level.courses):
            teacher = cycled(teachers, level.grades.index(grade) + group + (at if level is LEVELS[1] else 0))
            cell = _class(code, teacher["ID"], grade, group, course)
            rows["staff_to_student"] += [{**cell, "Student": person["ID"]} for person in members]


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
        "Name.First": cycled(FIRST_NAMES, n),
        "Name.Last": cycled(LAST_NAMES, 5 * n + 2),
        "Email": f"staff{staff_id.lower()}@{DOMAIN}",
        "Title": title,
        "Mobile_number": f"(555) 301-{n % 10000:04d}" if n % 2 else "",
    }


def _absences(rows: Rows, day: str, random: Random) -> list[Row]:
    """Return absences from some of the classes; Teacher.name is spelled as in the staff file."""
    names = {row["ID"]: f"{row['Name.First']} {row['Name.Last']}" for row in rows["staff"]}
    known = {row["ID"] for row in rows["students"] if row["Name.Last"]}
    taught = [row for row in rows["staff_to_student"] if row["Student"] in known and row["Teacher"] in names]
    classes = list({(row["School"], row["Student"], row["Period"]): row for row in taught}.values())  # one absence for each
    chosen = random.sample(classes, max(1, len(classes) // ABSENCE_INTERVAL)) if classes else []
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


def _add_new_students(day: NextDay) -> None:
    first = 1 + max(int(row["ID"]) for row in day.rows["students"] if row["ID"].isdigit())
    known = {row["ID"]: row for row in day.rows["students"]}
    classes = [row for row in day.rows["staff_to_student"] if row["Student"] in known]
    for number in range(first, first + day.few + 1):
        row = day.random.choice(classes)
        peer = known[row["Student"]]
        person = _student(max(number - 998, 3), peer["School"], peer["Grade"], day.random) | {"ID": str(number)}
        day.rows["students"].append(person)
        day.rows["staff_to_student"].append({**row, "Student": person["ID"]})
    day.note_arrivals("students", "staff_to_student", "are classes of the new students")


def _corrupt_rows(day: NextDay, chosen: list[str]) -> None:
    """Break a few rows as exports do: a lost name, a phone that is none, rows that disagree, a reference to nothing."""
    if len(chosen) < 2:
        return
    day.set_cell("students", "ID", chosen[-1], "ContactPhonePrimary", "ask the office")
    day.set_cell("students", "ID", chosen[0], "Name.Last", "")
    shared = [row for row in day.rows["staff"] if row["ID"] == "C001"]
    shared[-1]["Title"] = "Psychologist"
    day.rows["staff_to_student"].append({**day.rows["staff_to_student"][0], "Student": "no-such-student"})
    lost = "lost the last name, which is required; the record, and the classes, stay as they were"
    day.note("refused", "students", 1, lost)
    day.note("doubted", "students", 1, "has a contact whose phone is no number; it is left empty")
    day.note("doubted", "staff", 1, "has another title in the row of a second school; the first counts")
    day.note("refused", "staff_to_student", 1, "names a student who is in no file")
