"""What the records of all Ed-Fi resources share: rows in order, ids, days and descriptors.

Belongs here: these helpers alone. The records are made in ``edfi`` (schools and people) and ``edfi_classes``.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from roster_etl.exports.cells import local_midnight_of
from roster_etl.exports.export_tables import ExportTables
from roster_etl.exports.rules.people import students as are_students

Record = dict[str, Any]


def rows_of(work: ExportTables, table: str, *key: str) -> Iterator[Record]:
    """Yield the records of a table in the order of a key."""
    rows = sorted(work.table(table).to_pylist(), key=lambda row: [str(row[name]) for name in key])
    yield from rows


def descriptor(work: ExportTables, kind: str, word: str, code: str) -> str:
    """Return the descriptor of a code: the one that the option ``descriptors`` has, else Ed-Fi's own."""
    chosen: dict[str, str] = dict(work.options.get("descriptors") or {})
    return chosen.get(code, f"uri://ed-fi.org/{kind}Descriptor#{word}")


def school_ids(work: ExportTables) -> dict[str, int]:
    """Return the number of each school, by its id in the roster."""
    column = str(work.options["school_id"])
    return {row["organization_id"]: int(row[column]) for row in work.table("organizations").to_pylist()}


def student_ids(work: ExportTables) -> dict[str, str]:
    """Return the unique id of each student, by the id in the roster."""
    users, column = work.table("users").to_pylist(), str(work.options["student_id"])
    learning = are_students(work)
    return {row["user_id"]: row[column] for row, is_student in zip(users, learning, strict=True) if is_student}


def day_of(work: ExportTables, moment: Any) -> str | None:
    """Return the local day of a moment, as an ISO date."""
    return None if moment is None else local_midnight_of(moment, work.zone)[0].isoformat()


def last_day_of(work: ExportTables, moment: Any) -> str | None:
    """Return the last local day before a moment, as an ISO date."""
    if moment is None:
        return None
    day, begins = local_midnight_of(moment, work.zone)
    return (day - timedelta(days=1) if begins else day).isoformat()


def drop_null_values(record: Record) -> Record:
    """Return a record without what is not known."""
    return {name: value for name, value in record.items() if value is not None}
