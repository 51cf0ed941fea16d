"""academicSessions.csv, as the CSV Binding states it (4.1 in 1.2; the same columns in 1.1)."""

from typing import Any

from roster_etl.spec import Choice, Column, Date, File, Identity, NotBefore, SchoolYear, SelfReference
from roster_etl.vendors.oneroster.codes import EXTENDED, SESSION_TYPES
from roster_etl.vendors.oneroster.common import COMMON, DATA_FILE

_TITLE = Column("title", required=True, note="The session's name.")
_TYPE_NOTE = "What the session is. 1.2 allows terms of one's own that begin with ext:."
_REST = (
    Column("startDate", required=True, cell_format=Date(pattern="YYYY-MM-DD"), note="The first day."),
    Column(
        "endDate",
        required=True,
        cell_format=Date(pattern="YYYY-MM-DD"),
        note="The day after the last one; with the option end_dates=inclusive the last one itself.",
    ),
    Column("parentSourcedId", note="The session that it is a part of."),
    Column("schoolYear", required=True, cell_format=SchoolYear(), note="The year in which the school year ends."),
)
_RULES = (
    NotBefore(column="endDate", other="startDate"),
    SelfReference(column="parentSourcedId", key="sourcedId"),
)

_BOTH_VERSIONS: dict[str, Any] = {
    "name": "academicSessions",
    "file_name": "academicSessions.csv",
    "title": "School years, semesters, terms and grading periods",
    "identity": Identity(columns=("title", "type")),
    "rules": _RULES,
    **DATA_FILE,
}

ACADEMIC_SESSIONS = File(
    source="4.1",
    columns=(
        *COMMON,
        _TITLE,
        Column("type", required=True, cell_format=Choice((*SESSION_TYPES,), prefix=EXTENDED), note=_TYPE_NOTE),
        *_REST,
    ),
    **_BOTH_VERSIONS,
)

ACADEMIC_SESSIONS_OF_1_1 = File(
    source="1.1",
    columns=(
        *COMMON,
        _TITLE,
        Column("type", required=True, cell_format=Choice((*SESSION_TYPES,)), note=_TYPE_NOTE),
        *_REST,
    ),
    **_BOTH_VERSIONS,
)
