"""Teachers.csv, as the table of that name in the document states it."""

from roster_etl.spec import Column, Email, File, Reference

TEACHERS = File(
    name="teachers",
    file_name="Teachers.csv",
    title="Teachers",
    source="Teachers.csv",
    key=("teacher_id",),
    columns=(
        Column(
            name="school_id",
            required=True,
            references=Reference(file="schools", column="school_id"),
            note="The teacher's school.",
        ),
        Column(name="teacher_id", required=True, note="The teacher's id, the sis_id of Clever; Sections.csv refers to it."),
        Column(name="first_name", required=True, note="First name."),
        Column(name="last_name", required=True, note="Last name."),
        Column(name="teacher_email", cell_format=Email(), note="The teacher's e-mail address."),
    ),
    note="Every teacher, once.",
)
