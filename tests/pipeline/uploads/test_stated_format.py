"""Only an upload with a manifest says its format itself; nothing is guessed."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import pytest

from roster_etl.pipeline.uploads.stated_format import stated_format
from roster_etl.projections.samples import write_sample
from roster_etl.vendors import discover_vendors, vendor


@pytest.fixture(scope="module")
def uploads(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A sample upload of each format."""
    found = {name: tmp_path_factory.mktemp("samples") / name for name in discover_vendors()}
    for name, folder in found.items():
        write_sample(vendor(name), folder, students=20, seed=3)
    return found


def zipped(folder: Path, to: Path) -> Path:
    with zipfile.ZipFile(to, "w") as packed:
        for file in folder.iterdir():
            packed.write(file, file.name)
    return to


def test_a_folder_and_a_zip_of_oneroster_say_what_they_are(uploads: dict[str, Path], tmp_path: Path) -> None:
    assert stated_format(uploads["oneroster"]) == "oneroster"
    assert stated_format(zipped(uploads["oneroster"], tmp_path / "OneRoster.zip")) == "oneroster"


def test_no_other_upload_is_guessed(uploads: dict[str, Path], tmp_path: Path) -> None:
    others = [folder for name, folder in uploads.items() if name != "oneroster"]

    assert [stated_format(folder) for folder in others] == [None] * len(others)
    assert stated_format(tmp_path / "gone") is None
    (tmp_path / "broken.zip").write_bytes(b"PK no zip")
    assert stated_format(tmp_path / "broken.zip") is None


@pytest.mark.parametrize(
    "content", ["propertyName,value\n", "propertyName,value\nmanifest.version,1.0\noneroster.version,9\n", "", "\0"]
)
def test_a_manifest_without_a_version_that_is_read_says_nothing(uploads: dict[str, Path], tmp_path: Path, content: str) -> None:
    folder = tmp_path / "upload"
    shutil.copytree(uploads["oneroster"], folder)
    (folder / "manifest.csv").write_text(content, "utf-8")

    assert stated_format(folder) is None
