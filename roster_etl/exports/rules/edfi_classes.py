"""Records of Ed-Fi about what is taught: sessions, courses, offerings, sections, and who is in them.

Belongs here: what a resource's object holds. Records are in the order of their keys.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import date, timedelta

import numpy as np

from roster_etl.exports.arrays import equals
from roster_etl.exports.export_tables import ExportTables
from roster_etl.exports.rules.edfi_records import (
    Record,
    day_of,
    descriptor,
    drop_null_values,
    last_day_of,
    rows_of,
    school_ids,
    student_ids,
    values_of,
)

_TERMS = {"schoolYear": "Year Round", "semester": "Semester", "term": "Trimester", "gradingPeriod": "Quarter"}


def _offered(work: ExportTables) -> list[tuple[Record, Record, int]]:
    """Return each section with its term and the number of its school."""
    orgs, terms = school_ids(work), {row["term_id"]: row for row in work.table("terms").to_pylist()}
    return [(row, terms[row["term_id"]], orgs[row["organization_id"]]) for row in rows_of(work, "sections", "section_id")]


def _session(term: Record, school: int) -> Record:
    return {"schoolId": school, "schoolYear": term["school_year"], "sessionName": term["name"]}


def session_records(work: ExportTables) -> Iterator[Record]:
    """Yield one object for the terms of one name and year at each school that teaches in them; its days are counted, not known.

    A session of several terms lasts from the first day to the last, and is of the kind of the first of them.
    """
    pairs = {(school, str(term["term_id"])): term for _, term, school in _offered(work)}
    sessions: dict[tuple[int, int, str], list[Record]] = {}
    for (school, _), term in sorted(pairs.items(), key=lambda item: item[0]):
        sessions.setdefault((school, term["school_year"], term["name"]), []).append(term)
    work.losses.add("value_made_up", "missing_required", len(sessions), table="terms", column=None, file="sessions.jsonl")
    work.losses.add("rows_joined", "several_values", len(pairs) - len(sessions), table="terms")
    for (school, year, name), terms in sessions.items():
        start, end = min(_dates(work, terms, "start_at")), max(_dates(work, terms, "end_at"))
        for column, said in (("start_at", start), ("end_at", end)):
            changed = sum(day != said for day in _dates(work, terms, column))
            work.losses.add("value_changed", "several_values", changed, table="terms", column=column)
        changed = sum(term["type"] != terms[0]["type"] for term in terms)
        work.losses.add("value_changed", "several_values", changed, table="terms", column="type")
        yield {
            "schoolReference": {"schoolId": school},
            "schoolYearTypeReference": {"schoolYear": year},
            "sessionName": name,
            "beginDate": start,
            "endDate": end,
            "termDescriptor": descriptor(work, "Term", _TERMS.get(terms[0]["type"], "Semester"), f"term:{terms[0]['type']}"),
            "totalInstructionalDays": _weekdays(start, end),
        }


def _dates(work: ExportTables, terms: Sequence[Record], column: str) -> list[str]:
    """Return the first day or the last of each of `terms`."""
    return [str((day_of if column == "start_at" else last_day_of)(work, term[column])) for term in terms]


def _weekdays(first: str, last: str) -> int:
    return int(np.busday_count(date.fromisoformat(first), date.fromisoformat(last) + timedelta(days=1)))


def courses(work: ExportTables) -> Iterator[Record]:
    """Yield one object a course."""
    orgs = school_ids(work)
    system = descriptor(work, "CourseIdentificationSystem", "LEA course code", "course:lea")
    yield from (
        {
            "courseCode": row["course_id"],
            "educationOrganizationReference": {"educationOrganizationId": orgs[row["organization_id"]]},
            "courseTitle": row["name"],
            "numberOfParts": 1,
            "identificationCodes": [
                {"courseIdentificationSystemDescriptor": system, "identificationCode": row["number"] or row["course_id"]}
            ],
        }
        for row in rows_of(work, "courses", "course_id")
    )


def offerings(work: ExportTables) -> Iterator[Record]:
    """Yield one object for each course in each term at each school."""
    orgs, course_orgs = school_ids(work), values_of(work, "courses", "course_id", "organization_id")
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
    yield from found.values()


def _offering(section: Record, term: Record, school: int) -> Record:
    return {"localCourseCode": section["course_id"], **_session(term, school)}


def sections(work: ExportTables) -> Iterator[Record]:
    """Yield one object a section."""
    yield from (
        drop_null_values(
            {
                "sectionIdentifier": section["section_id"],
                "courseOfferingReference": _offering(section, term, school),
                "sectionName": section["name"],
            }
        )
        for section, term, school in _offered(work)
    )


def _enrolled(work: ExportTables, role: str) -> Iterator[tuple[Record, Record, Record]]:
    """Yield the enrollments in a role, each with its section's reference and its term."""
    known = {section["section_id"]: (section, term, school) for section, term, school in _offered(work)}
    chosen = equals(work.col("enrollments", "role"), role)
    for row in rows_of(work, "enrollments", "section_id", "user_id", where=chosen):
        section, term, school = known[row["section_id"]]
        yield row, {"sectionIdentifier": section["section_id"], **_offering(section, term, school)}, term


def student_sections(work: ExportTables) -> Iterator[Record]:
    """Yield one object an enrollment of a student; without dates of its own it has its term's."""
    ids = student_ids(work)
    yield from (
        drop_null_values(
            {
                "sectionReference": reference,
                "studentReference": {"studentUniqueId": ids[row["user_id"]]},
                "beginDate": day_of(work, row["start_at"] or term["start_at"]),
                "endDate": last_day_of(work, row["end_at"] or term["end_at"]),
            }
        )
        for row, reference, term in _enrolled(work, "student")
    )


def staff_sections(work: ExportTables) -> Iterator[Record]:
    """Yield one object a teacher of a section; a person who is a student is not named as staff."""
    ids = student_ids(work)
    first = descriptor(work, "ClassroomPosition", "Teacher of Record", "position:primary")
    other = descriptor(work, "ClassroomPosition", "Assistant Teacher", "position:other")
    for row, reference, _ in _enrolled(work, "teacher"):
        if row["user_id"] in ids:
            work.losses.add("row_left_out", "no_home", 1, table="enrollments", file="staffSectionAssociations.jsonl")
            continue
        position = other if row["is_primary"] is False else first
        yield (
            {
                "sectionReference": reference,
                "staffReference": {"staffUniqueId": row["user_id"]},
                "classroomPositionDescriptor": position,
            }
        )
