"""A synthetic OneRoster district of version 1.2, and its next day: data that the specs cannot generate."""

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
from roster_etl.vendors.oneroster.demographics import RACE_COLUMNS
from roster_etl.vendors.oneroster.manifest import UNREAD

DISTRICT = "dist-1"
SCHOOL_NAMES = ("Lincoln", "Riverside", "St. Mary's", "Mission, North", 'Franklin "Hawks"', "Ada Lovelace")
# Courses: title, code, subject, SCED code.
LEVELS = (
    Level(
        kind="Elementary School",
        grades=("KG", "01", "02", "03", "04", "05"),
        courses=(
            ("Homeroom", "HR", "Miscellaneous", "22"),
            ("Language Arts", "LA", "English", "51"),
            ("Math", "MA", "Mathematics", "52"),
        ),
    ),
    Level(
        kind="Middle School",
        grades=("06", "07", "08"),
        courses=(
            ("English", "EN", "English", "51"),
            ("Math", "MA", "Mathematics", "52"),
            ("Life Science", "SC", "Science", "53"),
        ),
    ),
    Level(
        kind="High School",
        grades=("09", "10", "11", "12"),
        courses=(("English", "EN", "English", "01"), ("Algebra", "AL", "Mathematics", "02"), ("Biology", "BI", "Science", "03")),
    ),
)
FILES = ("academicSessions", "classes", "courses", "demographics", "enrollments", "orgs", "roles", "userProfiles", "users")
MANIFEST = {
    "manifest.version": "1.0",
    "oneroster.version": "1.2",
    **{f"file.{name}": "bulk" for name in FILES},
    **{f"file.{name}": "absent" for name in sorted((file.name for file in UNREAD), key=str.casefold)},
    "source.systemName": "sample",
}
_BULK: Row = {"status": "", "dateLastModified": ""}  # blank in a bulk file


def district(students: int, random: Random) -> Rows:
    """Return the rows of a district of about `students` students (at least one), by file."""
    schools = [_school(n) for n in range(count_schools(students, LEVELS))]
    rows: Rows = {
        "manifest": [{"propertyName": name, "value": value} for name, value in MANIFEST.items()],
        "orgs": [_org(DISTRICT, "Sample Unified", "district", ""), *schools],
        "academicSessions": _sessions(),
        **{name: [] for name in ("courses", "classes", "users", "userProfiles", "roles", "demographics", "enrollments")},
    }
    places = places_of(schools, LEVELS)
    pupils = [_student(n, *cycled(places, n), random) for n in range(max(students, 1))]
    for number, school in enumerate(schools):
        _fill_school(rows, number, school, [pupil for pupil in pupils if pupil["primaryOrgSourcedId"] == school["sourcedId"]])
    for n, pupil in enumerate(pupils):
        _add_family(rows, n, pupil, random)
    return rows


def next_day(rows: Rows, random: Random) -> tuple[Rows, tuple[SampleChange, ...]]:
    """Return the upload of the day after `rows`, and what is different: people gone, arrivals, new names, and broken rows."""
    day = NextDay(rows, random, (row["userSourcedId"] for row in rows["roles"] if row["role"] == "student"))
    gone, renamed, broken = day.choose(2, spare=1)
    of_user = {"users": "sourcedId", "roles": "userSourcedId", "demographics": "sourcedId", "enrollments": "userSourcedId"}
    of_user |= {"userProfiles": "userSourcedId"}
    day.remove(gone, of_user, "are left out, with their roles and enrollments")
    day.rename(renamed, "users", "sourcedId", "familyName")
    _add_new_students(day)
    _corrupt_rows(day, broken)
    return day.result()


def _org(sourced_id: str, name: str, kind: str, parent: str) -> Row:
    return _BULK | {
        "sourcedId": sourced_id,
        "name": name,
        "type": kind,
        "identifier": f"N{sourced_id}",
        "parentSourcedId": parent,
    }


def _school(n: int) -> Row:
    return _org(f"{7 * (n + 1):03d}", school_name(n, SCHOOL_NAMES, cycled(LEVELS, n).kind), "school", DISTRICT)


def _sessions() -> list[Row]:
    spans = (
        ("sy-2027", "2026-2027", "schoolYear", "2026-08-15", "2027-06-12", ""),
        ("s1", "Fall", "semester", "2026-08-15", "2026-12-19", "sy-2027"),
        ("s2", "Spring", "semester", "2027-01-05", "2027-06-12", "sy-2027"),
    )
    names = ("sourcedId", "title", "type", "startDate", "endDate", "parentSourcedId")
    return [_BULK | dict(zip(names, span, strict=True)) | {"schoolYear": "2027"} for span in spans]


