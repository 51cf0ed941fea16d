"""Students.csv, as the table of that name in the document states it."""

from roster_etl.spec import Choice, Column, Email, File, Reference
from roster_etl.vendors.dyknow.codes import GRADE_OPTIONS

STUDENTS = File(
    name="students",
    file_name="Students.csv",
    title="Students",
    source="Students.csv",
    key=("student_id",),
    columns=(
        Column(
            name="school_id",
            required=True,
            references=Reference(file="schools", column="school_id"),
            note="The student's school.",
        ),
        Column(name="student_id", required=True, note="The student's id, the sis_id of Clever; Enrollments.csv refers to it."),
        Column(name="first_name", required=True, note="First name."),
        Column(name="last_name", required=True, note="Last name."),
        Column(name="student_email", cell_format=Email(), note="The student's e-mail address."),
        Column(name="username", note="The default user name of the student in Clever's instant log-in."),
        Column(
            name="grade",
            cell_format=Choice(options=GRADE_OPTIONS),
            note="Grade level, a CEDS code: single digits have their leading zero. Other codes need replace rules.",
        ),
    ),
    note="Every active student, once.",
)
