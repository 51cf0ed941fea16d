"""sections.csv, as the section "SECTIONS CSV" of the document states it."""

from roster_etl.spec import Column, CrossFeedMatch, File, Identity, Reference, RowCondition, Status
from roster_etl.vendors.mastery_connect.codes import DELETED, STATUS_OPTIONS

SECTIONS = File(
    name="sections",
    title="Sections",
    source="SECTIONS CSV",
    key=("section_id",),
    columns=(
        Column(
            "section_id",
            required=True,
            matches=CrossFeedMatch(table="sections", column="section_id", option="match_source"),
            note="The section's id: never changed. Where the district uses Canvas, it must be the section's id there.",
        ),
        Column(
            "name",
            required=True,
            has_default=True,
            note="The section's name. Where it is empty, one is built of the course's name and the teacher's last name.",
        ),
        Column("course_id", required=True, references=Reference("courses", "course_id"), note="The course."),
        Column("course_number", note='The number of the section\'s course, such as "100"; it is for information.'),
        Column(
            "status",
            required=True,
            cell_format=Status(STATUS_OPTIONS),
            unmapped="It is only used to detect deleted sections: these have no current version.",
            note="Whether the section is active or deleted.",
        ),
    ),
    identity=Identity(columns=("name", "course_id", "course_number")),
    deleted=RowCondition(column="status", values=DELETED),
    note="Every section of the district.",
)
