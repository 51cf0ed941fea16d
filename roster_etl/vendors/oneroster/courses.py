"""courses.csv, as the CSV Binding states it (4.5 in 1.2; the same columns in 1.1)."""

from roster_etl.spec import Choice, Column, File, Identity, ListOf, Reference, ReferencedRecordType, SameLength
from roster_etl.vendors.oneroster.codes import GRADE_OPTIONS
from roster_etl.vendors.oneroster.common import COMMON, DATA_FILE

_IDENTITY = Identity(columns=("title", "courseCode", "orgSourcedId"))
COURSES = File(
    name="courses",
    title="Courses of the catalogue",
    source="4.5",
    columns=(
        *COMMON,
        Column(
            "schoolYearSourcedId", references=Reference("academicSessions", "sourcedId"), note="The school year of the course."
        ),
        Column("title", required=True, note="The course's name."),
        Column("courseCode", note="Its code in the catalogue."),
        Column("grades", cell_format=ListOf(Choice(GRADE_OPTIONS)), note="Grades for which it is meant."),
        Column(
            "orgSourcedId",
            required=True,
            references=Reference("orgs", "sourcedId"),
            note="The organization that offers it.",
        ),
        Column("subjects", cell_format=ListOf(), note="Its subjects; no commas inside one."),
        Column("subjectCodes", cell_format=ListOf(), note="The codes of the subjects, in the same order."),
    ),
    identity=_IDENTITY,
    rules=(
        SameLength(columns=("subjects", "subjectCodes")),
        ReferencedRecordType(
            column="schoolYearSourcedId",
            file="academicSessions",
            key="sourcedId",
            type_column="type",
            expected=("schoolYear",),
        ),
    ),
    **DATA_FILE,
)
