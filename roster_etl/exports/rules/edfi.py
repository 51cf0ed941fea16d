"""Rules and records of Ed-Fi: whole numbers for schools, the state's ids for students, descriptors for codes.

Belongs here: what a resource's object holds. Records are in the order of their keys.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from roster_etl.canonical.codes import GENDERS, GRADES
from roster_etl.exports.arrays import equals, first_marks, first_rows, mask, present
from roster_etl.exports.cells import local_midnight_of
from roster_etl.exports.rules.people import students as are_students
from roster_etl.exports.rules.sessions import school_year, school_year_dates
from roster_etl.exports.work import Work

Record = dict[str, Any]
_WHOLE = r"^[0-9]{1,18}$"
_RACES = {
    "A": "Asian", "B": "Black - African American", "I": "American Indian - Alaska Native", "P": "Native Hawaiian - Pacific Islander",
    "W": "White", "M": "Other",
}  # fmt: skip
_TERMS = {"schoolYear": "Year Round", "semester": "Semester", "term": "Trimester", "gradingPeriod": "Quarter"}


def numbered_schools(work: Work) -> None:
    """Keep schools whose id is a whole number, and what belongs to them."""
    numbers = work.col("organizations", str(work.options["school_id"]))
    whole = mask(pc.match_substring_regex(numbers, pattern=_WHOLE))
    work.keep("organizations", whole & first_marks(numbers), "id_not_allowed")
    work.cascade()


def identified_students(work: Work) -> None:
    """Keep students with the id that the option names; others have it or not."""
    column = str(work.options["student_id"])
    kept = ~are_students(work) | present(work.col("users", column))
    work.keep("users", kept, "missing_required")
    learning = are_students(work)
    values = work.col("users", column)
    first = np.ones(len(learning), dtype=bool)
    first[learning] = first_marks(values.filter(pa.array(learning)))
    work.keep("users", first, "id_not_allowed")
    work.cascade()


def roles_at_schools(work: Work) -> None:
    """Keep one role of each person at each school."""
    rows = work.table("user_roles")
    kept = first_rows(rows, ("user_kind", "user_id", "organization_id"))
    work.losses.add("rows_joined", "several_values", rows.num_rows - kept.num_rows, table="user_roles")
    work.tables["user_roles"] = kept
    work.keep("user_roles", present(work.col("user_roles", "organization_id")), "no_home")
    work.cascade()


def named_contacts(work: Work) -> None:
    """Keep contacts with a name of two parts, which the resource requires."""
    work.keep("contacts", mask(pc.match_substring_regex(work.col("contacts", "name"), pattern=r"\S\s+\S")), "missing_required")


def _rows(work: Work, table: str, *key: str) -> Iterator[Record]:
    rows = sorted(work.table(table).to_pylist(), key=lambda row: [str(row[name]) for name in key])
    yield from rows


def _descriptor(work: Work, kind: str, word: str, code: str) -> str:
    given: dict[str, str] = dict(work.options.get("descriptors") or {})
    return given.get(code, f"uri://ed-fi.org/{kind}Descriptor#{word}")


def _school_ids(work: Work) -> dict[str, int]:
    column = str(work.options["school_id"])
    return {row["organization_id"]: int(row[column]) for row in work.table("organizations").to_pylist()}


def _student_ids(work: Work) -> dict[str, str]:
    users, column = work.table("users").to_pylist(), str(work.options["student_id"])
    learning = are_students(work)
    return {row["user_id"]: row[column] for row, is_student in zip(users, learning, strict=True) if is_student}


def _day(work: Work, moment: Any) -> str | None:
    return None if moment is None else local_midnight_of(moment, work.zone)[0].isoformat()


def _last_day(work: Work, moment: Any) -> str | None:
    if moment is None:
        return None
    day, begins = local_midnight_of(moment, work.zone)
    return (day - timedelta(days=1) if begins else day).isoformat()


def _given(record: Record) -> Record:
    """Return a record without what is not known."""
    return {name: value for name, value in record.items() if value is not None}


def schools(work: Work) -> list[Record]:
    """Return one object a school."""
    ids = _school_ids(work)
    category = _descriptor(work, "EducationOrganizationCategory", "School", "category:school")
    return [
        {
            "schoolId": ids[row["organization_id"]],
            "nameOfInstitution": row["name"] or row["organization_id"],
            "educationOrganizationCategories": [{"educationOrganizationCategoryDescriptor": category}],
            "gradeLevels": [],
        }
        for row in _rows(work, "organizations", "organization_id")
    ]


def students(work: Work) -> list[Record]:
    """Return one object a student."""
    ids, births = _student_ids(work), {row["user_id"]: row["birth_date"] for row in work.table("student_profiles").to_pylist()}
    return [
        _given(
            {
                "studentUniqueId": ids[row["user_id"]],
                "firstName": row["first_name"],
                "middleName": row["middle_name"],
                "lastSurname": row["last_name"],
                "birthDate": births[row["user_id"]].isoformat() if births.get(row["user_id"]) else None,
            }
        )
        for row in _rows(work, "users", "user_id")
        if row["user_id"] in ids
    ]


def staffs(work: Work) -> list[Record]:
    """Return one object a person who is no student."""
    ids = _student_ids(work)
    return [
        _given(
            {
                "staffUniqueId": row["user_id"],
                "firstName": row["first_name"],
                "middleName": row["middle_name"],
                "lastSurname": row["last_name"],
                "electronicMails": _mails(work, row["email"]),
            }
        )
        for row in _rows(work, "users", "user_id")
        if row["user_id"] not in ids
    ]


def _mails(work: Work, address: str | None) -> list[Record] | None:
    kind = _descriptor(work, "ElectronicMailType", "Work", "mail:work")
    return [{"electronicMailAddress": address, "electronicMailTypeDescriptor": kind}] if address else None


def student_schools(work: Work) -> list[Record]:
    """Return one object for each school of a student; the entry is the beginning of the school year."""
    ids, orgs = _student_ids(work), _school_ids(work)
    grades = {row["user_id"]: row["grade"] for row in work.table("student_profiles").to_pylist()}
    entry = _first_day_of_year(work)
    found = []
    for row in _rows(work, "user_roles", "user_id", "organization_id"):
        if row["user_id"] not in ids:
            continue
        grade = grades.get(row["user_id"]) or "UG"
        found.append(
            _given(
                {
                    "schoolReference": {"schoolId": orgs[row["organization_id"]]},
                    "studentReference": {"studentUniqueId": ids[row["user_id"]]},
                    "entryDate": entry,
                    "entryGradeLevelDescriptor": _descriptor(work, "GradeLevel", GRADES[grade], f"grade:{grade}"),
                    "primarySchool": row["is_primary"],
                }
            )
        )
    work.losses.add(
        "value_made_up",
        "missing_required",
        len(found),
        table="user_roles",
        column="start_at",
        file="studentSchoolAssociations.jsonl",
    )
    return found


def _first_day_of_year(work: Work) -> str:
    start, _ = school_year_dates(work, school_year(work, local_midnight_of(work.moment, work.zone)[0]))
    return str(_day(work, start))


def student_organizations(work: Work) -> list[Record]:
    """Return sex, races and ethnicity of each student at each school."""
    ids, orgs = _student_ids(work), _school_ids(work)
    profiles = {row["user_id"]: row for row in work.table("student_profiles").to_pylist()}
    found = []
    for row in _rows(work, "user_roles", "user_id", "organization_id"):
        profile = profiles.get(row["user_id"])
        if row["user_id"] not in ids or profile is None:
            continue
        races = json.loads(profile["races"]) if profile.get("races") else [profile["race"]] if profile["race"] else []
        sex = GENDERS.get(profile["gender"] or "")
        found.append(
            _given(
                {
                    "educationOrganizationReference": {"educationOrganizationId": orgs[row["organization_id"]]},
                    "studentReference": {"studentUniqueId": ids[row["user_id"]]},
                    "sexDescriptor": _descriptor(work, "Sex", sex, f"sex:{profile['gender']}") if sex else None,
                    "hispanicLatinoEthnicity": profile["hispanic"],
                    "races": [{"raceDescriptor": _descriptor(work, "Race", _RACES[race], f"race:{race}")} for race in races]
                    or None,
                }
            )
        )
    return found


def staff_schools(work: Work) -> list[Record]:
    """Return one object for each school of a member of staff."""
    ids, orgs = _student_ids(work), _school_ids(work)
    program = _descriptor(work, "ProgramAssignment", "Regular Education", "assignment:staff")
    return [
        {
            "schoolReference": {"schoolId": orgs[row["organization_id"]]},
            "staffReference": {"staffUniqueId": row["user_id"]},
            "programAssignmentDescriptor": program,
        }
        for row in _rows(work, "user_roles", "user_id", "organization_id")
        if row["user_id"] not in ids
    ]


def _offered(work: Work) -> list[tuple[Record, Record, int]]:
    """Return each section with its term and the number of its school."""
    orgs, terms = _school_ids(work), {row["term_id"]: row for row in work.table("terms").to_pylist()}
    return [(row, terms[row["term_id"]], orgs[row["organization_id"]]) for row in _rows(work, "sections", "section_id")]


def _session(term: Record, school: int) -> Record:
    return {"schoolId": school, "schoolYear": term["school_year"], "sessionName": term["name"]}


def session_records(work: Work) -> list[Record]:
    """Return one object for each term at each school that teaches in it; its days are counted, not known."""
    pairs = {(term["term_id"], school): term for _, term, school in _offered(work)}
    found: dict[tuple[int, int, str], Record] = {}
    for (_, school), term in sorted(pairs.items(), key=lambda item: (item[0][1], str(item[0][0]))):
        start, end = _day(work, term["start_at"]), _last_day(work, term["end_at"])
        kind = _TERMS.get(term["type"], "Semester")
        found[(school, term["school_year"], term["name"])] = {
            "schoolReference": {"schoolId": school},
            "schoolYearTypeReference": {"schoolYear": term["school_year"]},
            "sessionName": term["name"],
            "beginDate": start,
            "endDate": end,
            "termDescriptor": _descriptor(work, "Term", kind, f"term:{term['type']}"),
            "totalInstructionalDays": _weekdays(str(start), str(end)),
        }
    work.losses.add("value_made_up", "missing_required", len(found), table="terms", column=None, file="sessions.jsonl")
    return list(found.values())


def _weekdays(first: str, last: str) -> int:
    return int(np.busday_count(date.fromisoformat(first), date.fromisoformat(last) + timedelta(days=1)))


def courses(work: Work) -> list[Record]:
    """Return one object a course."""
    orgs = _school_ids(work)
    system = _descriptor(work, "CourseIdentificationSystem", "LEA course code", "course:lea")
    return [
        {
            "courseCode": row["course_id"],
            "educationOrganizationReference": {"educationOrganizationId": orgs[row["organization_id"]]},
            "courseTitle": row["name"],
            "numberOfParts": 1,
            "identificationCodes": [
                {"courseIdentificationSystemDescriptor": system, "identificationCode": row["number"] or row["course_id"]}
            ],
        }
        for row in _rows(work, "courses", "course_id")
    ]


def offerings(work: Work) -> list[Record]:
    """Return one object for each course in each term at each school."""
    orgs, course_orgs = _school_ids(work), {row["course_id"]: row["organization_id"] for row in work.table("courses").to_pylist()}
    found: dict[str, Record] = {}
    for section, term, school in _offered(work):
        reference = _offering(section, term, school)
        found[json.dumps(reference, sort_keys=True)] = {
            "localCourseCode": section["course_id"],
            "schoolReference": {"schoolId": school},
            "sessionReference": _session(term, school),
            "courseReference": {
                "courseCode": section["course_id"],
                "educationOrganizationId": orgs[course_orgs[section["course_id"]]],
            },
        }
    return list(found.values())


def _offering(section: Record, term: Record, school: int) -> Record:
    return {"localCourseCode": section["course_id"], **_session(term, school)}


def sections(work: Work) -> list[Record]:
    """Return one object a section."""
    return [
        _given(
            {
                "sectionIdentifier": section["section_id"],
                "courseOfferingReference": _offering(section, term, school),
                "sectionName": section["name"],
            }
        )
        for section, term, school in _offered(work)
    ]


def _enrolled(work: Work, role: str) -> Iterator[tuple[Record, Record, Record]]:
    """Yield the enrollments in a role, each with its section's reference and its term."""
    known = {section["section_id"]: (section, term, school) for section, term, school in _offered(work)}
    chosen = work.table("enrollments").filter(pa.array(equals(work.col("enrollments", "role"), role)))
    for row in sorted(chosen.to_pylist(), key=lambda row: (row["section_id"], row["user_id"])):
        section, term, school = known[row["section_id"]]
        yield row, {"sectionIdentifier": section["section_id"], **_offering(section, term, school)}, term


