"""The project as Dagster's ``dg`` command sees it, and feeds and destinations that a team's own project declares."""

from __future__ import annotations

import os
import shutil
import subprocess
import tomllib
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path

import dagster
import pytest

from tests.conftest import ROOT
from tests.orchestration.test_components import FEED

_OWN = ROOT / ".venv-dg" / "bin" / "dg"
PROGRAM = os.environ.get("DG") or (str(_OWN) if _OWN.exists() else shutil.which("dg"))

needs_dg = pytest.mark.skipif(PROGRAM is None, reason="`make dg` installs dg in an environment of its own; $DG may name it")


@pytest.fixture
def settings(tmp_path: Path) -> Mapping[str, str]:
    """An environment with an empty home of Dagster and of rosters, and none of a developer's own."""
    home = tmp_path / "home"
    home.mkdir()
    ours = {key: value for key, value in os.environ.items() if not key.startswith(("DAGSTER_", "ROSTER_ETL_"))}
    return {**ours, "HOME": str(tmp_path), "ROSTER_ETL_HOME": str(home), "DAGSTER_HOME": str(home), "NO_COLOR": "1"}


@pytest.fixture
def team(tmp_path: Path) -> Path:
    """A team's own project, as `dg init` makes one, that declares a feed and a destination."""
    root = tmp_path / "school_data"
    package = root / "school_data"
    (package / "defs" / "lincoln").mkdir(parents=True)
    for folder in (package, package / "defs"):
        (folder / "__init__.py").touch()
    (package / "definitions.py").write_text(
        "from pathlib import Path\n\nfrom dagster import definitions, load_from_defs_folder\n\n\n"
        "@definitions\ndef defs():\n    return load_from_defs_folder(path_within_project=Path(__file__).parent)\n"
    )
    (package / "defs" / "lincoln" / "defs.yaml").write_text(FEED)
    (root / "pyproject.toml").write_text(
        '[project]\nname = "school_data"\nversion = "1"\n\n[tool.dg]\ndirectory_type = "project"\n\n'
        '[tool.dg.project]\nroot_module = "school_data"\nregistry_modules = ["roster_etl"]\n'
    )
    return root


def dg(folder: Path, settings: Mapping[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    """Run dg in a folder, with the project's packages on its path."""
    environment = {**settings, "PYTHONPATH": str(folder)}
    return subprocess.run(
        [str(PROGRAM), *words], cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False
    )


def test_dg_and_dagster_are_told_the_same_module_and_name() -> None:
    tool = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]
    project = tool["dg"]["project"]

    assert project["code_location_target_module"] == tool["dagster"]["module_name"]
    assert project["code_location_name"] == tool["dagster"]["code_location_name"]
    assert project["defs_module"].startswith(project["root_module"])
    module = import_module(project["code_location_target_module"])
    assert any(isinstance(one, dagster.Definitions) for one in vars(module).values())


@needs_dg
def test_the_project_itself_is_checked(tmp_path: Path, settings: Mapping[str, str]) -> None:
    done = dg(ROOT, settings, "check", "defs")

    assert done.returncode == 0, done.stderr
    assert "successfully" in done.stdout + done.stderr


@needs_dg
def test_declared_feeds_are_checked_and_listed(team: Path, settings: Mapping[str, str]) -> None:
    (yaml, defs, listed) = (dg(team, settings, *words) for words in (("check", "yaml"), ("check", "defs"), ("list", "defs")))

    assert [yaml.returncode, defs.returncode, listed.returncode] == [0, 0, 0], yaml.stderr + defs.stderr + listed.stderr
    assert "feed/lincoln/clever" in listed.stdout
    assert "destination/lincoln/lms" in listed.stdout


@needs_dg
def test_both_types_are_among_the_components(team: Path, settings: Mapping[str, str]) -> None:
    listed = dg(team, settings, "list", "components")

    assert "roster_etl.Feed" in listed.stdout
    assert "roster_etl.Destination" in listed.stdout


@needs_dg
def test_an_unknown_key_is_named_with_its_file(team: Path, settings: Mapping[str, str]) -> None:
    file = team / "school_data" / "defs" / "lincoln" / "defs.yaml"
    file.write_text(FEED.replace("expected_by", "expected_at"))

    done = dg(team, settings, "check", "yaml")

    assert done.returncode != 0
    assert "expected_at" in done.stdout + done.stderr
    assert file.name in done.stdout + done.stderr
