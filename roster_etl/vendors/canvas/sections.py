"""sections.csv, as the document states it."""

from roster_etl.spec import Column, DateTime, File, HeaderPattern, Status

SECTIONS = File(
    name="sections",
    title="Sections of courses",
    source="sections.csv",
    key=("section_id",),
    columns=(
        Column("section_id", required=True, note="The section's SIS id, unique among all sections."),
        Column("course_id", required=True, sticky=True, note="The section's course; another one than before moves the section."),
        Column("name", sticky=True, note="The section's name; needed unless a known section is deleted."),
        Column("status", required=True, cell_format=Status(("active", "deleted")), note="Of the section."),
        Column("integration_id", note="A second id of the section, unique among sections."),
        Column("start_date", sticky=True, cell_format=DateTime(), note="When the section begins; blank clears it."),
        Column("end_date", sticky=True, cell_format=DateTime(), note="When the section has ended (exclusive); blank clears it."),
    ),
    ordered_changes=True,
    recognised_by=HeaderPattern(all_of=("section_id", "name")),
    required=False,
)
