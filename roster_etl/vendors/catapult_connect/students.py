"""StudentExport.csv, as section 2 of the document states it."""

from roster_etl.spec import Choice, Column, Decimal, Email, File, Identity, Phone, RepeatedRows
from roster_etl.vendors.catapult_connect.codes import GRADE_OPTIONS

STUDENTS = File(
    name="students",
    file_name="StudentExport.csv",
    title="Students and their contacts",
    source="2. StudentExport.csv",
    key=("ID",),
    columns=(
        Column("ID", required=True, note="The student's id, unique; StaffToStudentExport.csv refers to it."),
        Column(
            "School",
            required=True,
            aliases=("site",),
            note="Code of the student's school, alphanumeric; case counts. A student of several schools may have a row for each.",
        ),
        Column("Name.First", required=True, aliases=("nameFirst", "Name_First"), note="First name."),
        Column("Name.Last", required=True, aliases=("nameLast", "Name_Last"), note="Last name."),
        Column(
            "MobileNumber",
            cell_format=Phone(lengths=(10,)),
            aliases=("Mobile_number", "Mobile.number"),
            note="The student's mobile phone, 10 digits; given only where students receive alerts.",
        ),
        Column("Email", cell_format=Email(), note="The student's e-mail address; given only where students receive alerts."),
        Column("ContactNamePrimary", aliases=("Contact_name_primary",), note="Whole name of the first contact."),
        Column(
            "ContactPhonePrimary",
            cell_format=Phone(lengths=(10,)),
            aliases=("Contact_phone_primary",),
            note="Phone of the first contact, 10 digits; spaces and punctuation do not count.",
        ),
        Column(
            "ContactEmailPrimary",
            cell_format=Email(),
            aliases=("Contact_email_primary",),
            note="E-mail address of the first contact.",
        ),
        Column("ContactNameSecondary", aliases=("Contact_name_secondary",), note="Whole name of the second contact."),
        Column(
            "ContactPhoneSecondary",
            cell_format=Phone(lengths=(10,)),
            aliases=("Contact_phone_secondary",),
            note="Phone of the second contact, 10 digits; spaces and punctuation do not count.",
        ),
        Column(
            "ContactEmailSecondary",
            cell_format=Email(),
            aliases=("Contact_email_secondary",),
            note="E-mail address of the second contact.",
        ),
        Column("ZipCode", aliases=("Zip_code",), note="Postal code, kept as text: leading zeros count."),
        Column(
            "Grade",
            cell_format=Choice(GRADE_OPTIONS),
            note="Grade level. The document has no list of values: numbers, the usual words and the CEDS codes are known.",
        ),
        Column("BusRoute", aliases=("Bus_route",), note="Bus route; any text."),
        Column(
            "LunchBalance",
            cell_format=Decimal(),
            aliases=("Lunch_balance",),
            note="Balance of the lunch account: a number, with a minus where money is owed, without a currency sign.",
        ),
        Column("PrimaryLanguage", aliases=("Primary_language",), note="Language of the family; any text."),
        Column(
            "PreferredContactMethod",
            aliases=("Preferred_contact_method",),
            note="How the family prefers to be reached; any text.",
        ),
    ),
    identity=Identity(columns=("Name.First", "Name.Last", "Email")),
    repeats=RepeatedRows(columns=("School",)),
    record_groups=(
        ("ContactNamePrimary", "ContactPhonePrimary", "ContactEmailPrimary"),
        ("ContactNameSecondary", "ContactPhoneSecondary", "ContactEmailSecondary"),
    ),
    note="Every student, with a first and a second contact. Where rows of one student differ, the first one counts.",
)
