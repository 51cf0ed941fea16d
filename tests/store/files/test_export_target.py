"""An export is moved into place whole; where that fails, what was there before is there again."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from roster_etl.spec.errors import FolderUnavailable
from roster_etl.store.files.export_target import LocalTarget

NAMES = ("a.csv", "b.csv")


def moved(target: LocalTarget, text: str) -> None:
    with target.staging() as folder:
        for name in NAMES:
            (folder / name).write_text(text)
        target.move(folder, NAMES, replace=True, former=frozenset(NAMES))


def test_a_folder_is_exchanged_for_a_new_one_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    target = LocalTarget(tmp_path / "out")
    for text in ("old", "new"):
        moved(target, text)

    assert {path.name: path.read_text() for path in (tmp_path / "out").iterdir()} == dict.fromkeys(NAMES, "new")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_folder_that_cannot_be_moved_leaves_the_former_export_in_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target, rename = LocalTarget(tmp_path / "out"), os.rename
    moved(target, "old")

    def fails_for_the_new_one(source: Path, place: Path) -> None:
        if place == tmp_path / "out" and not source.name.endswith(".old"):
            raise PermissionError(13, "no")
        rename(source, place)

    monkeypatch.setattr("roster_etl.store.files.export_target.os.rename", fails_for_the_new_one)
    with pytest.raises(FolderUnavailable):
        moved(target, "new")

    assert {path.name: path.read_text() for path in (tmp_path / "out").iterdir()} == dict.fromkeys(NAMES, "old")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
