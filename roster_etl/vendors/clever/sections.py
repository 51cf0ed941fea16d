"""sections.csv, as section 3.4 of the document states it."""

from roster_etl.spec import Choice, Column, Date, Family, File, Identity, NotBefore, Reference, Text
from roster_etl.vendors.clever.codes import GRADE_OPTIONS, SUBJECT_OPTIONS

_BY_SCHOOL = (("School_id", "School_id"),)

SECTIONS = File(
    name="sections",
    title="Sections, their courses and terms",
    source="3.4",
    key=("Section_id",),
    columns=(
        Column("School_id", required=True, references=Reference("schools", "School_id"), note="The section's school."),
        Column(
            "Section_id",
            required=True,
            note="The section's id: unique in the district and never changed; enrollments.csv refers to it.",
        ),
        Column(
            "Teacher_id",
            required=True,
            references=Reference("teachers", "Teacher_id", disambiguated_by=_BY_SCHOOL),
            note="The primary teacher.",
        ),
        Column(
            "Name",
            note="The section's name, which counts where no course name is given; "
            "else the name is built from course, teacher and period.",
        ),
        Column("Section_number", note="The school's or district's number of the section."),
        Column(
            "Grade",
            cell_format=Choice(GRADE_OPTIONS, ranges=True),
            note="Grade level; of a range the lower bound counts. Where blank, or the same in every section, "
            "the most common grade of the enrolled students is used.",
        ),
        Column("Course_name", note="The course's name; section names are built from it."),
        Column(
            "Course_number",
            cell_format=Text(max_length=255),
            note="The course's id, unique in the district: sections that share it share the course.",
        ),
        Column("Course_description", note="A description of the course."),
        Column("Period", note="Place in the bell schedule, e.g. 1A; section names are built from it."),
        Column(
            "Subject",
            cell_format=Choice(SUBJECT_OPTIONS),
            note="General subject. Where blank, one is assigned from the section's name.",
        ),
        Column("Term_name", note='The term\'s name, e.g. "S1".'),
        Column("Term_start", cell_format=Date(pattern="MM/DD/YYYY"), note="First day of the term."),
        Column("Term_end", cell_format=Date(pattern="MM/DD/YYYY"), note="Last day of the term, still part of it."),
    ),
    families=(
        Family(
            "Teacher_{n}_id",
            first=2,
            last=10,
            references=Reference("teachers", "Teacher_id", disambiguated_by=_BY_SCHOOL),
            note="A co-teacher.",
        ),
    ),
    identity=Identity(columns=("School_id", "Name", "Section_number", "Course_name", "Course_number", "Period", "Term_name")),
    extensions=("ext.",),
    rules=(NotBefore(column="Term_end", other="Term_start"),),
    note="Every section. One without an enrolled student is reported and not loaded.",
)
