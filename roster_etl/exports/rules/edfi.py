"""Rules of Ed-Fi, and its records of schools and people: whole numbers for schools, the state's ids for students, descriptors for codes.

Belongs here: what a resource's object holds. Records are in the order of their keys. Does not belong here: classes (``edfi_classes``).
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from roster_etl.canonical.codes import GENDERS, GRADES
from roster_etl.exports.arrays import first_marks, mask, present
from roster_etl.exports.cells import local_midnight_of
from roster_etl.exports.export_tables import ExportTables
from roster_etl.exports.rules.edfi_records import (
    Record,
    day_of,
    descriptor,
    drop_null_values,
    rows_of,
    school_ids,
    student_ids,
    values_of,
)
from roster_etl.exports.rules.oneroster_sessions import school_year, school_year_dates
from roster_etl.exports.rules.people import one_role_a_school
from roster_etl.exports.rules.people import students as are_students

_WHOLE = r"^[0-9]{1,18}$"
_RACES = {
    "A": "Asian", "B": "Black - African American", "I": "American Indian - Alaska Native", "P": "Native Hawaiian - Pacific Islander",
    "W": "White", "M": "Other",
}  # fmt: skip


def numbered_schools(work: ExportTables) -> None:
    """Keep schools whose id is a whole number, and what belongs to them."""
    numbers = work.col("organizations", str(work.options["school_id"]))
    whole = mask(pc.match_substring_regex(numbers, pattern=_WHOLE))
    same = pc.replace_substring_regex(numbers, pattern="^0+(.)", replacement=r"\1")  # 007 and 7 are one whole number
    work.keep("organizations", whole & first_marks(same), "id_not_allowed")
    work.cascade()


def identified_students(work: ExportTables) -> None:
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


def roles_at_schools(work: ExportTables) -> None:
    """Keep one role of each person at each school."""
    one_role_a_school(work)
    work.keep("user_roles", present(work.col("user_roles", "organization_id")), "no_home")
    work.cascade()


def named_contacts(work: ExportTables) -> None:
    """Keep contacts with a name of two parts, which the resource requires."""
    work.keep("contacts", mask(pc.match_substring_regex(work.col("contacts", "name"), pattern=r"\S\s+\S")), "missing_required")


def schools(work: ExportTables) -> Iterator[Record]:
    """Yield one object a school."""
    ids = school_ids(work)
    category = descriptor(work, "EducationOrganizationCategory", "School", "category:school")
    yield from (
        {
            "schoolId": ids[row["organization_id"]],
            "nameOfInstitution": row["name"] or row["organization_id"],
            "educationOrganizationCategories": [{"educationOrganizationCategoryDescriptor": category}],
            "gradeLevels": [],
        }
        for row in rows_of(work, "organizations", "organization_id")
    )


def students(work: ExportTables) -> Iterator[Record]:
    """Yield one object a student."""
    ids, births = student_ids(work), values_of(work, "student_profiles", "user_id", "birth_date")
    yield from (
        drop_null_values(
            {
                "studentUniqueId": ids[row["user_id"]],
                "firstName": row["first_name"],
                "middleName": row["middle_name"],
                "lastSurname": row["last_name"],
                "birthDate": births[row["user_id"]].isoformat() if births.get(row["user_id"]) else None,
            }
        )
        for row in rows_of(work, "users", "user_id")
        if row["user_id"] in ids
    )


def staffs(work: ExportTables) -> Iterator[Record]:
    """Yield one object a person who is no student."""
    ids = student_ids(work)
    yield from (
        drop_null_values(
            {
                "staffUniqueId": row["user_id"],
                "firstName": row["first_name"],
                "middleName": row["middle_name"],
                "lastSurname": row["last_name"],
                "electronicMails": _mails(work, row["email"]),
            }
        )
        for row in rows_of(work, "users", "user_id")
        if row["user_id"] not in ids
    )


def _mails(work: ExportTables, address: str | None) -> list[Record] | None:
    kind = descriptor(work, "ElectronicMailType", "Work", "mail:work")
    return [{"electronicMailAddress": address, "electronicMailTypeDescriptor": kind}] if address else None


def student_schools(work: ExportTables) -> Iterator[Record]:
    """Yield one object for each school of a student; the entry is the beginning of the school year."""
    ids, orgs = student_ids(work), school_ids(work)
    grades = values_of(work, "student_profiles", "user_id", "grade")
    entry, made = _first_day_of_year(work), 0
    for row in rows_of(work, "user_roles", "user_id", "organization_id"):
        if row["user_id"] not in ids:
            continue
        grade = grades.get(row["user_id"]) or "UG"
        made += 1
        yield (
            drop_null_values(
                {
                    "schoolReference": {"schoolId": orgs[row["organization_id"]]},
                    "studentReference": {"studentUniqueId": ids[row["user_id"]]},
                    "entryDate": entry,
                    "entryGradeLevelDescriptor": descriptor(work, "GradeLevel", GRADES[grade], f"grade:{grade}"),
                    "primarySchool": row["is_primary"],
                }
            )
        )
    work.losses.add(
        "value_made_up",
        "missing_required",
        made,
        table="user_roles",
        column="start_at",
        file="studentSchoolAssociations.jsonl",
    )


def _first_day_of_year(work: ExportTables) -> str:
    start, _ = school_year_dates(work, school_year(work, local_midnight_of(work.moment, work.zone)[0]))
    return str(day_of(work, start))


def student_organizations(work: ExportTables) -> Iterator[Record]:
    """Yield sex, races and ethnicity of each student at each school."""
    ids, orgs = student_ids(work), school_ids(work)
    names = ["user_id", "gender", "hispanic", "race", "races"]
    profiles = {row["user_id"]: row for row in work.table("student_profiles").select(names).to_pylist()}
    for row in rows_of(work, "user_roles", "user_id", "organization_id"):
        profile = profiles.get(row["user_id"])
        if row["user_id"] not in ids or profile is None:
            continue
        races = json.loads(profile["races"]) if profile.get("races") else [profile["race"]] if profile["race"] else []
        sex = GENDERS.get(profile["gender"] or "")
        yield (
            drop_null_values(
                {
                    "educationOrganizationReference": {"educationOrganizationId": orgs[row["organization_id"]]},
                    "studentReference": {"studentUniqueId": ids[row["user_id"]]},
                    "sexDescriptor": descriptor(work, "Sex", sex, f"sex:{profile['gender']}") if sex else None,
                    "hispanicLatinoEthnicity": profile["hispanic"],
                    "races": [{"raceDescriptor": descriptor(work, "Race", _RACES[race], f"race:{race}")} for race in races]
                    or None,
                }
            )
        )


def staff_schools(work: ExportTables) -> Iterator[Record]:
    """Yield one object for each school of a member of staff."""
    ids, orgs = student_ids(work), school_ids(work)
    program = descriptor(work, "ProgramAssignment", "Regular Education", "assignment:staff")
    yield from (
        {
            "schoolReference": {"schoolId": orgs[row["organization_id"]]},
            "staffReference": {"staffUniqueId": row["user_id"]},
            "programAssignmentDescriptor": program,
        }
        for row in rows_of(work, "user_roles", "user_id", "organization_id")
        if row["user_id"] not in ids
    )


def _contact_id(row: Record) -> str:
    return f"{row['user_id']}-{row['contact_id'].replace(':', '-')}"


def contact_records(work: ExportTables) -> Iterator[Record]:
    """Yield one object a contact of a student."""
    for row in rows_of(work, "contacts", "user_id", "contact_id"):
        first, last = row["name"].rsplit(maxsplit=1)
        record = {
            "contactUniqueId": _contact_id(row),
            "firstName": first,
            "lastSurname": last,
            "electronicMails": _mails(work, row["email"]),
        }
        phone = descriptor(work, "TelephoneNumberType", "Home", "phone:home")
        numbers = [{"telephoneNumber": row["phone"], "telephoneNumberTypeDescriptor": phone}] if row["phone"] else None
        yield (drop_null_values({**record, "telephones": numbers}))


def student_contacts(work: ExportTables) -> Iterator[Record]:
    """Yield one object a contact of a student: how they are related."""
    ids = student_ids(work)
    yield from (
        drop_null_values(
            {
                "contactReference": {"contactUniqueId": _contact_id(row)},
                "studentReference": {"studentUniqueId": ids[row["user_id"]]},
                "relationDescriptor": descriptor(work, "Relation", row["relationship"], f"relation:{row['relationship']}")
                if row["relationship"]
                else None,
            }
        )
        for row in rows_of(work, "contacts", "user_id", "contact_id")
        if row["user_id"] in ids
    )
