"""teachers.csv, as section 3.3 of the document states it."""

from roster_etl.spec import Column, Email, File, Identity, Reference, Unique

TEACHERS = File(
    name="teachers",
    title="Teachers",
    source="3.3",
    key=("Teacher_id",),
    columns=(
        Column(
            "School_id", required=True, references=Reference("schools", "School_id"), note="The school that employs the teacher."
        ),
        Column(
            "Teacher_id",
            required=True,
            note="The teacher's id: unique in the district and never changed; sections.csv refers to it.",
        ),
        Column("Teacher_number", unique=Unique(), note="The district's number of the teacher; unique in the district."),
        Column("State_teacher_id", note="The state's id of the teacher."),
        Column("Teacher_email", cell_format=Email(), note="The teacher's e-mail address."),
        Column("First_name", required=True, note="First name."),
        Column("Middle_name", note="Middle name, or its initial."),
        Column("Last_name", required=True, note="Last name."),
        Column("Title", note="The teacher's role or title."),
        Column("Username", note="Log-in name for the vendor's password log-in; shared with applications."),
        Column(
            "Password",
            secret=True,
            note="Password for the vendor's password log-in. Never read, blanked before anything is stored.",
        ),
    ),
    identity=Identity(columns=("First_name", "Last_name", "Teacher_email", "Teacher_number", "State_teacher_id")),
    extensions=("ext.",),
    note="Every teacher, once.",
)
