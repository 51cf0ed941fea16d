"""StaffExport.csv, as section 1 of the document states it."""

from roster_etl.spec import Column, Email, File, Identity, Phone, RepeatedRows

STAFF = File(
    name="staff",
    file_name="StaffExport.csv",
    title="Staff and their sites",
    source="1. StaffExport.csv",
    key=("ID",),
    columns=(
        Column(
            "ID",
            required=True,
            note="The person's id in the student information system, numeric or alphanumeric; StaffToStudentExport.csv refers to it.",
        ),
        Column(
            "School",
            required=True,
            aliases=("site",),
            note="Code of a school of the person, alphanumeric; case counts. One row for each school.",
        ),
        Column("Name.First", required=True, aliases=("nameFirst", "Name_First"), note="First name."),
        Column("Name.Last", required=True, aliases=("nameLast", "Name_Last"), note="Last name."),
        Column("Email", required=True, cell_format=Email(), note="The person's district e-mail address."),
        Column(
            "Title",
            required=True,
            note="Role or title. Teacher and Instructor choose where the vendor lists a person, and change no rights.",
        ),
        Column(
            "Mobile_number",
            cell_format=Phone(lengths=(10,)),
            aliases=("mobileNumber", "Mobile.number"),
            note="Mobile phone, 10 digits; spaces and punctuation do not count.",
        ),
    ),
    other_column_orders=(("ID", "School", "Name.First", "Name.Last", "Email", "Mobile_number", "Title"),),
    identity=Identity(columns=("Name.First", "Name.Last", "Email")),
    repeats=RepeatedRows(columns=("School",)),
    note="Everybody who works for the district, once for each school. Where rows of one person differ, the first one counts.",
)
