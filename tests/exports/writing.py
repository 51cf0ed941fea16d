"""Small rosters, and what a format makes of them: files as rows, and the losses.

Belongs here: what tests of exports need to say a roster in a few records. Does not belong here: what a format should make of it.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from roster_etl.canonical.roster import TABLES
from roster_etl.exports.build import build_files, prepare
from roster_etl.exports.csv_file import csv_bytes
from roster_etl.exports.export_tables import ExportTables
from roster_etl.pipeline.exports.order import export_options
from roster_etl.vendors.export_formats import export_formats

ZONE = "America/Chicago"
MOMENT = datetime(2026, 10, 1, tzinfo=UTC)
Record = Mapping[str, Any]


@dataclass(frozen=True)
class Written:
    """What an export writes: the rows of each file, and its losses as (kind, table, column, reason) → count."""

    files: dict[str, list[dict[str, str]]]
    losses: dict[tuple[str, str | None, str | None, str], int]

    def column(self, file: str, name: str) -> list[str]:
        """Return the cells of a column, in the order of the rows."""
        return [row[name] for row in self.files[file]]


def roster(**records: Sequence[Record]) -> dict[str, pa.Table]:
    """Return the tables of a roster that has these records."""
    return {name: _table(name, records.get(name, ())) for name in TABLES}


def _table(name: str, records: Sequence[Record]) -> pa.Table:
    schema = pa.schema([*TABLES[name].arrow_schema, ("derived", pa.string()), ("extensions", pa.string())])
    unknown = {column for record in records for column in record} - set(schema.names)
    assert not unknown, f"{name} has no {unknown}"
    ordered = sorted(records, key=lambda record: [str(record.get(column)) for column in TABLES[name].key])
    return pa.Table.from_pylist([dict(record) for record in ordered], schema=schema)


def prepared(name: str, tables: Mapping[str, pa.Table], **given: str) -> ExportTables:
    """Return the tables of a roster after the rules of a format, whose options are `given`."""
    options = export_options(export_formats()[name], given)
    work = ExportTables(tables=dict(tables), district_id="d", district_name="Lincoln", zone=ZONE, moment=MOMENT, options=options)
    prepare(work, export_formats()[name].with_options(options))
    return work


def write(name: str, tables: Mapping[str, pa.Table], **given: str) -> Written:
    """Write a roster in a format of CSV files."""
    work = prepared(name, tables, **given)
    format_ = export_formats()[name].with_options(work.options)
    built = {file.name: b"".join(csv_bytes(file.cells, format_.newline)).decode() for file in build_files(work, format_, "guard")}
    files = {file: list(csv.DictReader(io.StringIO(text, newline=""))) for file, text in built.items()}
    return Written(files=files, losses=counts(work))


def counts(work: ExportTables) -> dict[tuple[str, str | None, str | None, str], int]:
    """Return the losses as (kind, table, column, reason) → count."""
    found: dict[tuple[str, str | None, str | None, str], int] = {}
    for loss in work.losses.document():
        place = (loss["kind"], loss["table"], loss["column"], loss["reason"])
        found[place] = found.get(place, 0) + loss["count"]
    return found


def prepared_records(
    name: str, tables: Mapping[str, pa.Table], **given: str
) -> tuple[dict[str, list[dict[str, Any]]], ExportTables]:
    """Return the objects of each resource of a format of JSON Lines, and the tables that they were made of."""
    work = prepared(name, tables, **given)
    return {resource.name: list(resource.records(work)) for resource in export_formats()[name].resources}, work


def person(user_id: str, kind: str = "user", **more: Any) -> Record:
    """Return a user with a name."""
    return {"user_kind": kind, "user_id": user_id, "first_name": user_id.title(), "last_name": "Ames", "status": "active", **more}


def role(user_id: str, school: str | None, name: str, kind: str = "user", **more: Any) -> Record:
    """Return a role of a user at an organization."""
    return {"user_kind": kind, "user_id": user_id, "organization_id": school, "role": name, **more}


def enrolled(user_id: str, section: str | None, name: str, kind: str = "user", **more: Any) -> Record:
    """Return an active enrollment, in the course ``c1`` at the school ``s1``."""
    place = {"course_id": "c1", "section_id": section, "organization_id": "s1", "status": "active"}
    return {"user_kind": kind, "user_id": user_id, "role": name, **place, **more}


def section(section_id: str, **more: Any) -> Record:
    """Return a section of the course ``c1`` at the school ``s1``."""
    return {"section_id": section_id, "course_id": "c1", "home_course_id": "c1", "organization_id": "s1", **more}


def small_district(**more: Sequence[Record]) -> dict[str, pa.Table]:
    """Return a roster of two schools and one class, `b1`, of Ana with Tom, and `more`."""
    base: dict[str, list[Record]] = {
        "organizations": [
            {"organization_id": "s1", "type": "school", "name": "One", "state_id": "11"},
            {"organization_id": "s2", "type": "school", "name": "Two", "state_id": "22"},
        ],
        "users": [
            person("ana", state_id="901", number="1", email="ana@example.org", username="ana"),
            person("tom", number="2", email="tom@example.org", username="tom"),
        ],
        "user_roles": [role("ana", "s1", "student"), role("tom", "s1", "teacher")],
        "courses": [{"course_id": "c1", "name": "Biology", "organization_id": "s1", "status": "active"}],
        "sections": [section("b1", name="Bio 1", period="1")],
        "enrollments": [enrolled("ana", "b1", "student"), enrolled("tom", "b1", "teacher", is_primary=True)],
    }
    return roster(**{name: [*base.get(name, ()), *more.get(name, ())] for name in {*base, *more}})
