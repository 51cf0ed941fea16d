"""What an export holds in memory does not grow with the roster: tables rest in files, and one column is worked on at a time."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest

from roster_etl.canonical.roster import TABLES
from roster_etl.engine.csv import arrow_columns
from roster_etl.exports.build import build_files, prepare
from roster_etl.exports.csv_file import csv_bytes
from roster_etl.exports.export_tables import ExportTables
from roster_etl.exports.measure_losses import count_roundtrip_losses
from roster_etl.pipeline.exports import read_back as read_back_files
from roster_etl.pipeline.exports.read_back import read_back
from roster_etl.store.files.column_spool import ColumnSpool
from roster_etl.vendors.export_formats import export_format

SMALL, LARGE = 1_000, 8_000
OPTIONS = {"oneroster_version": "1.2", "user_ids": "plain", "contacts": "users", "account_type": "", "school_year_begins": 7, "person_id": False}  # fmt: skip


class Watched(ColumnSpool):
    """Notes how much Arrow holds whenever memory is given back, beyond what it held at the beginning."""

    def __init__(self, scratch: Path) -> None:
        super().__init__(scratch, min_bytes=0)
        self.start, self.most = pa.total_allocated_bytes(), 0

    def release(self) -> None:
        super().release()
        self.most = max(self.most, pa.total_allocated_bytes() - self.start)


def roster(students: int) -> dict[str, pa.Table]:
    """Return one school, a section for 20 students, and five enrollments a student."""

    def table(table_name: str, size: int, **columns: list[str]) -> pa.Table:
        schema = pa.schema([*TABLES[table_name].arrow_schema, ("derived", pa.string()), ("extensions", pa.string())])
        arrays = [pa.array(columns[f.name], f.type) if f.name in columns else pa.nulls(size, f.type) for f in schema]
        return pa.table(arrays, schema=schema)

    sections, ids = [f"s{n}" for n in range(students // 20)], [f"u{n:06}" for n in range(students)]
    taken = [(user, sections[(at + more) % len(sections)]) for at, user in enumerate(ids) for more in range(5)]
    kinds = {"user_kind": ["student"] * students, "user_id": ids}
    one = {"organization_id": ["school"]}
    found = {
        "organizations": table("organizations", 1, **one, type=["school"], name=["School"]),
        "users": table("users", students, **kinds, first_name=ids, last_name=ids, email=[f"{user}@example.org" for user in ids]),
        "user_roles": table("user_roles", students, **kinds, organization_id=["school"] * students, role=["student"] * students),
        "courses": table("courses", 1, **one, course_id=["c"], name=["Course"]),
        "sections": table("sections", len(sections), section_id=sections, course_id=["c"] * len(sections), organization_id=["school"] * len(sections)),
        "enrollments": table(
            "enrollments",
            len(taken),
            user_kind=["student"] * len(taken),
            user_id=[user for user, _ in taken],
            section_id=[section for _, section in taken],
            course_id=["c"] * len(taken),
            role=["student"] * len(taken),
            status=["active"] * len(taken),
        ),
    }  # fmt: skip
    return {name: found.get(name, table(name, 0)) for name in TABLES}


def held_while_exporting(students: int, folder: Path) -> tuple[int, int]:
    """Return how much was held at most when memory was given back, and how large the roster is, in bytes."""
    folder.mkdir()
    store = Watched(folder / "scratch")
    tables = roster(students)
    size = sum(table.nbytes for table in tables.values())
    kept = {name: store.keep(table) for name, table in tables.items()}
    del tables
    work = ExportTables(
        tables=kept, district_id="d", district_name="D", zone="UTC", moment=datetime(2026, 9, 1, tzinfo=UTC), options=OPTIONS, store=store
    )  # fmt: skip
    store.most = 0
    format_ = export_format("oneroster").with_options(OPTIONS)
    prepare(work, format_)
    files = {}
    for built in build_files(work, format_, "guard"):
        (folder / built.name).write_bytes(b"".join(csv_bytes(built.cells, "\r\n")))
        files[built.name] = built
        store.release()
    name, cells = format_.manifest(work, {built.name: built.rows for built in files.values()}, False)
    files[name] = type(built)(name=name, cells=dict(cells))
    (folder / name).write_bytes(b"".join(csv_bytes(cells, "\r\n")))
    count_roundtrip_losses(work, read_back(format_, folder, files, "UTC", OPTIONS, store), format_)
    assert files["enrollments.csv"].rows == 5 * students
    return store.most, size


def test_what_is_held_is_a_part_of_what_the_roster_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(
        arrow_columns, "_BATCH_BYTES", 1 << 16
    )  # pieces as small beside this roster as the real ones beside a large one
    monkeypatch.setattr(read_back_files, "_ROWS_AT_ONCE", 2_000)
    (few, size), (many, larger) = (held_while_exporting(n, tmp_path / str(n)) for n in (SMALL, LARGE))

    assert many - few < 0.6 * (larger - size)  # in memory it would be five times the roster
