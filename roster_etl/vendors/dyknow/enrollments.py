"""Enrollments.csv, as the table of that name in the document states it."""

from roster_etl.spec import Column, File, Reference

ENROLLMENTS = File(
    name="enrollments",
    file_name="Enrollments.csv",
    title="Enrollments of students",
    source="Enrollments.csv",
    key=("section_id", "student_id"),
    columns=(
        Column("school_id", required=True, references=Reference("schools", "school_id"), note="A school of the upload."),
        Column("section_id", required=True, references=Reference("sections", "section_id"), note="The section."),
        Column("student_id", required=True, references=Reference("students", "student_id"), note="The student."),
    ),
    note="Every enrollment of a student in a section.",
)
