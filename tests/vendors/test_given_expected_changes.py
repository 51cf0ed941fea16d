"""What uploads of changes become: each folder of a vendor's ``given`` is a series of uploads, the same one of ``expected`` what follows.

The folders of a series are uploads (zipped on the way), imported in the order of their names; ``options.csv`` in one sets options of that import. A table of
``expected`` shows some of its columns and all records; ``findings.csv`` the findings of the last upload.
"""

from __future__ import annotations

import csv
import zipfile
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from roster_etl.canonical.roster import TABLES
from roster_etl.pipeline.import_upload import import_upload
from roster_etl.pipeline.reporting.import_summary import outcome
from roster_etl.pipeline.uploads.order import Order
from roster_etl.pipeline.workspace import Workspace
from roster_etl.store.registry.registry import District, Feed
from roster_etl.vendors import Vendor, discover_vendors
from roster_etl.vendors.lineage import tables_of

HERE = Path(__file__).parent
FOLDED = {name: vendor for name, vendor in discover_vendors().items() if vendor.change_plan is not None}
SERIES = [(name, path.name) for name in FOLDED for path in sorted((HERE / name / "given").iterdir())]


@dataclass(frozen=True)
class Played:
    """A series that was imported: the roster, and what the last import said."""

    workspace: Workspace
    source: str
    last: dict[str, Any]
    expected: Path

    def table(self, name: str) -> tuple[tuple[str, ...], ...]:
        """Return the current records of a table, in the columns of the expected file."""
        found = self.workspace.warehouse.roster.current_hashes("lincoln", self.source, name)
        rows = self.workspace.warehouse.roster.versions(name, found.column("version_id")).to_pylist()
        return tuple(sorted(tuple(_text(row[column]) for column in _read(self.expected / f"{name}.csv")[0]) for row in rows))


@pytest.fixture(params=SERIES, ids="-".join)
def played(request: pytest.FixtureRequest, home: Path, tmp_path: Path) -> Played:
    """A series, imported upload by upload."""
    source, name = request.param
    workspace = Workspace.open(home)
    workspace.registry.add(District(id="lincoln", feeds=(Feed(format=source),)))
    document: dict[str, Any] = {}
    for upload in sorted((HERE / source / "given" / name).iterdir()):
        options = _options(upload / "options.csv")
        order = Order(district_id="lincoln", source=source, path=str(_zipped(upload, tmp_path)), options=options)
        document = outcome(workspace, import_upload(workspace, order))
        assert document["status"] == "published", document["hold"]
    return Played(workspace=workspace, source=source, last=document, expected=HERE / source / "expected" / name)


def _options(path: Path) -> dict[str, str]:
    if not path.exists():
        return {}
    with path.open(encoding="utf-8", newline="") as text:
        return {row["option"]: row["value"] for row in csv.DictReader(text)}


def _zipped(upload: Path, to: Path) -> Path:
    """Return the files of an upload, those in sub-folders too, as a zip."""
    with zipfile.ZipFile(to / f"{upload.name}.zip", "w") as archive:
        for file in sorted(upload.rglob("*.csv")):
            if file.name != "options.csv":
                archive.write(file, file.relative_to(upload))
    return to / f"{upload.name}.zip"


def _read(path: Path) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    with path.open(encoding="utf-8", newline="") as text:
        header, *rows = map(tuple, csv.reader(text, strict=True))
    return header, tuple(sorted(rows))


def _text(value: object) -> str:
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%SZ")
    return "" if value is None else str(value)


def test_a_series_makes_the_expected_roster_and_findings(played: Played) -> None:
    tables = {path.stem for path in played.expected.glob("*.csv")} - {"findings"}
    columns = ("severity", "code", "file", "row", "field", "count")
    found = tuple(sorted(tuple(_text(f[column]) for column in columns) for f in played.last["findings"]))

    assert {name: played.table(name) for name in tables} == {name: _read(played.expected / f"{name}.csv")[1] for name in tables}
    assert found == _read(played.expected / "findings.csv")[1]


@pytest.mark.parametrize("vendor", FOLDED.values(), ids=list(FOLDED))
def test_every_table_is_expected_somewhere(vendor: Vendor) -> None:
    shown = {path.stem for path in (HERE / vendor.format.name / "expected").glob("*/*.csv")} - {"findings"}

    assert shown == set(tables_of(vendor)) <= set(TABLES)