def student_sections(work: Work) -> list[Record]:
    """Return one object an enrollment of a student; without dates of its own it has its term's."""
    ids = _student_ids(work)
    return [
        _given(
            {
                "sectionReference": reference,
                "studentReference": {"studentUniqueId": ids[row["user_id"]]},
                "beginDate": _day(work, row["start_at"] or term["start_at"]),
                "endDate": _last_day(work, row["end_at"] or term["end_at"]),
            }
        )
        for row, reference, term in _enrolled(work, "student")
    ]


def staff_sections(work: Work) -> list[Record]:
    """Return one object a teacher of a section; a person who is a student is not named as staff."""
    ids = _student_ids(work)
    first = _descriptor(work, "ClassroomPosition", "Teacher of Record", "position:primary")
    other = _descriptor(work, "ClassroomPosition", "Assistant Teacher", "position:other")
    found = []
    for row, reference, _ in _enrolled(work, "teacher"):
        if row["user_id"] in ids:
            work.losses.add("row_left_out", "no_home", 1, table="enrollments", file="staffSectionAssociations.jsonl")
            continue
        position = other if row["is_primary"] is False else first
        found.append(
            {
                "sectionReference": reference,
                "staffReference": {"staffUniqueId": row["user_id"]},
                "classroomPositionDescriptor": position,
            }
        )
    return found


