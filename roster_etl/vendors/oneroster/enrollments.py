"""enrollments.csv, as the CSV Binding states it (4.7 in 1.2; the same columns in 1.1)."""

from typing import Any

from roster_etl.spec import (
    AllowedOnlyWhere,
    AtMostOne,
    Choice,
    Column,
    Date,
    File,
    Identity,
    NotBefore,
    Reference,
    ReferencedRecordType,
    WithinPeriods,
)
from roster_etl.vendors.oneroster.codes import CUSTOM_ENROLLMENT_ROLES, ENROLLMENT_ROLES, EXTENDED, FLAGS
from roster_etl.vendors.oneroster.common import COMMON, DATA_FILE, SCHOOL

_CLASS = Reference("classes", "sourcedId", disambiguated_by=(("schoolSourcedId", "schoolSourcedId"),))
_USER = Reference("users", "sourcedId", disambiguated_by=(("schoolSourcedId", "primaryOrgSourcedId"),))
_USER_OF_1_1 = Reference("users", "sourcedId", disambiguated_by=(("schoolSourcedId", "orgSourcedIds"),))
_WHERE = (
    Column("classSourcedId", required=True, references=_CLASS, note="The class."),
    Column("schoolSourcedId", required=True, references=Reference("orgs", "sourcedId"), note="The school of the class."),
)
_ROLE_NOTE = "What the user does in the class. 1.2 allows terms of one's own that begin with ext:."
_WHEN = (
    Column("primary", cell_format=Choice((*FLAGS,)), note="Whether this is the main teacher; of teachers only."),
    Column("beginDate", cell_format=Date(pattern="YYYY-MM-DD"), note="The first day, within the terms of the class."),
    Column(
        "endDate",
        cell_format=Date(pattern="YYYY-MM-DD"),
        note="The day after the last one; with the option end_dates=inclusive the last one itself.",
    ),
)
_RULES = (
    NotBefore(column="endDate", other="beginDate", clear_both=True),
    ReferencedRecordType(column="schoolSourcedId", file="orgs", key="sourcedId", type_column="type", expected=SCHOOL),
    AllowedOnlyWhere(column="primary", of="role", values=("teacher",)),
    AtMostOne(by=("classSourcedId",), where=(("role", "teacher"), ("primary", "true")), begin="beginDate", end="endDate"),
    WithinPeriods(
        begin="beginDate",
        end="endDate",
        column="classSourcedId",
        file="classes",
        key="sourcedId",
        periods="termSourcedIds",
        period_file="academicSessions",
        period_key="sourcedId",
        start="startDate",
        finish="endDate",
    ),
)

_BOTH_VERSIONS: dict[str, Any] = {
    "name": "enrollments",
    "file_name": "enrollments.csv",
    "title": "Who learns and teaches in which class",
    "identity": Identity(columns=("userSourcedId", "classSourcedId", "role")),
    "rules": _RULES,
    **DATA_FILE,
}

ENROLLMENTS = File(
    source="4.7",
    columns=(
        *COMMON,
        *_WHERE,
        Column("userSourcedId", required=True, purge_with_person=True, references=_USER, note="The user."),
        Column(
            "role",
            required=True,
            cell_format=Choice((*ENROLLMENT_ROLES,), prefix=EXTENDED, tolerated=CUSTOM_ENROLLMENT_ROLES, code="unknown_role"),
            note=_ROLE_NOTE,
        ),
        *_WHEN,
    ),
    **_BOTH_VERSIONS,
)

ENROLLMENTS_OF_1_1 = File(
    source="1.1",
    columns=(
        *COMMON,
        *_WHERE,
        Column("userSourcedId", required=True, purge_with_person=True, references=_USER_OF_1_1, note="The user."),
        Column(
            "role",
            required=True,
            cell_format=Choice((*ENROLLMENT_ROLES,), tolerated=CUSTOM_ENROLLMENT_ROLES, code="unknown_role"),
            note=_ROLE_NOTE,
        ),
        *_WHEN,
    ),
    **_BOTH_VERSIONS,
)
