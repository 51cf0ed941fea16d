"""StaffToStudentExport.csv, as section 3 of the document states it."""

from roster_etl.spec import Column, File, Reference, RepeatedRows

_BY_SCHOOL = (("School", "School"),)

STAFF_TO_STUDENT = File(
    name="staff_to_student",
    file_name="StaffToStudentExport.csv",
    title="Who teaches whom, and what",
    source="3. StaffToStudentExport.csv",
    key=("School", "Teacher", "Student", "Period", "Name"),
    columns=(
        Column("School", required=True, aliases=("site",), note="Code of the school that offers the course; case counts."),
        Column(
            "Teacher",
            required=True,
            references=Reference("staff", "ID", disambiguated_by=_BY_SCHOOL),
            note="The teacher's ID in StaffExport.csv.",
        ),
        Column(
            "Student",
            required=True,
            references=Reference("students", "ID", disambiguated_by=_BY_SCHOOL),
            note="The student's ID in StudentExport.csv.",
        ),
        Column("Period", required=True, note='Class period, homeroom, or "0".'),
        Column("Name", required=True, note="The course's name."),
        Column(
            "Course_number",
            aliases=("courseNumber", "Course.number"),
            note="The course's number; rows that share it share the course.",
        ),
        Column("Section_number", aliases=("sectionNumber", "Section.number"), note="The section's number."),
    ),
    repeats=RepeatedRows(columns=("Course_number", "Section_number")),
    note="One row for each student of a class. There is no other list of classes: a class is School, Teacher, Period, "
    "Course_number, Section_number and Name together.",
)
