"""StudentExport.csv, as section 2 of the document states it."""

from roster_etl.spec import Choice, Column, Decimal, Email, File, Phone, RepeatedRows
from roster_etl.vendors.catapult_connect.codes import GRADE_OPTIONS

STUDENTS = File(
    name="students",
    file_name="StudentExport.csv",
    title="Students and their contacts",
    source="2. StudentExport.csv",
    key=("ID",),
    columns=(
        Column(name="ID", required=True, note="The student's id, unique; StaffToStudentExport.csv refers to it."),
        Column(
            name="School",
            required=True,
            aliases=("site",),
            note="Code of the student's school, alphanumeric; case counts. A student of several schools may have a row for each.",
        ),
        Column(name="Name.First", required=True, aliases=("nameFirst", "Name_First"), note="First name."),
        Column(name="Name.Last", required=True, aliases=("nameLast", "Name_Last"), note="Last name."),
        Column(
            name="MobileNumber",
            cell_format=Phone(lengths=(10,)),
            aliases=("Mobile_number", "Mobile.number"),
            note="The student's mobile phone, 10 digits; given only where students receive alerts.",
        ),
        Column(name="Email", cell_format=Email(), note="The student's e-mail address; given only where students receive alerts."),
        Column(name="ContactNamePrimary", aliases=("Contact_name_primary",), note="Whole name of the first contact."),
        Column(
            name="ContactPhonePrimary",
            cell_format=Phone(lengths=(10,)),
            aliases=("Contact_phone_primary",),
            note="Phone of the first contact, 10 digits; spaces and punctuation do not count.",
        ),
        Column(
            name="ContactEmailPrimary",
            cell_format=Email(),
            aliases=("Contact_email_primary",),
            note="E-mail address of the first contact.",
        ),
        Column(name="ContactNameSecondary", aliases=("Contact_name_secondary",), note="Whole name of the second contact."),
        Column(
            name="ContactPhoneSecondary",
            cell_format=Phone(lengths=(10,)),
            aliases=("Contact_phone_secondary",),
            note="Phone of the second contact, 10 digits; spaces and punctuation do not count.",
        ),
        Column(
            name="ContactEmailSecondary",
            cell_format=Email(),
            aliases=("Contact_email_secondary",),
            note="E-mail address of the second contact.",
        ),
        Column(name="ZipCode", aliases=("Zip_code",), note="Postal code, kept as text: leading zeros count."),
        Column(
            name="Grade",
            cell_format=Choice(options=GRADE_OPTIONS),
            note="Grade level. The document has no list of values: numbers, the usual words and the CEDS codes are known.",
        ),
        Column(name="BusRoute", aliases=("Bus_route",), note="Bus route; any text."),
        Column(
            name="LunchBalance",
            cell_format=Decimal(),
            aliases=("Lunch_balance",),
            note="Balance of the lunch account: a number, with a minus where money is owed, without a currency sign.",
        ),
        Column(name="PrimaryLanguage", aliases=("Primary_language",), note="Language of the family; any text."),
        Column(
            name="PreferredContactMethod",
            aliases=("Preferred_contact_method",),
            note="How the family prefers to be reached; any text.",
        ),
    ),
    repeats=RepeatedRows(columns=("School",)),
    record_groups=(
        ("ContactNamePrimary", "ContactPhonePrimary", "ContactEmailPrimary"),
        ("ContactNameSecondary", "ContactPhoneSecondary", "ContactEmailSecondary"),
    ),
    note="Every student, with a first and a second contact. Where rows of one student differ, the first one counts.",
)
