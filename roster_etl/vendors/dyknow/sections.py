"""Sections.csv, as the table of that name in the document, and the note below it, state it."""

from roster_etl.spec import Column, Date, Family, File, Identity, NotBefore, Reference

_BY_SCHOOL = (("school_id", "school_id"),)

SECTIONS = File(
    name="sections",
    file_name="Sections.csv",
    title="Sections, their courses and terms",
    source="Sections.csv",
    key=("section_id",),
    columns=(
        Column("school_id", required=True, references=Reference("schools", "school_id"), note="The section's school."),
        Column("section_id", required=True, note="The section's id, the sis_id of Clever; Enrollments.csv refers to it."),
        Column(
            "teacher_id",
            required=True,
            references=Reference("teachers", "teacher_id", disambiguated_by=_BY_SCHOOL),
            note="A teacher of the section.",
        ),
        Column("course_name", required=True, note="The course's name, and the only name that the section has."),
        Column("term_start", cell_format=Date(pattern="MM/DD/YYYY", also=("YYYY-MM-DD",)), note="First day of the term."),
        Column(
            "term_end",
            cell_format=Date(pattern="MM/DD/YYYY", also=("YYYY-MM-DD",)),
            note="Last day of the term, still part of it.",
        ),
    ),
    families=(
        Family(
            "teacher_{n}_id",
            first=2,
            last=None,
            references=Reference("teachers", "teacher_id", disambiguated_by=_BY_SCHOOL),
            note="One more teacher of the section, as many as the file has columns for.",
        ),
    ),
    identity=Identity(columns=("school_id", "course_name", "term_start", "term_end")),
    rules=(NotBefore(column="term_end", other="term_start"),),
    note="Every section, with or without students.",
)
