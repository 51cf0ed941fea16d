"""Teachers.csv, as the table of that name in the document states it."""

from roster_etl.spec import Column, Email, File, Identity, Reference

TEACHERS = File(
    name="teachers",
    file_name="Teachers.csv",
    title="Teachers",
    source="Teachers.csv",
    key=("teacher_id",),
    columns=(
        Column("school_id", required=True, references=Reference("schools", "school_id"), note="The teacher's school."),
        Column("teacher_id", required=True, note="The teacher's id, the sis_id of Clever; Sections.csv refers to it."),
        Column("first_name", required=True, note="First name."),
        Column("last_name", required=True, note="Last name."),
        Column("teacher_email", cell_format=Email(), note="The teacher's e-mail address."),
    ),
    identity=Identity(columns=("first_name", "last_name", "teacher_email")),
    note="Every teacher, once.",
)
