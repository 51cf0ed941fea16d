"""What the names and sizes of files tell of an upload before any is opened."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from roster_etl.pipeline.uploads.expected_change import expects_change
from roster_etl.pipeline.uploads.order import Order
from roster_etl.pipeline.workspace import Workspace


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
    ("published", "expected"),
    [
        (None, True),
        ({"schools.csv": 4}, True),
        ({"schools.csv": 3}, False),  # it may be the same: the bytes will tell
        ({"schools.csv": 3, "teachers.csv": 9}, None),
        ({"Other.csv": 99}, None),
        ({}, None),
    ],
)
def test_a_first_upload_and_a_file_of_another_size_differ(
    tmp_path: Path, published: dict[str, int] | None, expected: bool | None
):
    (tmp_path / "schools.csv").write_bytes(b"abc")
    workspace = Workspace.open(tmp_path / "home")
    vars(workspace)["warehouse"] = Ledger(published)

    assert expects_change(workspace, Order(district_id="lincoln", source="clever", path=str(tmp_path))) is expected


@pytest.mark.parametrize("path", [None, "sftp://there/home", "absent", "upload.zip"])
def test_of_what_is_no_local_folder_nothing_is_known(tmp_path: Path, path: str | None):
    (tmp_path / "upload.zip").write_bytes(b"")
    where = path if path is None or "://" in path else str(tmp_path / path)

    order = Order(district_id="lincoln", source="clever", path=where)
    assert expects_change(Workspace.open(tmp_path / "home"), order) is None


def test_a_folder_that_cannot_be_read_is_left_to_whoever_reads_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def refused(folder: Path) -> None:
        raise PermissionError(13, "no")

    workspace = Workspace.open(tmp_path / "home")
    vars(workspace)["warehouse"] = Ledger(None)
    monkeypatch.setattr(Path, "iterdir", refused)

    assert expects_change(workspace, Order(district_id="lincoln", source="clever", path=str(tmp_path))) is None
