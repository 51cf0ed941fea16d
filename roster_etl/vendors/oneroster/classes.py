"""classes.csv, as the CSV Binding states it (4.3 in 1.2; the same columns in 1.1)."""

from typing import Any

from roster_etl.spec import Choice, Column, File, Identity, ListOf, Reference, ReferencedRecordType, SameLength
from roster_etl.vendors.oneroster.codes import CLASS_TYPES, EXTENDED, GRADE_OPTIONS
from roster_etl.vendors.oneroster.common import COMMON, DATA_FILE, SCHOOL

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

_BOTH_VERSIONS: dict[str, Any] = {
    "name": "classes",
    "file_name": "classes.csv",
    "title": "Classes: a course taught to a group",
    "identity": Identity(columns=("title", "classCode", "courseSourcedId", "schoolSourcedId")),
    "rules": _RULES,
    **DATA_FILE,
}

CLASSES = File(
    source="4.3",
    columns=(
        *COMMON,
        *_BEFORE,
        Column("classType", required=True, cell_format=Choice((*CLASS_TYPES,), prefix=EXTENDED), note=_TYPE_NOTE),
        *_AFTER,
    ),
    **_BOTH_VERSIONS,
)

CLASSES_OF_1_1 = File(
    source="1.1",
    columns=(
        *COMMON,
        *_BEFORE,
        Column("classType", required=True, cell_format=Choice((*CLASS_TYPES,)), note=_TYPE_NOTE),
        *_AFTER,
    ),
    **_BOTH_VERSIONS,
)
