"""What the data files of OneRoster share: their first three columns, and what those say.

Source: CSV Binding 1.2, section 2, and 1.1.
"""

from typing import Any

from roster_etl.spec import Choice, Column, DateTime, Identifier, RowChanges, RowCondition
from roster_etl.vendors.oneroster.codes import DELETED, FORMER_STATUS, STATUSES

SOURCED_ID = Column(
    "sourcedId",
    required=True,
    cell_format=Identifier(),
    note="The record's id: never changed, unique in its file. Case counts: A1 and a1 are two records.",
)
STATUS = Column(
    "status",
    cell_format=Choice((*STATUSES,), tolerated=FORMER_STATUS),
    unmapped="Says whether the row adds or removes its record.",
    note="Needed in a delta file, blank in a bulk file. The word inactive of 1.0 counts as tobedeleted.",
)
DATE_LAST_MODIFIED = Column(
    "dateLastModified",
    cell_format=DateTime(),
    misspellings=("dataLastModified",),
    unmapped="Decides which of several rows of a record counts; it is no content.",
    note="Needed in a delta file, blank in a bulk file.",
)
COMMON = (SOURCED_ID, STATUS, DATE_LAST_MODIFIED)
DATA_FILE: dict[str, Any] = {
    "key": ("sourcedId",),
    "required": False,
    "carried_forward": True,
    "deleted": RowCondition(column="status", values=DELETED),
    "changes": RowChanges(status="status", modified="dateLastModified"),
    "exact_case": True,
    "extensions": ("metadata.",),
}
"""How each data file behaves."""
SCHOOL = ("school",)
