"""enrollments.csv, as section 3.5 of the document states it."""

from roster_etl.spec import Column, File, Identity, Reference

_BY_SCHOOL = (("School_id", "School_id"),)

ENROLLMENTS = File(
    name="enrollments",
    title="Enrollments of students",
    source="3.5",
    key=("Section_id", "Student_id"),
    columns=(
        Column(
            "School_id",
            required=True,
            references=Reference("schools", "School_id"),
            note="A school of the upload; not necessarily the student's primary one.",
        ),
        Column(
            "Section_id",
            required=True,
            references=Reference("sections", "Section_id", disambiguated_by=_BY_SCHOOL),
            note="The section.",
        ),
        Column(
            "Student_id",
            required=True,
            references=Reference("students", "Student_id", disambiguated_by=_BY_SCHOOL),
            note="The student.",
        ),
    ),
    identity=Identity(columns=("School_id",)),
    extensions=("ext.",),
    note="Every enrollment of a student in a section. "
    "The document names no ext. columns for this file; they are let through all the same.",
)
