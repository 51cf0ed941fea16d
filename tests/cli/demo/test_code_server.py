"""The process that serves the definitions to the demo's daemon. That it serves them: the demo itself, ``tests/test_wheel.py``."""

from __future__ import annotations

from pathlib import Path

import pytest

from roster_etl.cli.demo import code_server
from roster_etl.cli.demo.processes import DemoStuck


def test_a_server_that_ends_before_it_serves_is_told_with_its_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(code_server, "MODULE", "no.such.module")
    log = tmp_path / "log"

    with pytest.raises(DemoStuck) as stuck, code_server.code_server({"DAGSTER_HOME": str(tmp_path)}, folder=tmp_path, log=log):
        raise AssertionError

    assert str(log) in stuck.value.message
    assert "no.such.module" in log.read_text("utf-8") or "No module named 'no'" in log.read_text("utf-8")
