"""Which files of a listing are read, waited for, and only named."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from roster_etl.pipeline.import_upload import import_upload
from roster_etl.pipeline.reporting.import_summary import outcome
from roster_etl.pipeline.uploads.classify import NAMED
from roster_etl.pipeline.uploads.file_selection import entries_to_watch, file_selection
from roster_etl.pipeline.uploads.order import Order
from roster_etl.pipeline.workspace import Workspace
from roster_etl.store.landing.base import Landing
from roster_etl.store.landing.entries import Entry
from roster_etl.store.registry.registry import District, Feed
from roster_etl.vendors import discover_vendors, vendor

USERS = "user_id,login_id,status\n{0},l{0},active\n"


def entries(*names: str, size: int = 9) -> tuple[Entry, ...]:
    return tuple(Entry(name=name, size=size, mtime=1.0) for name in names)


def names(found: tuple[Entry, ...]) -> list[str]:
    return [entry.name for entry in found]


@pytest.mark.parametrize("format_name", sorted(discover_vendors()))
def test_a_log_beside_an_upload_is_neither_read_nor_waited_for_in_any_format(format_name: str):
    format_ = vendor(format_name).format
    for file_set in format_.file_sets:
        own = [format_.file(name).file_name for name in file_set.files]
        listing = entries(*own, "transfer.log", "notes.txt")
        chosen = file_selection(format_, file_set.name)("folder", listing)

        assert names(chosen.read) == own
        assert entries_to_watch(chosen) == chosen.read
        assert names(chosen.foreign) == (["transfer.log", "notes.txt"] if file_set == format_.file_sets[0] else [])


@pytest.mark.parametrize(
    ("kind", "listed", "read"),
    [
        ("folder", ("a.csv", "b.CSV", "c.zip", "d.txt"), ["a.csv", "b.CSV"]),
        ("folder", ("c.ZIP", "d.txt"), ["c.ZIP"]),
        ("folder", ("c.zip", "d.zip"), []),
        ("zip", ("c.zip", "d.txt"), []),
    ],
)
def test_of_files_told_by_headers_those_are_read_that_may_have_headers(kind, listed, read):
    assert names(file_selection(vendor("canvas").format)(kind, entries(*listed)).read) == read


def test_an_upload_of_foreign_files_alone_is_awaited_by_their_names():
    select = file_selection(vendor("canvas").format)
    small, grown = (entries_to_watch(select("folder", entries("transfer.log", size=size))) for size in (1, 2))

    assert small == grown != ()


@pytest.fixture
def workspace(home: Path) -> Workspace:
    workspace = Workspace.open(home)
    workspace.registry.add(District(id="lincoln", feeds=(Feed(format="canvas"),)))
    return workspace


def imported(workspace: Workspace, path: Path) -> dict:
    return outcome(workspace, import_upload(workspace, Order(district_id="lincoln", source="canvas", path=str(path))))


def test_foreign_files_are_named_and_counted_and_none_is_opened(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    folder = tmp_path / "up"
    folder.mkdir()
    (folder / "users.csv").write_text(USERS.format(1))
    for number in range(1_500):
        (folder / f"n{number:04}.txt").touch()
    opened: list[str] = []
    fetch = Landing.fetch
    monkeypatch.setattr(Landing, "fetch", lambda self, entry, to: (opened.append(entry.name), fetch(self, entry, to))[1])
    document = imported(workspace, folder)
    told = [f for f in document["findings"] if f["code"] == "unknown_file_type"]

    assert document["status"] == "published"
    assert opened == ["users.csv"]
    assert sum(f["count"] for f in told) == 1_500
    assert (len(told), told[-1]["file"], told[-1]["message"]) == (
        NAMED + 1,
        None,
        "1,400 more entries like these were not read.",
    )
    assert Counter(file["kind"] for file in document["files"]) == {"users": 1, None: NAMED}


def test_an_upload_without_a_file_of_the_format_is_rejected_and_names_what_is_there(workspace: Workspace, tmp_path: Path):
    folder = tmp_path / "up"
    folder.mkdir()
    (folder / "users.xlsx").touch()
    document = imported(workspace, folder)

    assert document["status"] == "rejected"
    assert {(f["code"], f["file"]) for f in document["findings"]} == {("wrong_format", None), ("unknown_file_type", "users.xlsx")}


@pytest.mark.parametrize(
    ("limit", "told"),
    [
        ({"upload_files": 2}, "3 files to read is more than the limit of 2; raise [limits] upload_files"),
        ({"upload_bytes": 80}, "3 files with 108 bytes in all is more than the limit of 80; raise [limits] upload_bytes"),
        ({"file_bytes": 20}, "with 36 bytes is more than the limit of 20; raise [limits] file_bytes"),
    ],
)
def test_more_than_the_limits_is_one_finding_before_anything_is_archived(
    limit: dict, told: str, workspace: Workspace, tmp_path: Path
):
    folder = tmp_path / "up"
    folder.mkdir()
    for number in range(3):
        (folder / f"{number}.csv").write_text(USERS.format(number))
    limits = replace(workspace.settings.limits, **limit)
    object.__setattr__(workspace, "settings", replace(workspace.settings, limits=limits))
    document = imported(workspace, folder)
    (finding,) = document["findings"]

    assert (document["status"], finding["severity"], finding["code"]) == ("rejected", "upload", "upload_too_large")
    assert told in finding["message"]
    assert not [path for path in (workspace.settings.home / "archive").rglob("*") if path.parent.parent.name == "objects"]
