"""students.csv, as section 3.2 of the document states it."""

from roster_etl.spec import (
    Choice,
    Column,
    Date,
    Decimal,
    Email,
    File,
    Identity,
    Phone,
    Reference,
    RepeatedRows,
    RequiredTogether,
    Text,
    Unique,
    WholeNumber,
)
from roster_etl.vendors.clever.codes import GRADE_OPTIONS

CONTACT_COLUMNS = (
    "Contact_relationship",
    "Contact_type",
    "Contact_name",
    "Contact_phone",
    "Contact_phone_type",
    "Contact_email",
    "Contact_sis_id",
)

STUDENTS = File(
    name="students",
    title="Students and their contacts",
    source="3.2",
    key=("Student_id",),
    columns=(
        Column("School_id", required=True, references=Reference("schools", "School_id"), note="The student's primary school."),
        Column(
            "Student_id",
            required=True,
            note="The student's id: unique in the district and never changed; enrollments.csv refers to it.",
        ),
        Column("Student_number", unique=Unique(), note="The district's number of the student; unique in the district."),
        Column("State_id", note="The state's id of the student."),
        Column("Last_name", required=True, note="Last name."),
        Column("Middle_name", note="Middle name, or its initial."),
        Column("First_name", required=True, note="First name."),
        Column("Preferred_last_name", note="The last name that the student goes by."),
        Column("Preferred_middle_name", note="The middle name that the student goes by."),
        Column("Preferred_first_name", note="The first name that the student goes by."),
        Column("Grade", cell_format=Choice(GRADE_OPTIONS), note="Grade level; no ranges here."),
        Column("Gender", cell_format=Choice(("M", "F", "X")), note="M male, F female, X non-binary."),
        Column("Gifted_status", cell_format=Choice(("Y", "N")), note="Whether the student is in a gifted programme."),
        Column(
            "Graduation_year",
            cell_format=WholeNumber(minimum=1900, maximum=3000, digits=4),
            note="Year of graduation, 4 digits, 1900 to 3000 (both taken as allowed).",
        ),
        Column("DOB", cell_format=Date(pattern="MM/DD/YYYY"), note="Date of birth."),
        Column(
            "Race",
            cell_format=Choice(("A", "B", "I", "M", "P", "W")),
            note="A Asian, B Black or African-American, I American Indian or Alaska Native, M multiracial, "
            "P Hawaiian or Pacific Islander, W white.",
        ),
        Column("Hispanic_Latino", cell_format=Choice(("Y", "N")), note="Whether the student is Hispanic or Latino."),
        Column(
            "Home_language",
            note="Language spoken at home. The document leaves the list of values to a help page, so any text is let through.",
        ),
        Column(
            "Ell_status", cell_format=Choice(("Y", "N")), note="Whether the student is learning English as a further language."
        ),
        Column(
            "Frl_status",
            cell_format=Choice(("F", "R", "N"), fallback="N"),
            note="Lunch: F free, R reduced, N no discount. Any other value is read as no discount.",
        ),
        Column("IEP_status", cell_format=Choice(("Y", "N")), note="Whether the student receives special education."),
        Column("Student_street", note="Street address; quoted if it holds a comma."),
        Column("Student_city", note="City."),
        Column("Student_state", note="State."),
        Column("Student_zip", note="Postal code, kept as text: leading zeros count."),
        Column("Student_email", cell_format=Email(), note="The student's e-mail address."),
        Column("Contact_relationship", note='What the contact is to the student, e.g. "Aunt" or "Neighbor".'),
        Column("Contact_type", note='Kind of contact, e.g. "family"; any text. Needed as soon as a row has a contact.'),
        Column("Contact_name", note="The contact's whole name. Needed as soon as a row has a contact."),
        Column(
            "Contact_phone",
            cell_format=Phone(lengths=(7, 10, 11)),
            note="The contact's only phone number, of 7, 10 or 11 digits.",
        ),
        Column(
            "Contact_phone_type",
            cell_format=Choice(("Cell", "Home", "Work")),
            aliases=("Contact_phone.type",),
            note="Kind of phone. The appendix of the document spells the header Contact_phone.type; both are read.",
        ),
        Column("Contact_email", cell_format=Email(), note="The contact's only e-mail address."),
        Column(
            "Contact_sis_id",
            cell_format=Text(max_length=255),
            note="The contact's own id, if there is one; keeps the contact the same when it is edited.",
        ),
        Column("Username", note="Log-in name for the vendor's password log-in; shared with applications."),
        Column(
            "Password",
            secret=True,
            note="Password for the vendor's password log-in. Never read, blanked before anything is stored.",
        ),
        Column("Unweighted_gpa", cell_format=Decimal(), note="Grade point average, unweighted."),
        Column("Weighted_gpa", cell_format=Decimal(), note="Grade point average, weighted."),
        Column("Disability_status", cell_format=Choice(("Y", "N")), note="Whether the student has a disability."),
        Column(
            "Disability_type",
            note="Kind of disability. The document leaves the list of values to CEDS, so any text is let through.",
        ),
        Column("Section_504_status", cell_format=Choice(("Y", "N")), note="Whether the student has a Section 504 plan."),
    ),
    extensions=("ext.",),
    identity=Identity(columns=("First_name", "Last_name", "DOB", "Student_email", "Student_number", "State_id")),
    parts=(Identity(key=("Student_id", "Contact_sis_id"), columns=("Contact_name",)),),
    repeats=RepeatedRows(columns=CONTACT_COLUMNS, first_counts=("School_id",)),
    rules=(RequiredTogether(columns=CONTACT_COLUMNS, required=("Contact_name", "Contact_type")),),
    note="Every enrolled student, once for each contact.",
)
