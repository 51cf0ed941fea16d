"""The version of Great Expectations with which the shortcuts were tested is the one that is installed from the lock file."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from roster_etl.quality import gx_preload, gx_server, tested_gx
from roster_etl.quality.gx_client import GX_CLIENT
from roster_etl.quality.tested_gx import is_tested_gx


def test_the_locked_version_is_the_tested_one(root: Path):
    import great_expectations  # seconds: not in every process that collects tests

    locked = (root / "requirements.lock").read_text()

    assert f"\ngreat-expectations=={tested_gx.TESTED_VERSION} " in locked
    assert great_expectations.__version__ == tested_gx.TESTED_VERSION
    assert is_tested_gx("anything")


def test_any_other_version_loads_all_that_it_imports_in_a_process_of_its_own(monkeypatch: pytest.MonkeyPatch):
    deferred: list[str] = []
    monkeypatch.setattr(tested_gx, "TESTED_VERSION", "0.0.0")
    monkeypatch.setattr(gx_server, "defer_import", deferred.append)
    monkeypatch.setattr(GX_CLIENT, "handle_in_process", lambda _: pytest.fail("it must not answer here"))

    gx_server.load_library()
    assert not gx_preload.preload()
    assert deferred == []
    assert not any(name in sys.modules and sys.modules[name] is None for name in gx_server.BLOCKED_MODULES)
