"""people.csv, as section 2 of the document states it."""

from roster_etl.spec import Choice, Column, Email, File, Reference
from roster_etl.vendors._template.codes import ROLE_OPTIONS

PEOPLE = File(
    name="people",
    file_name="people.csv",
    title="Students and teachers",
    source="2",
    key=("person_id",),
    columns=(
        Column(name="person_id", required=True, note="The person's id: unique in the district and never changed."),
        Column(
            name="school_id",
            required=True,
            references=Reference(file="schools", column="school_id"),
            note="The person's school.",
        ),
        Column(name="first_name", required=True, note="First name."),
        Column(name="last_name", required=True, note="Last name."),
        Column(name="role", required=True, cell_format=Choice(options=ROLE_OPTIONS), note="What the person is at the school."),
        Column(name="email", cell_format=Email(), note="The person's e-mail address."),
        Column(name="password", secret=True, note="Never read, blanked before anything is stored."),
    ),
)
