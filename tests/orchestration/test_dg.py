"""The project as Dagster's ``dg`` command sees it."""

from __future__ import annotations

import os
import shutil
import subprocess
import tomllib
from importlib import import_module

import dagster as dg
import pytest

from tests.conftest import ROOT

PROGRAM = os.environ.get("DG") or shutil.which("dg")


def test_dg_and_dagster_are_told_the_same_module_and_name() -> None:
    tool = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]
    project = tool["dg"]["project"]

    assert project["code_location_target_module"] == tool["dagster"]["module_name"]
    assert project["code_location_name"] == tool["dagster"]["code_location_name"]
    assert project["defs_module"].startswith(project["root_module"])
    assert any(isinstance(one, dg.Definitions) for one in vars(import_module(project["code_location_target_module"])).values())


@pytest.mark.slow
@pytest.mark.skipif(PROGRAM is None, reason="dg (the package dagster-dg-cli) is not installed; $DG may name it")
def test_dg_checks_the_definitions() -> None:
    done = subprocess.run(
        [str(PROGRAM), "check", "defs", "--use-active-venv"], cwd=ROOT, capture_output=True, text=True, check=False, timeout=150
    )

    assert done.returncode == 0, done.stdout + done.stderr
