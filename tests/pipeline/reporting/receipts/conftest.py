"""A district whose imports have receipts, on both databases."""

from __future__ import annotations

import csv
import io
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from roster_etl.pipeline.import_upload import import_and_report
from roster_etl.pipeline.reporting.receipts.hand_out import write_outcomes_file
from roster_etl.pipeline.review.approve import discard_import
from roster_etl.pipeline.uploads.order import Order
from roster_etl.pipeline.workspace import Workspace
from roster_etl.projections.samples import write_next_day, write_sample
from roster_etl.store.registry.district import District, Feed
from roster_etl.store.signing_keys import KeyFolder
from roster_etl.vendors import vendor
from tests.saved import SavedFolders

FEED = ("lincoln", "clever")
STATUSES = ["published", "published", "unchanged", "held", "discarded", "rejected"]
"""What the receipts of the prepared home state, in their order."""


@pytest.fixture(scope="session")
def nights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The uploads a, b (with a refused row), half (of the students), stripped (no students.csv)."""
    folder = tmp_path_factory.mktemp("nights")
    write_sample(vendor("clever"), folder / "a", students=20, seed=5)
    write_next_day(vendor("clever"), folder / "a", folder / "b", seed=6)
    _edit(folder / "b" / "students.csv", lambda rows: [{**rows[0], "Last_name": ""}, *rows[1:]])
    for name in ("half", "stripped"):
        shutil.copytree(folder / "b", folder / name)
    _edit(folder / "half" / "students.csv", lambda rows: rows[: len(rows) // 2])
    (folder / "stripped" / "students.csv").unlink()
    return folder


def _edit(path: Path, change: Any) -> None:
    rows = change(list(csv.DictReader(io.StringIO(path.read_text("utf-8")))))
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    path.write_text(out.getvalue(), "utf-8")


def run(workspace: Workspace, path: Path | None = None, **order: Any) -> dict[str, Any]:
    """Import an upload, and return the document of its report."""
    given = {"path": str(path), **order} if path else order
    return dict(import_and_report(workspace, Order(district_id=FEED[0], source=FEED[1], **given)).document)


@pytest.fixture
def signed(saved: SavedFolders, nights: Path, database: str, tmp_path: Path) -> Iterator[Workspace]:
    """A home with a key, and a chain of receipts that state STATUSES."""

    def make(folder: Path, url: str) -> None:
        (folder / "home").mkdir()
        (folder / "home" / "roster_etl.toml").write_text(f'[warehouse]\nurl = "{url}"\n', "utf-8")
        workspace = Workspace.open(folder / "home")
        workspace.registry.add(District(id=FEED[0], feeds=(Feed(format=FEED[1]),)))
        KeyFolder(workspace.settings).create()
        for name in ("a", "b", "b"):
            run(workspace, nights / name)
        held = run(workspace, nights / "half")
        discard_import(workspace, held["import_id"], "A. Steward")
        run(workspace, nights / "stripped")
        workspace.close()

    url = saved.copy("receipts", make, tmp_path, database)
    workspace = Workspace.open(tmp_path / "home")
    yield workspace
    workspace.close()
    saved.drop(url)


def envelopes(workspace: Workspace) -> Path:
    """Return the folder of the receipts in the archive."""
    return Path(workspace.settings.archive) / "receipts"


def public_key(workspace: Workspace) -> Path:
    """Return the public key of the home."""
    return KeyFolder(workspace.settings).public_file


def outcomes_of(workspace: Workspace, number: int, folder: Path) -> Path:
    """Return the file of outcomes that a receipt signs for, in a folder outside the home."""
    with workspace.warehouse.read_receipts() as receipts:
        row = receipts.receipt_by_number(*FEED, number)
    assert row is not None
    write_outcomes_file(workspace, row, folder / f"{number}.outcomes.csv")
    return folder / f"{number}.outcomes.csv"
