"""users.csv, as the section "USERS CSV" of the document states it."""

from roster_etl.spec import Choice, Column, Digits, Email, File, Reference, RowCondition, Status, Unique
from roster_etl.vendors.mastery_connect.codes import DELETED, GRADE_OPTIONS, ROLE_OPTIONS, STATUS_OPTIONS, STUDENT

USERS = File(
    name="users",
    file_name="users.csv",
    title="Students and teachers",
    source="USERS CSV",
    key=("user_id",),
    columns=(
        Column(
            name="email",
            required=True,
            cell_format=Email(),
            note="The primary e-mail address. Several users may share one, though better not.",
        ),
        Column(name="first_name", required=True, note="First name."),
        Column(name="last_name", required=True, note="Last name."),
        Column(
            name="login_id",
            note="The username; the e-mail address stands in where it is empty. It belongs to one user: of any other it is left "
            "out, with a warning.",
        ),
        Column(
            name="account_id",
            required=True,
            references=Reference(file="accounts", column="account_id"),
            note="The user's school.",
        ),
        Column(
            name="status", required=True, cell_format=Status(options=STATUS_OPTIONS), note="Whether the user is there or gone."
        ),
        Column(
            name="student_ell_status",
            cell_format=Choice(options=("True", "False")),
            note="Whether the student is in a program for English language learners.",
        ),
        Column(name="student_gender", cell_format=Choice(options=("M", "F")), note="M male, F female."),
        Column(
            name="student_grade",
            cell_format=Choice(options=GRADE_OPTIONS),
            note='Grade level. The document says "typically" and lists the first few; the list is taken as in rosters of this kind.',
        ),
        Column(
            name="student_hispanic",
            cell_format=Choice(options=("True", "False")),
            note="Whether the student is Hispanic or Latino.",
        ),
        Column(
            name="student_number",
            required=True,
            required_where=RowCondition(column="user_role", values=STUDENT),
            cell_format=Digits(),
            unique=Unique(),
            note="The number that students take assessments with: digits only, unique in the district. Teachers may have one too.",
        ),
        Column(
            name="student_race",
            cell_format=Choice(options=("A", "B", "I", "M", "P", "W")),
            note="A Asian, B Black or African-American, I American Indian or Alaska Native, M multiracial, "
            "P Hawaiian or Pacific Islander, W white.",
        ),
        Column(name="student_state_number", note="The state's number of the student; any text."),
        Column(name="user_id", required=True, note="The user's id: never changed; enrollments.csv refers to it."),
        Column(
            name="user_role",
            required=True,
            cell_format=Choice(options=ROLE_OPTIONS, code="unknown_role"),
            note="What the user is at the school.",
        ),
    ),
    deleted=RowCondition(column="status", values=DELETED),
    note="Every student and teacher of the district, once.",
)
