"""sections.csv, as the document states it."""

from roster_etl.spec import Column, DateTime, File, Signature, Status

SECTIONS = File(
    name="sections",
    file_name="sections.csv",
    title="Sections of courses",
    source="sections.csv",
    key=("section_id",),
    columns=(
        Column(name="section_id", required=True, note="The section's SIS id, unique among all sections."),
        Column(
            name="course_id", required=True, sticky=True, note="The section's course; another one than before moves the section."
        ),
        Column(name="name", sticky=True, note="The section's name; needed unless a known section is deleted."),
        Column(name="status", required=True, cell_format=Status(options=("active", "deleted")), note="Of the section."),
        Column(name="integration_id", note="A second id of the section, unique among sections."),
        Column(name="start_date", sticky=True, cell_format=DateTime(), note="When the section begins; blank clears it."),
        Column(
            name="end_date", sticky=True, cell_format=DateTime(), note="When the section has ended (exclusive); blank clears it."
        ),
    ),
    in_order=True,
    recognised_by=Signature(every=("section_id", "name")),
    required=False,
)
