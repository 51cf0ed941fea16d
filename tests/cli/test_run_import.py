"""What an import costs through the command line, and for which uploads the gates start early."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from roster_etl.cli import run_import
from roster_etl.cli.run_import import start_gates_early
from roster_etl.pipeline.uploads.order import Order
from roster_etl.pipeline.workspace import Workspace
from tests.cli.calling import call
from tests.connections import counted_connections

MOST_PUBLISHED, MOST_UNCHANGED = 15, 8
"""Connections to the warehouse that one call may open. Its steps are Dagster's: each asset reads in a session of its own."""


@pytest.fixture
def started(monkeypatch) -> list[bool]:
    calls: list[bool] = []
    monkeypatch.setattr(run_import, "start_gx_process", lambda: calls.append(True))
    return calls


class Ledger:
    """A warehouse, and the session on it, of one published import."""

    def __init__(self, sizes: dict[str, int] | None) -> None:
        self._sizes = sizes
        self.roster = self.ledger = self

    @contextmanager
    def read(self) -> Iterator[Ledger]:
        yield self

    def last_published(self, *feed: str, file_set: str | None) -> dict[str, int] | None:
        return None if self._sizes is None else {"import_id": 7}

    def files(self, import_id: int) -> list[dict[str, object]]:
        assert import_id == 7
        return [{"file": name, "bytes": size} for name, size in (self._sizes or {}).items()]


@pytest.mark.parametrize(
    ("published", "starts"),
    [
        (None, True),
        ({"schools.csv": 4}, True),
        ({"schools.csv": 3}, False),  # it may be the same: the bytes will tell
        ({"Other.csv": 99}, False),
    ],
)
def test_a_first_upload_and_a_file_of_another_size_start_them(tmp_path, started, published, starts: bool):
    (tmp_path / "schools.csv").write_bytes(b"abc")
    workspace = Workspace.open(tmp_path / "home")
    vars(workspace)["warehouse"] = Ledger(published)

    start_gates_early(workspace, Order(district_id="lincoln", source="clever", path=str(tmp_path)))

    assert started == [True] * starts


@pytest.mark.parametrize("path", [None, "sftp://there/home", "absent", "upload.zip"])
def test_what_is_no_local_folder_starts_nothing(tmp_path: Path, started, path: str | None):
    (tmp_path / "upload.zip").write_bytes(b"")
    where = path if path is None or "://" in path else str(tmp_path / path)

    start_gates_early(Workspace.open(tmp_path / "home"), Order(district_id="lincoln", source="clever", path=where))

    assert started == []


def test_a_folder_that_cannot_be_read_is_left_to_whoever_reads_it(tmp_path: Path, started, monkeypatch: pytest.MonkeyPatch):
    def refused(folder: Path):
        raise PermissionError(13, "no")

    workspace = Workspace.open(tmp_path / "home")
    vars(workspace)["warehouse"] = Ledger(None)
    monkeypatch.setattr(Path, "iterdir", refused)

    start_gates_early(workspace, Order(district_id="lincoln", source="clever", path=str(tmp_path)))

    assert started == []


def test_an_import_by_the_command_line_opens_few_connections(home: Path, uploads: Path):
    Workspace.open(home).warehouse.migrate()
    opened = []
    for day in ("a", "a", "b"):
        with counted_connections() as connections:
            answer = call("import", uploads / day, "--district", "lincoln", "--format", "clever", "--json", home=home)
        opened.append((answer.document["status"], connections.opened))
        assert (connections.most_in_use, connections.in_use) == (1, 0)

    assert [status for status, _ in opened] == ["published", "unchanged", "published"]
    most = (MOST_PUBLISHED, MOST_UNCHANGED, MOST_PUBLISHED)
    assert all(count <= bound for (_, count), bound in zip(opened, most, strict=True)), opened
