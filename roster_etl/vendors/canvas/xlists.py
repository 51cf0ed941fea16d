"""xlists.csv: sections that move into the course of another."""

from roster_etl.spec import Column, File, Signature, Status

XLISTS = File(
    name="xlists",
    file_name="xlists.csv",
    title="Cross-listed sections",
    source="xlists.csv",
    key=("section_id",),
    columns=(
        Column(
            name="xlist_course_id",
            required=True,
            note="The course that the section moves to; made from the section's course if it is not known.",
        ),
        Column(name="section_id", required=True, note="The section; it must be known."),
        Column(
            name="status",
            required=True,
            cell_format=Status(options=("active", "deleted")),
            note="deleted returns the section to its first course.",
        ),
    ),
    in_order=True,
    recognised_by=Signature(every=("xlist_course_id", "section_id")),
    required=False,
)
