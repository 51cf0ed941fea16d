"""A home with two imports in it, made once for the tests that only look."""

from __future__ import annotations

from pathlib import Path

import pytest

from roster_etl.projections.samples import write_next_day, write_sample
from roster_etl.vendors import vendor
from tests.cli.calling import call

STUDENTS = 30


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
    home = tmp_path_factory.mktemp("told") / "home"
    assert call("import", uploads / "a", "--district", "lincoln", "--format", "clever", home=home).code == 0
    assert call("import", uploads / "b", "--district", "lincoln", home=home).code == 0
    return home
