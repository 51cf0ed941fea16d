"""An export is moved into place whole; where that fails, what was there before is there again."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import fsspec
import pytest

from roster_etl.spec.errors import FolderUnavailable
from roster_etl.store.files.export_target import ExportTarget, ExportTargetNotEmpty, LocalTarget, open_local_or_object

NAMES = ("a.csv", "b.csv")


def moved(target: ExportTarget, text: str) -> None:
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


@pytest.fixture(params=["local", "object"])
def zip_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The place ``out.zip`` as a path, and as a URL of an object store."""
    return f"{tmp_path}/out.zip" if request.param == "local" else f"memory:/{tmp_path}/out.zip"


def test_a_zip_is_exchanged_for_a_new_one(zip_url: str, tmp_path: Path) -> None:
    for text in ("old", "new"):
        moved(open_local_or_object(zip_url, tmp_path / "scratch"), text)

    with fsspec.open(zip_url) as file, zipfile.ZipFile(file) as found:
        assert {name: found.read(name) for name in found.namelist()} == dict.fromkeys(NAMES, b"new")


def test_a_zip_that_no_export_left_there_is_not_exchanged(zip_url: str, tmp_path: Path) -> None:
    with fsspec.open(zip_url, "wb") as file:
        file.write(b"mine")
    target = open_local_or_object(zip_url, tmp_path / "scratch")

    for replace in (False, True):
        with pytest.raises(ExportTargetNotEmpty):
            target.check(replace=replace, former=frozenset())
    with pytest.raises(ExportTargetNotEmpty):
        target.check(replace=False, former=frozenset(NAMES))


@pytest.mark.parametrize("names", [None, ["thesis.txt"], ["a.csv", "thesis.txt"]], ids=["no-zip", "other-files", "more-files"])
def test_a_file_that_took_the_place_of_a_former_export_is_not_exchanged(names: list[str] | None, tmp_path: Path) -> None:
    path = tmp_path / "out.zip"
    path.write_text("mine")
    if names is not None:
        with zipfile.ZipFile(path, "w") as out:
            for name in names:
                out.writestr(name, "mine")

    with pytest.raises(ExportTargetNotEmpty):
        LocalTarget(path).check(replace=True, former=frozenset(NAMES))
