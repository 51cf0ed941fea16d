"""AttendanceExport.csv, as section 4 of the document states it."""

from roster_etl.spec import Column, CompositeReference, Date, File, Reference, RepeatedRows

ATTENDANCE = File(
    name="attendance",
    file_name="AttendanceExport.csv",
    title="Absences to report to families",
    source="4. AttendanceExport.csv",
    key=("School", "Student", "Period", "Absence.code"),
    columns=(
        Column("School", required=True, aliases=("site",), note="Code of the school; case counts."),
        Column("Student", required=True, references=Reference("students", "ID"), note="The student's ID in StudentExport.csv."),
        Column("Period", required=True, note="The period, as in StaffToStudentExport.csv."),
        Column(
            "Absence.code",
            required=True,
            aliases=("absenceCode", "Absence_code"),
            allowed_values_option="absence_codes",
            note="The district's own code for the absence; any text.",
        ),
        Column("Teacher.name", aliases=("teacherName", "Teacher_name"), note="The teacher's name."),
        Column(
            "Date",
            cell_format=Date(pattern="MM/DD/YY", any_year=True),
            strict=True,
            note="Day of the absence; without one it is the day on which the file arrives, in the district's time zone.",
        ),
    ),
    rules=(
        CompositeReference(
            columns=("Student", "Period"),
            file="staff_to_student",
            other_columns=("Student", "Period"),
            message="The student has no class in this period; the absence was kept as sent.",
        ),
    ),
    repeats=RepeatedRows(columns=("Date", "Teacher.name")),
    note="Absences to report to families; the file arrives some time before the alerts are sent.",
)
