"""The format of an upload, by its file names and headers."""

from __future__ import annotations

import shutil
from pathlib import Path
from zipfile import ZipFile

import pytest

from roster_etl.pipeline.uploads.guess_format import fitting_formats
from roster_etl.projections.samples import write_sample
from roster_etl.store.settings import Settings
from roster_etl.vendors import discover_vendors, vendor


@pytest.fixture
def settings(home: Path) -> Settings:
    return Settings.load(home)


@pytest.mark.parametrize("name", sorted(discover_vendors()))
def test_the_sample_of_every_format_is_recognized(name: str, settings: Settings, tmp_path: Path) -> None:
    write_sample(vendor(name), tmp_path / "up", students=10, seed=1)
    with ZipFile(tmp_path / "up.zip", "w") as archive:
        for file in (tmp_path / "up").iterdir():
            archive.write(file, file.name)

    assert fitting_formats(str(tmp_path / "up"), settings) == [name]
    assert fitting_formats(str(tmp_path / "up.zip"), settings) == [name]


def test_a_format_is_recognized_though_columns_and_files_are_missing(settings: Settings, tmp_path: Path) -> None:
    write_sample(vendor("clever"), tmp_path / "up", students=10, seed=1)
    (tmp_path / "up" / "sections.csv").unlink()
    students = (tmp_path / "up" / "students.csv").read_text("utf-8")
    (tmp_path / "up" / "students.csv").write_text(students.replace("Gender", "Shoe size", 1), "utf-8")

    assert fitting_formats(str(tmp_path / "up"), settings) == ["clever"]


def test_what_is_like_no_format_fits_none(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "up").mkdir()
    assert fitting_formats(str(tmp_path / "up"), settings) == []
    (tmp_path / "up" / "students.csv").write_text("shoe,size\n1,2\n")
    (tmp_path / "up" / "empty.csv").write_text("")
    (tmp_path / "up" / "binary.csv").write_bytes(bytes(range(256)))
    assert fitting_formats(str(tmp_path / "up"), settings) == []
    shutil.rmtree(tmp_path / "up")
