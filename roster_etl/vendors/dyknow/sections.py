"""Sections.csv, as the table of that name in the document, and the note below it, state it."""

from roster_etl.spec import Column, Date, Family, File, NotBefore, Reference

SECTIONS = File(
    name="sections",
    file_name="Sections.csv",
    title="Sections, their courses and terms",
    source="Sections.csv",
    key=("section_id",),
    columns=(
        Column(
            name="school_id",
            required=True,
            references=Reference(file="schools", column="school_id"),
            note="The section's school.",
        ),
        Column(name="section_id", required=True, note="The section's id, the sis_id of Clever; Enrollments.csv refers to it."),
        Column(
            name="teacher_id",
            required=True,
            references=Reference(file="teachers", column="teacher_id"),
            note="A teacher of the section.",
        ),
        Column(name="course_name", required=True, note="The course's name, and the only name that the section has."),
        Column(
            name="term_start",
            cell_format=Date(pattern="MM/DD/YYYY", also=("YYYY-MM-DD",)),
            note="First day of the term.",
        ),
        Column(
            name="term_end",
            cell_format=Date(pattern="MM/DD/YYYY", also=("YYYY-MM-DD",)),
            note="Last day of the term, still part of it.",
        ),
    ),
    families=(
        Family(
            pattern="teacher_{n}_id",
            first=2,
            last=None,
            references=Reference(file="teachers", column="teacher_id"),
            note="One more teacher of the section, as many as the file has columns for.",
        ),
    ),
    rules=(NotBefore(column="term_end", other="term_start"),),
    note="Every section, with or without students.",
)
