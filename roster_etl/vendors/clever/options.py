"""Options of a district's Clever feed: one for each point that the document leaves open (see README.md)."""

from roster_etl.spec import Option

OPTIONS = (
    Option(
        "section_names",
        default="document",
        kind="choice",
        choices=("document", "given"),
        meaning="How sections are named: as the document says (course, teacher, period), or "
        "by the Name column where it has a value.",
    ),
    Option(
        "infer_grades",
        default="true",
        kind="switch",
        meaning="Give a section without a grade, or every section if all have the same, the most common grade of its students.",
    ),
    Option(
        "infer_subjects",
        default="true",
        kind="switch",
        meaning="Give a section without a subject one that fits the name of its course, or its own.",
    ),
    Option(
        "school_number_required",
        default="true",
        kind="switch",
        meaning="Refuse schools without a School_number, as the document does. "
        "Switched off, the number and its column may be missing.",
    ),
    Option(
        "course_number_scope",
        default="district",
        kind="choice",
        choices=("district", "school"),
        meaning="Where a Course_number names one course: in the whole district, as the document says, or in one school only.",
    ),
)
