"""people.csv, as section 2 of the document states it."""

from roster_etl.spec import Choice, Column, Email, File, Reference
from roster_etl.vendors._template.codes import ROLE_OPTIONS

PEOPLE = File(
    name="people",
    title="Students and teachers",
    source="2",
    key=("person_id",),
    columns=(
        Column("person_id", required=True, note="The person's id: unique in the district and never changed."),
        Column("school_id", required=True, references=Reference("schools", "school_id"), note="The person's school."),
        Column("first_name", required=True, note="First name."),
        Column("last_name", required=True, note="Last name."),
        Column("role", required=True, cell_format=Choice(ROLE_OPTIONS), note="What the person is at the school."),
        Column("email", cell_format=Email(), note="The person's e-mail address."),
        Column("password", secret=True, note="Never read, blanked before anything is stored."),
    ),
)
