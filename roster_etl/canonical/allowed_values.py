"""Allowed values of canonical columns beyond their type: a code list or a cell format.

Belongs here: one line per restricted column. A vendor's module translates its values into codes; ``codes`` has the meaning of
each code.
"""

from __future__ import annotations

from typing import Final

from roster_etl.canonical.codes import (
    COURSE_STATUSES,
    ENROLLMENT_STATUSES,
    FRL,
    GENDERS,
    GRADES,
    ORGANIZATION_TYPES,
    RACES,
    USER_KINDS,
    USER_STATUSES,
)
from roster_etl.canonical.roster import ColumnType, RosterTable
from roster_etl.spec.field_rules import CellFormat, Choice, Date, DateTime, Decimal, Email, Phone, Text, WholeNumber

_GRADE: Final = Choice(tuple(GRADES))
_PHONE: Final = Phone(lengths=(7, 10, 11))

CELL_FORMATS: Final[dict[tuple[str, str], CellFormat]] = {
    ("organizations", "type"): Choice(tuple(ORGANIZATION_TYPES)),
    ("organizations", "low_grade"): _GRADE,
    ("organizations", "high_grade"): _GRADE,
    ("organizations", "principal_email"): Email(),
    ("organizations", "phone"): _PHONE,
    ("terms", "school_year"): WholeNumber(minimum=1900, maximum=3000, digits=4),
    ("users", "email"): Email(),
    ("users", "phone"): _PHONE,
    ("users", "status"): Choice(tuple(USER_STATUSES)),
    ("student_profiles", "grade"): _GRADE,
    ("student_profiles", "gender"): Choice(tuple(GENDERS)),
    ("student_profiles", "race"): Choice(tuple(RACES)),
    ("student_profiles", "frl"): Choice(tuple(FRL)),
    ("student_profiles", "graduation_year"): WholeNumber(minimum=1900, maximum=3000, digits=4),
    ("contacts", "email"): Email(),
    ("contacts", "phone"): _PHONE,
    ("contacts", "position"): WholeNumber(minimum=1, maximum=9999),
    ("courses", "status"): Choice(tuple(COURSE_STATUSES)),
    ("sections", "grade"): _GRADE,
    ("enrollments", "status"): Choice(tuple(ENROLLMENT_STATUSES)),
    ("logins", "user_kind"): Choice(tuple(USER_KINDS)),
    ("logins", "email"): Email(),
    ("group_memberships", "status"): Choice(("accepted",)),
}

_FORMAT_OF_TYPE: Final[dict[ColumnType, CellFormat]] = {
    "text": Text(),
    "boolean": Choice(("true", "false")),
    "integer": WholeNumber(minimum=0, maximum=10**15 - 1),
    "float": Decimal(),
    "date": Date(pattern="YYYY-MM-DD"),
    "timestamp": DateTime(),
}


def cell_format_of(table: RosterTable, column: str) -> CellFormat:
    """Return the cell format of a column's values, written as text. Raises KeyError: the column does not exist."""
    return CELL_FORMATS.get((table.name, column), _FORMAT_OF_TYPE[table.column(column).type])
