"""Enrollments.csv, as the table of that name in the document states it."""

from roster_etl.spec import Column, File, Identity, Reference

_BY_SCHOOL = (("school_id", "school_id"),)

ENROLLMENTS = File(
    name="enrollments",
    file_name="Enrollments.csv",
    title="Enrollments of students",
    source="Enrollments.csv",
    key=("section_id", "student_id"),
    columns=(
        Column("school_id", required=True, references=Reference("schools", "school_id"), note="A school of the upload."),
        Column(
            "section_id",
            required=True,
            references=Reference("sections", "section_id", disambiguated_by=_BY_SCHOOL),
            note="The section.",
        ),
        Column(
            "student_id",
            required=True,
            references=Reference("students", "student_id", disambiguated_by=_BY_SCHOOL),
            note="The student.",
        ),
    ),
    identity=Identity(columns=("school_id",)),
    note="Every enrollment of a student in a section.",
)
