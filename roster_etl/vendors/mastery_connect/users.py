"""users.csv, as the section "USERS CSV" of the document states it."""

from roster_etl.spec import Choice, Column, Digits, Email, File, Identity, Reference, RowCondition, Status, Unique
from roster_etl.vendors.mastery_connect.codes import DELETED, GRADE_OPTIONS, ROLE_OPTIONS, STATUS_OPTIONS, STUDENT

USERS = File(
    name="users",
    title="Students and teachers",
    source="USERS CSV",
    key=("user_id",),
    columns=(
        Column(
            "email",
            required=True,
            cell_format=Email(),
            note="The primary e-mail address. Several users may share one, though better not.",
        ),
        Column("first_name", required=True, note="First name."),
        Column("last_name", required=True, note="Last name."),
        Column(
            "login_id",
            note="The username; the e-mail address is used where it is empty. It belongs to one user: of any other it is left "
            "out, with a warning.",
        ),
        Column("account_id", required=True, references=Reference("accounts", "account_id"), note="The user's school."),
        Column("status", required=True, cell_format=Status(STATUS_OPTIONS), note="Whether the user is active or deleted."),
        Column(
            "student_ell_status",
            cell_format=Choice(("True", "False")),
            note="Whether the student is in a program for English language learners.",
        ),
        Column("student_gender", cell_format=Choice(("M", "F")), note="M male, F female."),
        Column(
            "student_grade",
            cell_format=Choice(GRADE_OPTIONS),
            note='Grade level. The document says "typically" and lists the first few; the list is taken as in rosters of this kind.',
        ),
        Column("student_hispanic", cell_format=Choice(("True", "False")), note="Whether the student is Hispanic or Latino."),
        Column(
            "student_number",
            required=True,
            required_where=RowCondition(column="user_role", values=STUDENT),
            cell_format=Digits(),
            unique=Unique(),
            note="The number that students take assessments with: digits only, unique in the district. Teachers may have one too.",
        ),
        Column(
            "student_race",
            cell_format=Choice(("A", "B", "I", "M", "P", "W")),
            note="A Asian, B Black or African-American, I American Indian or Alaska Native, M multiracial, "
            "P Hawaiian or Pacific Islander, W white.",
        ),
        Column("student_state_number", note="The state's number of the student; any text."),
        Column("user_id", required=True, note="The user's id: never changed; enrollments.csv refers to it."),
        Column(
            "user_role",
            required=True,
            cell_format=Choice(ROLE_OPTIONS, code="unknown_role"),
            note="What the user is at the school.",
        ),
    ),
    identity=Identity(columns=("first_name", "last_name", "email", "student_number", "student_state_number", "user_role")),
    deleted=RowCondition(column="status", values=DELETED),
    note="Every student and teacher of the district, once.",
)
