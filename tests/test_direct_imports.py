"""Imports without a Dagster run leave the same warehouse and files as those with one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from roster_etl.pipeline.workspace import Workspace
from roster_etl.projections.samples import write_next_day, write_sample
from roster_etl.vendors import discover_vendors, vendor
from tests.cli.calling import Answer, call
from tests.direct_imports import execute_directly
from tests.dumps import dump
from tests.sampling import ALL

pytestmark = pytest.mark.usefixtures("prepared_storage")
_DIFFERENT = (
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d[\d.]*(\+00:00|Z)?|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|\bh[12]\b|\d+\.\d+ ?s"
)
"""What two imports of the same upload do not share: times, ids of runs, and the homes here."""
_OF_RUNS = ("dagster.yaml", "workspace.yaml", "history", "schedules", "storage", ".logs_queue", "staging", "reports/index.")
"""What a run leaves besides: its events, tables that its steps hand on, and the status of all feeds, which is an asset."""

KINDS = ["canvas", "oneroster"]
"""A format of changes, and one of whole files with a manifest that says so."""


def _same(text: str) -> str:
    return re.sub(_DIFFERENT, "?", text)


def _nights(home: Path, name: str, folder: Path) -> list[Answer]:
    """Import an upload, the same again, the next day, and one without its files."""
    words = ("--district", "lincoln", "--format", name, "--json")
    return [call("import", folder / day, *words, home=home) for day in ("a", "a", "b", "empty")]


def _files(home: Path) -> set[str]:
    found = (str(path.relative_to(home)) for path in home.rglob("*") if path.is_file())
    return {_same(re.sub(r"\d{8}T\d{6}\w*", "?", name)) for name in found if not name.startswith(_OF_RUNS)}


def _warehouse(home: Path) -> dict[str, list[str]]:
    workspace = Workspace.open(home)
    try:
        return {table: sorted(map(_same, lines)) for table, lines in dump(workspace.warehouse).items()}
    finally:
        workspace.close()


@pytest.mark.sampled
@pytest.mark.parametrize("name", list(discover_vendors()) if ALL else KINDS)
def test_without_a_run_an_import_leaves_the_same(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_sample(vendor(name), tmp_path / "a", students=12, seed=5)
    write_next_day(vendor(name), tmp_path / "a", tmp_path / "b", seed=6)
    (tmp_path / "empty").mkdir()

    runs = _nights(tmp_path / "h1", name, tmp_path)
    monkeypatch.setattr("roster_etl.orchestration.jobs.in_process_runs.execute_import", execute_directly)
    direct = _nights(tmp_path / "h2", name, tmp_path)

    assert [(a.code, _same(a.out)) for a in direct] == [(a.code, _same(a.out)) for a in runs]
    assert _warehouse(tmp_path / "h2") == _warehouse(tmp_path / "h1")
    assert _files(tmp_path / "h2") == _files(tmp_path / "h1")
