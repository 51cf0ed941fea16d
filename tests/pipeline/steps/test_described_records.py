"""An upload in which each kind of record has rows without an id, in each format: what was published stays."""

from __future__ import annotations

import csv
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from roster_etl.pipeline.import_upload import import_upload
from roster_etl.pipeline.reporting.import_summary import outcome
from roster_etl.pipeline.uploads.order import Order
from roster_etl.pipeline.uploads.published_identities import published_records
from roster_etl.pipeline.uploads.upload import Upload
from roster_etl.pipeline.workspace import Workspace
from roster_etl.projections.samples import write_sample
from roster_etl.spec import File
from roster_etl.store.registry.district import District, Feed
from roster_etl.vendors import Vendor, discover_vendors

SNAPSHOTS = [name for name, vendor in discover_vendors().items() if vendor.change_plan is None]


def imported(workspace: Workspace, upload: Path, source: str) -> dict[str, Any]:
    return outcome(workspace, import_upload(workspace, Order(district_id="birch", source=source, path=str(upload))))


def blank_a_key(path: Path, key: str) -> bool:
    """Empty all cells of a file that have the key of its second record; false: it has no more than one."""
    rows = list(csv.reader(path.read_text("utf-8").splitlines()))
    place = rows[0].index(key)
    if len({row[place] for row in rows[1:]}) < 3:
        return False
    gone = rows[2][place]
    for row in rows[1:]:
        row[place] = "" if row[place] == gone else row[place]
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)
    return True


def _names_records(workspace: Workspace, vendor: Vendor, file: File) -> bool:
    """Return whether the key of `file` is the key of published records; that of an enrollment is a part of one, or made anew."""
    found = published_records(workspace, cast("Upload", SimpleNamespace(vendor=vendor)), file)
    return found is not None and found.keys is not None


@pytest.mark.parametrize("source", SNAPSHOTS)
def test_rows_without_ids_remove_nothing(source: str, tmp_path: Path) -> None:
    vendor, upload = discover_vendors()[source], tmp_path / "upload"
    workspace = Workspace.open(tmp_path / "home")
    workspace.registry.add(District(id="birch", feeds=(Feed(format=source),)))
    write_sample(vendor, upload, students=30, seed=7)
    assert imported(workspace, upload, source)["status"] == "published"

    files = [file for file in vendor.format.files if file.identity and (upload / file.file_name).exists()]
    blanked = {file.file_name for file in files if blank_a_key(upload / file.file_name, file.identity_key[-1])}
    document = imported(workspace, upload, source)

    assert blanked
    assert {table: counts["deleted"] for table, counts in document["changes"].items() if counts["deleted"]} == {}
    described = {f["file"] for f in document["findings"] if "other cells describe" in f["message"]}
    assert described == blanked - {file.file_name for file in files if not _names_records(workspace, vendor, file)}
    workspace.warehouse.close()
