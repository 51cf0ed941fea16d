"""Whatever a roster has: what comes back of an export is the roster, except for what the losses name."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from roster_etl.canonical.references import ID_COLUMNS
from roster_etl.canonical.roster import TABLES
from roster_etl.exports.arrays import first_rows
from roster_etl.exports.build import BuiltFile, build_files, prepare
from roster_etl.exports.csv_file import csv_bytes
from roster_etl.exports.export_tables import ExportTables
from roster_etl.exports.measure_losses import count_roundtrip_losses
from roster_etl.frames import arrow
from roster_etl.pipeline.exports.order import export_options
from roster_etl.pipeline.exports.read_back import read_back
from roster_etl.vendors import discover_vendors
from roster_etl.vendors.export_formats import export_formats
from tests.exporting import unnamed_differences
from tests.exports.generated_rosters import ZONE, generated_roster, plain_rows
from tests.sampling import ALL, every

pytestmark = pytest.mark.sampled

MOMENT = datetime(2026, 10, 1, tzinfo=UTC)
FORMATS = [name for name, found in export_formats().items() if found.vendor in discover_vendors()]
WORDS = [(name, "1.2" if name == "oneroster" else "") for name in FORMATS] + [("oneroster", "1.1")]


def exported_and_read(tables: dict[str, pa.Table], name: str, version: str, folder: Path) -> tuple[dict[str, Any], Any]:
    """Return what our reader makes of an export, and the losses that the export names."""
    format_ = export_formats()[name]
    given_options = {"oneroster_version": version} if version else {}
    known = {option.name for option in format_.options}
    given_options |= {"user_ids": "kinded"} if "user_ids" in known else {}
    given_options |= {"schools": "true", "attendance": "true"} if name == "catapult_connect" else {}
    options = export_options(format_, given_options)
    work = ExportTables(
        tables=dict(tables), district_id="lincoln", district_name="Lincoln", zone=ZONE, moment=MOMENT, options=options
    )
    format_ = format_.with_options(options)
    prepare(work, format_)
    files = {built.name: built for built in build_files(work, format_, "guard")}
    if format_.manifest is not None:
        manifest, cells = format_.manifest(work, {built.name: built.rows for built in files.values()}, False)
        files[manifest] = BuiltFile(name=manifest, cells=dict(cells))
    for built in files.values():
        (folder / built.name).write_bytes(b"".join(csv_bytes(built.cells, format_.newline)))
    back = dict(read_back(format_, folder, files, ZONE, options, work.store))
    count_roundtrip_losses(work, back.items(), format_)
    empty = {table: TABLES[table].full_schema.empty_table() for table in TABLES}
    first = {table: first_rows(made, TABLES[table].key) for table, made in back.items()}
    return plain_rows({**empty, **first}), work.losses.document()


@pytest.mark.parametrize(("name", "version"), WORDS)
@settings(
    max_examples=300 if ALL else 6,
    deadline=None,
    derandomize=not ALL,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(seed=st.integers(0, 1 << 30))
def test_what_comes_back_is_the_roster_but_for_what_the_losses_name(name: str, version: str, seed: int):
    tables = generated_roster(Random(seed))
    with TemporaryDirectory() as folder:
        back, losses = exported_and_read(tables, name, version, Path(folder))

    assert unnamed_differences(plain_rows(tables), _without_empty(back), losses) == []


@pytest.mark.parametrize(("name", "version"), WORDS)
@pytest.mark.parametrize("bad", ["a\nb", "a\u2028b", "x" * 250, f"={'x' * 254}"])
def test_records_whose_id_no_file_can_hold_are_left_out_and_counted(name: str, version: str, bad: str, tmp_path: Path):
    """With the kind before it, an id of 250 characters is too long; where a spreadsheet would run it, one of 255 is."""
    tables = generated_roster(Random(7))
    for table, column in (("users", "user_id"), ("organizations", "organization_id"), ("sections", "section_id")):
        old = tables[table].column(column)[0].as_py()
        for other, place in ID_COLUMNS[table]:
            cells = [bad if cell == old else cell for cell in tables[other].column(place).to_pylist()]
            at = tables[other].schema.get_field_index(place)
            tables[other] = tables[other].set_column(at, place, pa.array(cells, pa.string()))

    back, losses = exported_and_read(tables, name, version, tmp_path)

    assert unnamed_differences(plain_rows(tables), _without_empty(back), losses) == []
    left_out = {loss["table"] for loss in losses if (loss["kind"], loss["reason"]) == ("row_left_out", "id_not_allowed")}
    assert "users" in left_out or (bad[0] == "x" and name not in ("oneroster", "canvas"))


@pytest.mark.parametrize("version", ["1.1", "1.2"])
def test_ids_that_are_made_of_others_are_ids_whatever_these_are(version: str, tmp_path: Path):
    """Of a long id, of roles that have blanks, and of ids with dots at which several could be parted."""
    tables = generated_roster(Random(7))
    school = tables["organizations"].column("organization_id")[-1].as_py()
    for other, place in ID_COLUMNS["organizations"]:
        cells = ["x" * 255 if cell == school else cell for cell in tables[other].column(place).to_pylist()]
        at = tables[other].schema.get_field_index(place)
        tables[other] = tables[other].set_column(at, place, pa.array(cells, pa.string()))
    for table, word in (("user_roles", "Sub-account Admin"), ("enrollments", "Peer Tutor")):
        rows = tables[table].to_pylist()
        rows[0]["role"] = word
        tables[table] = pa.Table.from_pylist(rows, schema=tables[table].schema)

    back, losses = exported_and_read(tables, "oneroster", version, tmp_path)

    assert unnamed_differences(plain_rows(tables), _without_empty(back), losses) == []
    assert not [loss for loss in losses if loss["table"] == "organizations" and loss["reason"] == "id_not_allowed"]


@pytest.mark.parametrize(("name", "version"), WORDS)
@pytest.mark.parametrize("seed", every(30, range(2)))
def test_what_is_known_of_ascending_rows_changes_no_export(name: str, version: str, seed: int, tmp_path: Path, monkeypatch):
    tables, found = generated_roster(Random(seed)), []
    for shortest in (arrow._CODED_AT_ONCE, 1):
        monkeypatch.setattr(arrow, "_CODED_AT_ONCE", shortest)
        back, losses = exported_and_read(tables, name, version, tmp_path)
        found.append(({table: sorted(map(repr, rows)) for table, rows in back.items()}, losses))

    assert found[0] == found[1]


def _without_empty(rows: dict[str, list[dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    """Return rows whose extra columns are null where there are none."""
    return {name: list(_plain(found)) for name, found in rows.items()}


def _plain(found: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for row in found:
        yield row | {"extensions": None if row["extensions"] == "{}" else row["extensions"]}
