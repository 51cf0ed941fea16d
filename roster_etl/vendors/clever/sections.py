"""sections.csv, as section 3.4 of the document states it."""

from roster_etl.spec import Choice, Column, Date, Family, File, NotBefore, Reference, Text
from roster_etl.vendors.clever.codes import GRADE_OPTIONS, SUBJECT_OPTIONS

SECTIONS = File(
    name="sections",
    file_name="sections.csv",
    title="Sections, their courses and terms",
    source="3.4",
    key=("Section_id",),
    columns=(
        Column(
            name="School_id",
            required=True,
            references=Reference(file="schools", column="School_id"),
            note="The section's school.",
        ),
        Column(
            name="Section_id",
            required=True,
            note="The section's id: unique in the district and never changed; enrollments.csv refers to it.",
        ),
        Column(
            name="Teacher_id",
            required=True,
            references=Reference(file="teachers", column="Teacher_id"),
            note="The primary teacher.",
        ),
        Column(
            name="Name",
            note="The section's name, which counts where no course name is given; "
            "else the name is built from course, teacher and period.",
        ),
        Column(name="Section_number", note="The school's or district's number of the section."),
        Column(
            name="Grade",
            cell_format=Choice(options=GRADE_OPTIONS, ranges=True),
            note="Grade level; of a range the lower bound counts. Where blank, or the same in every section, "
            "the most common grade of the enrolled students stands in.",
        ),
        Column(name="Course_name", note="The course's name; section names are built from it."),
        Column(
            name="Course_number",
            cell_format=Text(max_length=255),
            note="The course's id, unique in the district: sections that share it share the course.",
        ),
        Column(name="Course_description", note="A description of the course."),
        Column(name="Period", note="Place in the bell schedule, e.g. 1A; section names are built from it."),
        Column(
            name="Subject",
            cell_format=Choice(options=SUBJECT_OPTIONS),
            note="General subject. Where blank, one is assigned from the section's name.",
        ),
        Column(name="Term_name", note='The term\'s name, e.g. "S1".'),
        Column(name="Term_start", cell_format=Date(pattern="MM/DD/YYYY"), note="First day of the term."),
        Column(name="Term_end", cell_format=Date(pattern="MM/DD/YYYY"), note="Last day of the term, still part of it."),
    ),
    families=(
        Family(
            pattern="Teacher_{n}_id",
            first=2,
            last=10,
            references=Reference(file="teachers", column="Teacher_id"),
            note="A co-teacher.",
        ),
    ),
    extensions=("ext.",),
    rules=(NotBefore(column="Term_end", other="Term_start"),),
    note="Every section. One without an enrolled student is reported and not loaded.",
)
