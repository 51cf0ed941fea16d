"""Schools.csv, as the table of that name in the document states it."""

from roster_etl.spec import Column, File, Identity

SCHOOLS = File(
    name="schools",
    file_name="Schools.csv",
    title="Schools",
    source="Schools.csv",
    key=("school_id",),
    columns=(
        Column("school_id", required=True, note="The school's id, the sis_id of Clever; every other file refers to it."),
        Column("school_name", required=True, note="The school's name."),
    ),
    identity=Identity(columns=("school_name",)),
    note="Every school of the district.",
)
