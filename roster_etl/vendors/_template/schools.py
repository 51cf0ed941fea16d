"""schools.csv, as section 1 of the document states it."""

from roster_etl.spec import Column, File

SCHOOLS = File(
    name="schools",
    title="Schools",
    source="1",
    key=("school_id",),
    columns=(
        Column("school_id", required=True, note="The school's id; other files refer to it."),
        Column("name", required=True, note="The school's name."),
    ),
)
