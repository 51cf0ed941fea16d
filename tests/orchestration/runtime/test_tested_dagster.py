"""The version of Dagster with which the shortcuts were tested is the one that is installed from the lock file."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest

from roster_etl.orchestration.runtime import tested_dagster
from roster_etl.orchestration.runtime.tested_dagster import is_tested_dagster


def test_the_locked_version_is_the_tested_one(root: Path):
    locked = (root / "requirements.lock").read_text()

    assert f"\ndagster=={tested_dagster.TESTED_VERSION} " in locked
    assert dg.__version__ == tested_dagster.TESTED_VERSION
    assert is_tested_dagster("anything")


def test_any_other_version_is_not(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(dg, "__version__", "1.13.28")

    assert not is_tested_dagster("anything")
