"""schools.csv, as section 3.1 of the document states it."""

from roster_etl.spec import Choice, Column, Email, File, Phone
from roster_etl.vendors.clever.codes import GRADE_OPTIONS

SCHOOLS = File(
    name="schools",
    file_name="schools.csv",
    title="Schools",
    source="3.1",
    key=("School_id",),
    columns=(
        Column(name="School_id", required=True, note="The school's id, mostly its local one; every other file refers to it."),
        Column(name="School_name", required=True, note="The school's name."),
        Column(
            name="School_number",
            required=True,
            relaxed_by="school_number_required",
            note="The district's or county's number of the school. Required, though the vendor's own sample districts lack it.",
        ),
        Column(name="State_id", note="The state's id of the school."),
        Column(
            name="Low_grade",
            cell_format=Choice(options=GRADE_OPTIONS, ranges=True),
            note="The lowest grade taught. Of a range such as 9-13 the lower bound counts.",
        ),
        Column(
            name="High_grade",
            cell_format=Choice(options=GRADE_OPTIONS, ranges=True),
            note="The highest grade taught. Of a range such as 9-13 the lower bound counts, here too.",
        ),
        Column(name="Principal", note="The principal's full name."),
        Column(name="Principal_email", cell_format=Email(), note="The principal's e-mail address."),
        Column(name="School_address", note="Street address; quoted if it holds a comma."),
        Column(name="School_city", note="City."),
        Column(name="School_state", note="State."),
        Column(name="School_zip", note="Postal code, kept as text: leading zeros count."),
        Column(name="School_phone", cell_format=Phone(lengths=(7, 10, 11)), note="A phone number of 7, 10 or 11 digits."),
    ),
    extensions=("ext.",),
    note="Every school of the district.",
)
