"""classes.csv, as the CSV Binding states it (4.3 in 1.2; the same columns in 1.1)."""

from roster_etl.spec import Choice, Column, File, Identity, ListOf, Reference, ReferencedRecordType, SameLength
from roster_etl.vendors.oneroster.codes import CLASS_TYPES, EXTENDED, GRADE_OPTIONS
from roster_etl.vendors.oneroster.common import CHANGES, COMMON, EXTENSIONS, KEY, REMOVED, SCHOOL

_IDENTITY = Identity(columns=("title", "classCode", "courseSourcedId", "schoolSourcedId"))
_BEFORE = (
    Column("title", required=True, note="The class's name."),
    Column("grades", cell_format=ListOf(Choice(GRADE_OPTIONS)), note="Grades of those who learn in it."),
    Column("courseSourcedId", required=True, references=Reference("courses", "sourcedId"), note="The course that is taught."),
    Column("classCode", note="Its code."),
)
_TYPE_NOTE = "Whether it is a homeroom. 1.2 allows terms of one's own that begin with ext:."
_AFTER = (
    Column("location", note="Where it is taught."),
    Column("schoolSourcedId", required=True, references=Reference("orgs", "sourcedId"), note="The school that teaches it."),
    Column(
        "termSourcedIds",
        required=True,
        cell_format=ListOf(),
        references=Reference("academicSessions", "sourcedId"),
        misspellings=("termSourcedId",),
        note="All terms in which it is taught.",
    ),
    Column("subjects", cell_format=ListOf(), note="Its subjects; no commas inside one."),
    Column("subjectCodes", cell_format=ListOf(), note="The codes of the subjects, in the same order."),
    Column("periods", cell_format=ListOf(), note="The periods of the day."),
)
_RULES = (
    SameLength(columns=("subjects", "subjectCodes")),
    ReferencedRecordType(column="schoolSourcedId", file="orgs", key="sourcedId", type_column="type", expected=SCHOOL),
)

CLASSES = File(
    name="classes",
    file_name="classes.csv",
    title="Classes: a course taught to a group",
    source="4.3",
    key=KEY,
    columns=(
        *COMMON,
        *_BEFORE,
        Column("classType", required=True, cell_format=Choice((*CLASS_TYPES,), prefix=EXTENDED), note=_TYPE_NOTE),
        *_AFTER,
    ),
    required=False,
    carried_forward=True,
    deleted=REMOVED,
    changes=CHANGES,
    identity=_IDENTITY,
    exact_case=True,
    extensions=EXTENSIONS,
    rules=_RULES,
)

CLASSES_OF_1_1 = File(
    name="classes",
    file_name="classes.csv",
    title="Classes: a course taught to a group",
    source="1.1",
    key=KEY,
    columns=(
        *COMMON,
        *_BEFORE,
        Column("classType", required=True, cell_format=Choice((*CLASS_TYPES,)), note=_TYPE_NOTE),
        *_AFTER,
    ),
    required=False,
    carried_forward=True,
    deleted=REMOVED,
    changes=CHANGES,
    identity=_IDENTITY,
    exact_case=True,
    extensions=EXTENSIONS,
    rules=_RULES,
)
