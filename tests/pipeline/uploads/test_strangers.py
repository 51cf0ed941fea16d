"""A second row under a known id, in every file of every format: the known record stays as it is, whichever of the two rows comes first."""

from __future__ import annotations

import csv
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from roster_etl.pipeline.import_upload import import_upload
from roster_etl.pipeline.reporting.import_summary import outcome
from roster_etl.pipeline.uploads.order import Order
from roster_etl.pipeline.workspace import Workspace
from roster_etl.projections.samples import write_sample
from roster_etl.store.registry.district import District, Feed
from roster_etl.vendors import discover_vendors
from roster_etl.vendors.lineage import tables_of
from tests.saved import SavedFolders

# A second school or course leaves so many references ambiguous that the upload is held: test_published_identities has them.
FILES = {
    "canvas": ("terms", "courses", "sections", "users", "groups"),
    "catapult_connect": ("staff", "schools", "students"),
    "clever": ("teachers", "students", "sections", "enrollments", "staff"),
    "dyknow": ("students", "teachers", "sections", "enrollments"),
    "mastery_connect": ("users", "sections"),
    "oneroster": ("orgs", "academicSessions", "classes", "users", "userProfiles", "roles", "demographics", "enrollments"),
}
ALONE = {"clever": ("enrollments",), "dyknow": ("enrollments",)}  # beside a stranger among the sections, its own names nobody
ONCE = {"canvas": "change_sis_id"}  # a file that says what changed once
ORDERS = ("known first", "stranger first", "known last")
OWN = ("version_id", "valid_", "source_row")


def _imported(folder: Path, source: str) -> dict[str, Any]:
    with closing(Workspace.open(folder.parent / "home")) as opened:
        return outcome(opened, import_upload(opened, Order(district_id="elm", source=source, path=str(folder))))


def _roster(folder: Path, source: str) -> dict[str, list[dict[str, Any]]]:
    found = {}
    with closing(Workspace.open(folder / "home")) as opened:
        for table in tables_of(discover_vendors()[source]):
            ids = opened.warehouse.roster.current_hashes("elm", source, table).column("version_id")
            rows = opened.warehouse.roster.versions(table, ids).to_pylist()
            found[table] = sorted(({k: row[k] for k in row if not k.startswith(OWN)} for row in rows), key=str)
    return found


def _first_day(saved: SavedFolders, source: str, folder: Path) -> None:
    """Copy a home with a published sample of `source` to `folder`, beside the next upload: ``day`` is the same sample again."""
    vendor = discover_vendors()[source]

    def make(to: Path, url: str) -> None:
        (to / "home").mkdir()
        (to / "home" / "roster_etl.toml").write_text(f'[warehouse]\nurl = "{url}"\n', "utf-8")
        with closing(Workspace.open(to / "home")) as opened:
            opened.registry.add(District(id="elm", feeds=(Feed(format=source),)))
        write_sample(vendor, to / "day", students=24, seed=5)
        assert _imported(to / "day", source)["status"] == "published"

    saved.copy(f"strangers-{source}", make, folder)
    if (once := ONCE.get(source)) is not None:
        (folder / "day" / f"{once}.csv").unlink(missing_ok=True)


def _path(folder: Path, source: str, name: str) -> Path:
    wanted = discover_vendors()[source].format.file(name).file_name.casefold()
    return next(path for path in (folder / "day").rglob("*.csv") if path.name.casefold() == wanted)


def _add_stranger(path: Path, key: tuple[str, ...], order: str) -> int:
    """Give the first record's key to a second row, which differs most from it; return the number of that row."""
    with path.open(encoding="utf-8", newline="") as file:
        header, known, *others = csv.reader(file)
    keys = [header.index(name) for name in key if name in header]
    stranger = list(max(others, key=lambda row: sum(a != b for a, b in zip(known, row, strict=True))))
    for place in keys:
        stranger[place] = known[place]
    rows = {"known first": [known, stranger, *others], "stranger first": [stranger, known, *others]}
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *rows.get(order, [stranger, *others, known])])
    return 3 if order == "known first" else 2


CASES = [
    *((source, tuple(name for name in names if name not in ALONE.get(source, ())), ORDERS[1]) for source, names in FILES.items()),
    *((source, names, ORDERS[1]) for source, names in ALONE.items()),
    *((source, names[-1:], order) for order in (ORDERS[0], ORDERS[2]) for source, names in FILES.items()),
]
"""One upload has a stranger in many files. The two other orders are tried with one file of each format."""


@pytest.mark.parametrize(("source", "names", "order"), CASES)
def test_another_record_under_a_known_id_is_rejected_and_the_roster_stays(
    source: str, names: tuple[str, ...], order: str, saved: SavedFolders, tmp_path: Path
) -> None:
    _first_day(saved, source, tmp_path)
    before = _roster(tmp_path, source)
    paths = [_path(tmp_path, source, name) for name in names]
    rows = [
        _add_stranger(path, discover_vendors()[source].format.file(name).key, order)
        for path, name in zip(paths, names, strict=True)
    ]
    document = _imported(tmp_path / "day", source)

    assert document["status"] in ("published", "unchanged")
    for path, row in zip(paths, rows, strict=True):
        rejected = {
            (f["code"], f["row"]) for f in document["findings"] if f["severity"] == "reject" and f["file"].endswith(path.name)
        }
        assert {("duplicate_key", row), ("loop", row)} & rejected, path.name
    assert _roster(tmp_path, source) == before
