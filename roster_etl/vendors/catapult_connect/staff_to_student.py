"""StaffToStudentExport.csv, as section 3 of the document states it."""

from roster_etl.spec import Column, File, Reference, RepeatedRows

STAFF_TO_STUDENT = File(
    name="staff_to_student",
    file_name="StaffToStudentExport.csv",
    title="Who teaches whom, and what",
    source="3. StaffToStudentExport.csv",
    key=("School", "Teacher", "Student", "Period", "Name"),
    columns=(
        Column(name="School", required=True, aliases=("site",), note="Code of the school that offers the course; case counts."),
        Column(
            name="Teacher",
            required=True,
            references=Reference(file="staff", column="ID"),
            note="The teacher's ID in StaffExport.csv.",
        ),
        Column(
            name="Student",
            required=True,
            references=Reference(file="students", column="ID"),
            note="The student's ID in StudentExport.csv.",
        ),
        Column(name="Period", required=True, note='Class period, homeroom, or "0".'),
        Column(name="Name", required=True, note="The course's name."),
        Column(
            name="Course_number",
            aliases=("courseNumber", "Course.number"),
            note="The course's number; rows that share it share the course.",
        ),
        Column(name="Section_number", aliases=("sectionNumber", "Section.number"), note="The section's number."),
    ),
    repeats=RepeatedRows(columns=("Course_number", "Section_number")),
    note="One row for each student of a class. There is no other list of classes: a class is School, Teacher, Period, "
    "Course_number, Section_number and Name together.",
)