def _contact_id(row: Record) -> str:
    return f"{row['user_id']}-{row['contact_id'].replace(':', '-')}"


def contact_records(work: Work) -> list[Record]:
    """Return one object a contact of a student."""
    found = []
    for row in _rows(work, "contacts", "user_id", "contact_id"):
        first, last = row["name"].rsplit(maxsplit=1)
        record = {
            "contactUniqueId": _contact_id(row),
            "firstName": first,
            "lastSurname": last,
            "electronicMails": _mails(work, row["email"]),
        }
        phone = _descriptor(work, "TelephoneNumberType", "Home", "phone:home")
        numbers = [{"telephoneNumber": row["phone"], "telephoneNumberTypeDescriptor": phone}] if row["phone"] else None
        found.append(_given({**record, "telephones": numbers}))
    return found


def student_contacts(work: Work) -> list[Record]:
    """Return one object a contact of a student: how they are related."""
    ids = _student_ids(work)
    return [
        _given(
            {
                "contactReference": {"contactUniqueId": _contact_id(row)},
                "studentReference": {"studentUniqueId": ids[row["user_id"]]},
                "relationDescriptor": _descriptor(work, "Relation", row["relationship"], f"relation:{row['relationship']}")
                if row["relationship"]
                else None,
            }
        )
        for row in _rows(work, "contacts", "user_id", "contact_id")
        if row["user_id"] in ids
    ]