def _person(sourced_id: str, first: str, last: str, role: str) -> Row:
    blank = ("userMasterIdentifier", "resourceSourcedIds", "preferredGivenName", "preferredMiddleName", "preferredFamilyName")
    return (
        _BULK
        | dict.fromkeys((*blank, "pronouns", "middleName", "agentSourcedIds", "grades", "primaryOrgSourcedId"), "")
        | {
            "sourcedId": sourced_id,
            "enabledUser": "true",
            "username": f"{role}.{sourced_id}",
            "givenName": first,
            "familyName": last,
            "email": f"{role}.{sourced_id.casefold()}@{DOMAIN}",
            "identifier": "",
            "userIds": "",
            "sms": "",
            "phone": "",
        }
    )


def _student(n: int, school: Row, grade: str, random: Random) -> Row:
    first, last = student_name(n, random)
    return _person(student_id(n, "S"), first, last, "student") | {
        "grades": grade,
        "identifier": f"{n + 1:06d}",
        "userIds": f"{{State:NV-{n + 1:08d}}},{{Library:{n + 1}}}" if n % 3 else "",
        "userMasterIdentifier": f"m-{n + 1}",
        "preferredGivenName": first if n % 5 == 0 else "",
        "preferredMiddleName": "Alex" if n % 7 == 0 else "",
        "preferredFamilyName": last if n % 5 == 0 else "",
        "pronouns": "they/them" if n % 9 == 0 else "",
        "middleName": "Lee" if n % 4 == 0 else "",
        "primaryOrgSourcedId": school["sourcedId"],
    }


def _teacher(n: int, school: Row) -> Row:
    first, last = cycled(FIRST_NAMES, 3 * n + 1), cycled(LAST_NAMES, 5 * n + 2)
    return _person(f"T{n + 1:04d}", first, last, "teacher") | {
        "primaryOrgSourcedId": school["sourcedId"],
        "phone": f"555-{n % 10_000:04d}",
    }


def _role(user: Row, role: str, org: str, *, login: str = "", begins: str = "") -> Row:
    return _BULK | {
        "sourcedId": f"r-{user['sourcedId']}-{org}",
        "userSourcedId": user["sourcedId"],
        "roleType": "primary",
        "role": role,
        "beginDate": begins,
        "endDate": "2027-06-12" if begins else "",
        "orgSourcedId": org,
        "userProfileSourcedId": login,
    }


