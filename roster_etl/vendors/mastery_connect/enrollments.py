"""enrollments.csv, as the section "ENROLLMENTS CSV" of the document states it."""

from roster_etl.spec import Choice, Column, File, Reference, RowCondition, Status
from roster_etl.vendors.mastery_connect.codes import DELETED, ROLE_OPTIONS, STATUS_OPTIONS

ENROLLMENTS = File(
    name="enrollments",
    title="Enrollments of students and teachers",
    source="ENROLLMENTS CSV",
    key=("section_id", "user_id", "role"),
    columns=(
        Column(
            "role", required=True, cell_format=Choice(ROLE_OPTIONS, code="unknown_role"), note="What the user is in the section."
        ),
        Column(
            "user_id",
            required=True,
            references=Reference("users", "user_id", disambiguated_by=(("role", "user_role"),)),
            note="The student or teacher.",
        ),
        Column("section_id", required=True, references=Reference("sections", "section_id"), note="The section."),
        Column("status", required=True, cell_format=Status(STATUS_OPTIONS), note="Whether the enrollment is active or deleted."),
    ),
    deleted=RowCondition(column="status", values=DELETED),
    note="Every student and teacher of every section.",
)
