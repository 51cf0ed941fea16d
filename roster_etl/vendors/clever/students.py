"""students.csv, as section 3.2 of the document states it."""

from roster_etl.spec import (
    Choice,
    Column,
    Date,
    Decimal,
    Email,
    File,
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
    file_name="students.csv",
    title="Students and their contacts",
    source="3.2",
    key=("Student_id",),
    columns=(
        Column(
            name="School_id",
            required=True,
            references=Reference(file="schools", column="School_id"),
            note="The student's primary school.",
        ),
        Column(
            name="Student_id",
            required=True,
            note="The student's id: unique in the district and never changed; enrollments.csv refers to it.",
        ),
        Column(name="Student_number", unique=Unique(), note="The district's number of the student; unique in the district."),
        Column(name="State_id", note="The state's id of the student."),
        Column(name="Last_name", required=True, note="Last name."),
        Column(name="Middle_name", note="Middle name, or its initial."),
        Column(name="First_name", required=True, note="First name."),
        Column(name="Preferred_last_name", note="The last name that the student goes by."),
        Column(name="Preferred_middle_name", note="The middle name that the student goes by."),
        Column(name="Preferred_first_name", note="The first name that the student goes by."),
        Column(name="Grade", cell_format=Choice(options=GRADE_OPTIONS), note="Grade level; no ranges here."),
        Column(name="Gender", cell_format=Choice(options=("M", "F", "X")), note="M male, F female, X non-binary."),
        Column(
            name="Gifted_status", cell_format=Choice(options=("Y", "N")), note="Whether the student is in a gifted programme."
        ),
        Column(
            name="Graduation_year",
            cell_format=WholeNumber(minimum=1900, maximum=3000, digits=4),
            note="Year of graduation, 4 digits, 1900 to 3000 (both taken as allowed).",
        ),
        Column(name="DOB", cell_format=Date(pattern="MM/DD/YYYY"), note="Date of birth."),
        Column(
            name="Race",
            cell_format=Choice(options=("A", "B", "I", "M", "P", "W")),
            note="A Asian, B Black or African-American, I American Indian or Alaska Native, M multiracial, "
            "P Hawaiian or Pacific Islander, W white.",
        ),
        Column(name="Hispanic_Latino", cell_format=Choice(options=("Y", "N")), note="Whether the student is Hispanic or Latino."),
        Column(
            name="Home_language",
            note="Language spoken at home. The document leaves the list of values to a help page, so any text is let through.",
        ),
        Column(
            name="Ell_status",
            cell_format=Choice(options=("Y", "N")),
            note="Whether the student is learning English as a further language.",
        ),
        Column(
            name="Frl_status",
            cell_format=Choice(options=("F", "R", "N"), fallback="N"),
            note="Lunch: F free, R reduced, N no discount. Any other value is read as no discount.",
        ),
        Column(name="IEP_status", cell_format=Choice(options=("Y", "N")), note="Whether the student receives special education."),
        Column(name="Student_street", note="Street address; quoted if it holds a comma."),
        Column(name="Student_city", note="City."),
        Column(name="Student_state", note="State."),
        Column(name="Student_zip", note="Postal code, kept as text: leading zeros count."),
        Column(name="Student_email", cell_format=Email(), note="The student's e-mail address."),
        Column(name="Contact_relationship", note='What the contact is to the student, e.g. "Aunt" or "Neighbor".'),
        Column(name="Contact_type", note='Kind of contact, e.g. "family"; any text. Needed as soon as a row has a contact.'),
        Column(name="Contact_name", note="The contact's whole name. Needed as soon as a row has a contact."),
        Column(
            name="Contact_phone",
            cell_format=Phone(lengths=(7, 10, 11)),
            note="The contact's only phone number, of 7, 10 or 11 digits.",
        ),
        Column(
            name="Contact_phone_type",
            cell_format=Choice(options=("Cell", "Home", "Work")),
            aliases=("Contact_phone.type",),
            note="Kind of phone. The appendix of the document spells the header Contact_phone.type; both are read.",
        ),
        Column(name="Contact_email", cell_format=Email(), note="The contact's only e-mail address."),
        Column(
            name="Contact_sis_id",
            cell_format=Text(max_length=255),
            note="The contact's own id, if there is one; keeps the contact the same when it is edited.",
        ),
        Column(name="Username", note="Log-in name for the vendor's password log-in; shared with applications."),
        Column(
            name="Password",
            secret=True,
            note="Password for the vendor's password log-in. Never read, blanked before anything is stored.",
        ),
        Column(name="Unweighted_gpa", cell_format=Decimal(), note="Grade point average, unweighted."),
        Column(name="Weighted_gpa", cell_format=Decimal(), note="Grade point average, weighted."),
        Column(name="Disability_status", cell_format=Choice(options=("Y", "N")), note="Whether the student has a disability."),
        Column(
            name="Disability_type",
            note="Kind of disability. The document leaves the list of values to CEDS, so any text is let through.",
        ),
        Column(
            name="Section_504_status", cell_format=Choice(options=("Y", "N")), note="Whether the student has a Section 504 plan."
        ),
    ),
    extensions=("ext.",),
    repeats=RepeatedRows(columns=CONTACT_COLUMNS),
    rules=(RequiredTogether(columns=CONTACT_COLUMNS, required=("Contact_name", "Contact_type")),),
    note="Every enrolled student, once for each contact.",
)