def _fill_school(rows: Rows, number: int, school: Row, pupils: list[Row]) -> None:
    level = cycled(LEVELS, number)
    teachers = [_teacher(100 * number + n, school) for n in range(max(len(level.courses), len(pupils) // 16))]
    rows["users"] += teachers
    rows["roles"] += [_role(teacher, "teacher", school["sourcedId"], begins="2026-08-15") for teacher in teachers]
    for place, (title, code, subject, subject_code) in enumerate(level.courses):
        course = _course(school, title, code, subject, subject_code, level.grades)
        rows["courses"].append(course)
        for grade, group, members in classes(level, pupils, "grades"):
            class_ = _class(course, school, grade, group, place)
            rows["classes"].append(class_)
            teacher = cycled(teachers, place + group + len(grade))
            rows["enrollments"].append(_enrollment(class_, teacher, "teacher") | {"primary": "true"})
            rows["enrollments"] += [_enrollment(class_, pupil, "student") for pupil in members]


def _course(school: Row, title: str, code: str, subject: str, subject_code: str, grades: tuple[str, ...]) -> Row:
    return _BULK | {
        "sourcedId": f"{school['sourcedId']}-{code}",
        "schoolYearSourcedId": "sy-2027",
        "title": title,
        "courseCode": code,
        "grades": ",".join(grades),
        "orgSourcedId": school["sourcedId"],
        "subjects": subject,
        "subjectCodes": subject_code,
    }


def _class(course: Row, school: Row, grade: str, group: int, place: int) -> Row:
    return _BULK | {
        "sourcedId": f"{course['sourcedId']}-{grade}-{group}",
        "title": f"{course['title']} {grade}, group {group}",
        "grades": grade if group == 1 else f"{grade},UG",
        "courseSourcedId": course["sourcedId"],
        "classCode": f"{course['courseCode']}{grade}{group}",
        "classType": "homeroom" if course["courseCode"] == "HR" else "scheduled",
        "location": f"Room {100 + 10 * place + group}",
        "schoolSourcedId": school["sourcedId"],
        "termSourcedIds": "s1,s2" if place else "sy-2027,s1,s2",
        "subjects": course["subjects"],
        "subjectCodes": course["subjectCodes"],
        "periods": f"{place + 1},{place + 4}" if group > 1 else str(place + 1),
    }


def _enrollment(class_: Row, user: Row, role: str) -> Row:
    return _BULK | {
        "sourcedId": f"e-{class_['sourcedId']}-{user['sourcedId']}",
        "classSourcedId": class_["sourcedId"],
        "schoolSourcedId": class_["schoolSourcedId"],
        "userSourcedId": user["sourcedId"],
        "role": role,
        "primary": "",
        "beginDate": "2026-08-15" if role == "student" else "",
        "endDate": "",
    }


def _add_family(rows: Rows, n: int, pupil: Row, random: Random) -> None:
    """Add a student with role, login and demographics, and a parent, whom two students in a row share."""
    parent_id = f"P{n // 2 + 1:05d}"
    school = pupil["primaryOrgSourcedId"]
    pupil["agentSourcedIds"] = parent_id
    if n % 2 == 0:
        parent = _person(parent_id, cycled(FIRST_NAMES, n + 5), pupil["familyName"], "parent") | {"sms": f"555-01{n % 100:02d}"}
        rows["users"].append(parent)
        rows["roles"].append(_role(parent, "parent" if n % 4 else "guardian", school))
    rows["users"].append(pupil)
    login = f"login-{pupil['sourcedId']}" if n % 10 == 0 else ""
    if login:
        rows["userProfiles"].append(_profile(login, pupil))
    rows["roles"].append(_role(pupil, "student", school, login=login))
    rows["demographics"].append(_demographics(n, pupil, random))


def _profile(login: str, pupil: Row) -> Row:
    return _BULK | {
        "sourcedId": login,
        "userSourcedId": pupil["sourcedId"],
        "profileType": "learning platform",
        "vendorId": "vendor.example.org",
        "applicationId": "reader",
        "description": "",
        "credentialType": "username",
        "username": f"reader.{pupil['sourcedId']}",
    }


def _demographics(n: int, pupil: Row, random: Random) -> Row:
    chosen = {RACE_COLUMNS[n % 5], *((RACE_COLUMNS[(n + 2) % 5],) if n % 6 == 0 else ())}
    flags = {name: "true" if name in chosen else "false" for name in RACE_COLUMNS}
    return (
        _BULK
        | flags
        | {
            "sourcedId": pupil["sourcedId"],
            "birthDate": f"{random.randint(2009, 2020)}-{random.randint(1, 12):02d}-{random.randint(1, 28):02d}",
            "sex": cycled(("female", "male", "other", "unspecified"), n),
            "demographicRaceTwoOrMoreRaces": "true" if len(chosen) > 1 else "false",
            "hispanicOrLatinoEthnicity": "true" if n % 4 == 0 else "false",
        }
    )


def _add_new_students(day: NextDay) -> None:
    schools = {row["sourcedId"]: row for row in day.rows["orgs"]}
    first = len(day.rows["demographics"]) + 50
    for n in range(first, first + day.few + 1):
        class_ = day.random.choice(day.rows["classes"])
        school = schools[class_["schoolSourcedId"]]
        person = _student(n, school, class_["grades"].partition(",")[0], day.random)
        day.rows["users"].append(person)
        day.rows["roles"].append(_role(person, "student", school["sourcedId"]))
        day.rows["demographics"].append(_demographics(n, person, day.random))
        day.rows["enrollments"].append(_enrollment(class_, person, "student"))
    day.note_arrivals("users", "enrollments")


def _corrupt_rows(day: NextDay, chosen: list[str]) -> None:
    """Break a few rows as exports do: a flag that nobody knows, a reference to nothing."""
    if not chosen:
        return
    day.set_cell("users", "sourcedId", chosen[0], "enabledUser", "yes")
    nobody = {"sourcedId": "no-such-user"}
    day.rows["enrollments"].append(_enrollment(day.rows["classes"][0], nobody, "student"))
    day.note("refused", "users", 1, "has a flag that the format does not know; the record stays as it was")
    day.note("refused", "enrollments", 1, "names a user who is in no file")
