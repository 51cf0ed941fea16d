"""Feeds and destinations declared in YAML: loaded by Dagster's own loader, and written to the registry by a run."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster.components.core.component_tree import ComponentTreeException

import roster_etl
from roster_etl.spec.errors import RosterError
from roster_etl.store.registry.registry import Registry, open_registry
from roster_etl.store.settings import Settings

FEED = """
type: roster_etl.Feed
attributes:
  district: lincoln
  format: clever
  time_zone: America/Chicago
  path: sftp://lincoln@sftp.example.org/home/lincoln
  known_hosts: known_hosts
  password_env: LINCOLN_SFTP_PASSWORD
  options:
    delete_threshold_pct: "20"
  expected_by: "02:30"
  expected_days: [mon, tue]
---
type: roster_etl.Destination
attributes:
  district: lincoln
  name: lms
  format: oneroster
  to: sftp://lincoln@sftp.example.org/in
  options: {user_ids: kinded}
  shrink_pct: 15
"""
FEED_KEY, DESTINATION_KEY = dg.AssetKey(["feed", "lincoln", "clever"]), dg.AssetKey(["destination", "lincoln", "lms"])


@pytest.fixture
def registry(tmp_path, monkeypatch) -> Registry:
    monkeypatch.setenv("ROSTER_ETL_HOME", str(tmp_path / "home"))
    return open_registry(Settings.load(tmp_path / "home"))


@pytest.fixture
def project(tmp_path, monkeypatch) -> Iterator[Path]:
    """A Dagster project as `dg init` makes one, with an empty folder of definitions."""
    root = tmp_path / "school_data"
    (root / "school_data" / "defs").mkdir(parents=True)
    (root / "school_data" / "__init__.py").touch()
    (root / "school_data" / "defs" / "__init__.py").touch()
    (root / "pyproject.toml").write_text(
        '[tool.dg]\ndirectory_type = "project"\n\n[tool.dg.project]\nroot_module = "school_data"\n'
    )
    monkeypatch.syspath_prepend(str(root))
    yield root
    for name in [name for name in sys.modules if name.startswith("school_data")]:
        del sys.modules[name]


def declare(project: Path, yaml: str) -> dg.Definitions:
    """Write a file of declarations, and load the project as its code location does."""
    folder = project / "school_data" / "defs" / "lincoln"
    folder.mkdir(exist_ok=True)
    (folder / "defs.yaml").write_text(yaml, "utf-8")
    return dg.load_from_defs_folder(path_within_project=folder)


def materialized(defs: dg.Definitions, key: dg.AssetKey) -> dg.ExecuteInProcessResult:
    job = dg.define_asset_job("apply", dg.AssetSelection.assets(key))
    return dg.Definitions.merge(defs, dg.Definitions(jobs=[job])).resolve_job_def("apply").execute_in_process()


def test_loading_declarations_offers_assets_and_writes_nothing(project, registry):
    defs = declare(project, FEED)

    assert defs.resolve_asset_graph().get_all_asset_keys() == {FEED_KEY, DESTINATION_KEY}
    assert registry.ids() == ()


def test_a_run_writes_what_is_declared_and_its_check_passes(project, registry):
    defs = declare(project, FEED)
    feed, destination = materialized(defs, FEED_KEY), materialized(defs, DESTINATION_KEY)
    known = registry.get("lincoln")

    assert feed.success
    assert destination.success
    assert [check.passed for check in (*feed.get_asset_check_evaluations(), *destination.get_asset_check_evaluations())] == [
        True
    ] * 2
    assert known.time_zone == "America/Chicago"
    assert (known.feeds[0].format, known.feeds[0].options, known.feeds[0].expected_days) == (
        "clever",
        {"delete_threshold_pct": "20"},
        ("mon", "tue"),
    )
    assert (known.destination("lms").shrink_pct, known.destination("lms").shrink_min) == (15, 5)
    assert registry.destination_names() == ("lms",)


def test_what_is_not_declared_stays_and_a_second_run_changes_nothing(project, registry, tmp_path):
    materialized(declare(project, FEED), FEED_KEY)
    file = tmp_path / "home" / "districts" / "lincoln.toml"
    file.write_text(
        "# by a person\n" + file.read_text("utf-8").replace('expected_by = "02:30"', 'expected_by = "02:30"\nexpected_hours = 6'),
        "utf-8",
    )
    before = file.read_text("utf-8")

    again = materialized(declare(project, FEED), FEED_KEY)
    changed = materialized(declare(project, FEED.replace('"02:30"', '"03:00"')), FEED_KEY)
    feed = registry.get("lincoln").feeds[0]

    assert before.startswith("# by a person")
    assert [event.materialization.metadata["changed"].value for event in _materializations(again)] == [False]
    assert [event.materialization.metadata["changed"].value for event in _materializations(changed)] == [True]
    assert (feed.expected_by, feed.expected_hours) == ("03:00", 6)
    assert file.read_text("utf-8").startswith("# by a person")


def _materializations(result: dg.ExecuteInProcessResult) -> list[dg.StepMaterializationData]:
    return [event.event_specific_data for event in result.get_asset_materialization_events()]


@pytest.mark.parametrize(
    ("was", "becomes", "problem"),
    [
        ("format: clever", "format: clevr", "clever"),
        ("delete_threshold_pct", "delete_limit_pct", "delete_limit_pct"),
        ('"02:30"', '"2:30 pm"', "expected_by"),
        ("sftp://lincoln@", "sftp://lincoln:secret@", "password"),
        ("America/Chicago", "Chicago", "time_zone"),
    ],
)
def test_a_wrong_value_fails_when_the_project_is_loaded(project, registry, was, becomes, problem):
    with pytest.raises(ComponentTreeException) as failed:
        declare(project, FEED.replace(was, becomes))
    (told,) = [str(cause) for cause in causes(failed.value) if isinstance(cause, RosterError)]

    assert problem in told
    assert "secret" not in told


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an exception and what caused it, which `dagster dev` and `dg check defs` print."""
    while error is not None:
        yield error
        error = error.__cause__


def test_an_unknown_key_fails_when_the_project_is_loaded(project, registry):
    with pytest.raises(ComponentTreeException) as failed:
        declare(project, FEED.replace("expected_by", "expected_at"))

    assert any("expected_at" in str(cause) for cause in causes(failed.value))


def test_the_package_offers_both_without_loading_dagster_before():
    assert roster_etl.Feed.__name__ == "Feed"
    assert {"Feed", "Destination"} <= set(dir(roster_etl))
    with pytest.raises(AttributeError, match="Fead"):
        roster_etl.Fead  # noqa: B018
