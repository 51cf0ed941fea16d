"""schools.csv, as section 3.1 of the document states it."""

from roster_etl.spec import Choice, Column, Email, File, Identity, Phone
from roster_etl.vendors.clever.codes import GRADE_OPTIONS

SCHOOLS = File(
    name="schools",
    title="Schools",
    source="3.1",
    key=("School_id",),
    columns=(
        Column("School_id", required=True, note="The school's id, mostly its local one; every other file refers to it."),
        Column("School_name", required=True, note="The school's name."),
        Column(
            "School_number",
            required=True,
            optional_if_option="school_number_required",
            note="The district's or county's number of the school. Required, though the vendor's own sample districts lack it.",
        ),
        Column("State_id", note="The state's id of the school."),
        Column(
            "Low_grade",
            cell_format=Choice(GRADE_OPTIONS, ranges=True),
            note="The lowest grade taught. Of a range such as 9-13 the lower bound counts.",
        ),
        Column(
            "High_grade",
            cell_format=Choice(GRADE_OPTIONS, ranges=True),
            note="The highest grade taught. Of a range such as 9-13 the lower bound counts, here too.",
        ),
        Column("Principal", note="The principal's full name."),
        Column("Principal_email", cell_format=Email(), note="The principal's e-mail address."),
        Column("School_address", note="Street address; quoted if it holds a comma."),
        Column("School_city", note="City."),
        Column("School_state", note="State."),
        Column("School_zip", note="Postal code, kept as text: leading zeros count."),
        Column("School_phone", cell_format=Phone(lengths=(7, 10, 11)), note="A phone number of 7, 10 or 11 digits."),
    ),
    identity=Identity(columns=("School_name", "School_number", "State_id")),
    extensions=("ext.",),
    note="Every school of the district.",
)
