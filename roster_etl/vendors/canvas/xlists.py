"""xlists.csv: sections that move into the course of another."""

from roster_etl.spec import Column, File, HeaderPattern, Status

XLISTS = File(
    name="xlists",
    title="Cross-listed sections",
    source="xlists.csv",
    key=("section_id",),
    columns=(
        Column(
            "xlist_course_id",
            required=True,
            note="The course that the section moves to; made from the section's course if it is not known.",
        ),
        Column("section_id", required=True, note="The section; it must be known."),
        Column(
            "status",
            required=True,
            cell_format=Status(("active", "deleted")),
            note="deleted returns the section to its first course.",
        ),
    ),
    ordered_changes=True,
    recognised_by=HeaderPattern(all_of=("xlist_course_id", "section_id")),
    required=False,
)
