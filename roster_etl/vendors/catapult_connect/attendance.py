"""AttendanceExport.csv, as section 4 of the document states it."""

from roster_etl.spec import Column, Date, File, Reference, Repeats

_EVENTS = "Absences are events: they come in a rhythm of their own, and are added to a table that no upload of the roster closes."

ATTENDANCE = File(
    name="attendance",
    file_name="AttendanceExport.csv",
    title="Absences to be told of",
    source="4. AttendanceExport.csv",
    required=False,
    key=("School", "Student", "Period", "Absence.code"),
    columns=(
        Column(name="School", required=True, aliases=("site",), unmapped=_EVENTS, note="Code of the school; case counts."),
        Column(
            name="Student",
            required=True,
            references=Reference(file="students", column="ID"),
            unmapped=_EVENTS,
            note="The student's ID in StudentExport.csv.",
        ),
        Column(name="Period", required=True, unmapped=_EVENTS, note="The period, as in StaffToStudentExport.csv."),
        Column(
            name="Absence.code",
            required=True,
            aliases=("absenceCode", "Absence_code"),
            unmapped=_EVENTS,
            note="The district's own code for the absence; any text.",
        ),
        Column(name="Teacher.name", aliases=("teacherName", "Teacher_name"), unmapped=_EVENTS, note="The teacher's name."),
        Column(name="Date", form=Date(pattern="MM/DD/YY"), unmapped=_EVENTS, note="Day of the absence."),
    ),
    repeats=Repeats(columns=("Date", "Teacher.name")),
    note="Absences that families are to be told of, some time before the alerts go out.",
)
