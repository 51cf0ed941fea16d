"""enrollments.csv, as the section "ENROLLMENTS CSV" of the document states it."""

from roster_etl.spec import Choice, Column, File, Reference, RowCondition, Status
from roster_etl.vendors.mastery_connect.codes import DELETED, ROLE_OPTIONS, STATUS_OPTIONS

ENROLLMENTS = File(
    name="enrollments",
    file_name="enrollments.csv",
    title="Enrollments of students and teachers",
    source="ENROLLMENTS CSV",
    key=("section_id", "user_id", "role"),
    columns=(
        Column(
            name="role",
            required=True,
            cell_format=Choice(options=ROLE_OPTIONS, code="unknown_role"),
            note="What the user is in the section.",
        ),
        Column(
            name="user_id", required=True, references=Reference(file="users", column="user_id"), note="The student or teacher."
        ),
        Column(name="section_id", required=True, references=Reference(file="sections", column="section_id"), note="The section."),
        Column(
            name="status",
            required=True,
            cell_format=Status(options=STATUS_OPTIONS),
            note="Whether the enrollment is there or gone.",
        ),
    ),
    deleted=RowCondition(column="status", values=DELETED),
    note="Every student and teacher of every section.",
)
