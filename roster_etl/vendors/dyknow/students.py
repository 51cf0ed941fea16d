"""Students.csv, as the table of that name in the document states it."""

from roster_etl.spec import Choice, Column, Email, File, Identity, Reference
from roster_etl.vendors.dyknow.codes import GRADE_OPTIONS

STUDENTS = File(
    name="students",
    file_name="Students.csv",
    title="Students",
    source="Students.csv",
    key=("student_id",),
    columns=(
        Column("school_id", required=True, references=Reference("schools", "school_id"), note="The student's school."),
        Column("student_id", required=True, note="The student's id, the sis_id of Clever; Enrollments.csv refers to it."),
        Column("first_name", required=True, note="First name."),
        Column("last_name", required=True, note="Last name."),
        Column("student_email", cell_format=Email(), note="The student's e-mail address."),
        Column("username", note="The default user name of the student in Clever's instant log-in."),
        Column(
            "grade",
            cell_format=Choice(GRADE_OPTIONS),
            note="Grade level, a CEDS code: single digits have their leading zero. Other codes need replace rules.",
        ),
    ),
    identity=Identity(columns=("first_name", "last_name", "student_email", "username")),
    note="Every active student, once.",
)
