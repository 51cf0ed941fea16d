"""A home with two imports in it, made once for the tests that only look."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from roster_etl.projections.samples import write_next_day, write_sample
from roster_etl.vendors import vendor
from tests.cli.calling import call
from tests.saved import made_once

STUDENTS = 30


@pytest.fixture(autouse=True, scope="session")
def _prepared(prepared_storage: None) -> None:
    """New homes begin with a copy of Dagster's tables."""


@pytest.fixture(scope="session")
def uploads(tmp_path_factory) -> Path:
    """Two days of a district, in the folders ``a`` and ``b``."""
    folder = tmp_path_factory.mktemp("uploads")
    write_sample(vendor("clever"), folder / "a", students=STUDENTS, seed=5)
    write_next_day(vendor("clever"), folder / "a", folder / "b", seed=6)
    return folder


@pytest.fixture(scope="session")
def told(tmp_path_factory, uploads) -> Path:
    """A home where both days of the district ``lincoln`` were imported. For looking only."""

    def make(folder: Path) -> None:
        home = folder / "home"
        assert call("import", uploads / "a", "--district", "lincoln", "--format", "clever", home=home).code == 0
        assert call("import", uploads / "b", "--district", "lincoln", home=home).code == 0

    return made_once(tmp_path_factory, "told", make) / "home"


@pytest.fixture(scope="session")
def stopped(told: Path, uploads: Path, tmp_path_factory) -> Path:
    """A home whose third import is held: half of the students are gone. For copying."""

    def make(folder: Path) -> None:
        home = shutil.copytree(told, folder / "home")
        upload = shutil.copytree(uploads / "b", folder / "half")
        lines = (upload / "students.csv").read_text("utf-8").splitlines(keepends=True)
        (upload / "students.csv").write_text("".join(lines[: len(lines) // 2]), "utf-8")
        answer = call("import", upload, "--district", "lincoln", "--option", "refused_rows_pct=100", "--json", home=home)
        assert (answer.code, answer.document["status"]) == (4, "held")

    return made_once(tmp_path_factory, "stopped", make) / "home"


@pytest.fixture
def held(stopped: Path, tmp_path: Path) -> Path:
    """A home with a held import, to decide about."""
    return shutil.copytree(stopped, tmp_path / "home")
