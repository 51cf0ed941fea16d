"""Runs of unchanged uploads that execute no step: Dagster shows of them what it shows of those that do."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest

from roster_etl.orchestration.assets.today_asset import TODAY
from roster_etl.orchestration.jobs.in_process_runs import run_import
from roster_etl.orchestration.runtime import tested_dagster
from roster_etl.pipeline.steps import receive
from roster_etl.pipeline.uploads.order import Order
from roster_etl.spec.errors import RetryableError
from roster_etl.store.registry.registry import Feed
from tests.csv_files import rewrite
from tests.orchestration.conftest import Home
from tests.orchestration.jobs.test_in_process_runs import FAILURE, SUCCESS, again

_OF_THE_IMPORT = {"import_id", "import", "report", "cli_commands"}


class Offline(RetryableError):
    """A store that does not answer."""

    code = "offline"
    template = "the store is offline"


def run(home: Home, path: Path, *, first: bool = True) -> int:
    """Import an upload that may be unchanged."""
    return run_import(home.path, Order(district_id="lincoln", source="clever", path=str(path)), receive_first=first)


def kinds(home: Home) -> list[str]:
    """Return the types of the newest run's events, without how all feeds stand, which not every run tells."""
    found = [event.dagster_event for event in home.events() if event.dagster_event]
    return [event.event_type_value for event in found if event.asset_key != TODAY]


def test_the_run_of_an_unchanged_upload_executes_no_step(published: Home, sample: Path):
    assert published.status(run(published, sample)) == "unchanged"

    assert published.newest_run().status is SUCCESS
    assert kinds(published) == ["PIPELINE_START", "ASSET_MATERIALIZATION", "PIPELINE_SUCCESS"]


def test_it_shows_what_a_run_that_executes_its_step_shows(published: Home, sample: Path):
    feed = Feed(format="clever", expected_by="06:00")
    published.workspace.registry.add_feed("lincoln", feed, update=True)
    seen = []
    for first in (False, True):
        run(published, sample, first=first)
        newest = published.newest_run()
        texts = [event.user_message for event in published.events() if event.dagster_event is None]
        report = published.materialized()["report"]
        seen.append(
            (
                newest.job_name,
                newest.status,
                {name: value for name, value in newest.tags.items() if name not in _OF_THE_IMPORT},
                newest.run_config,
                newest.remote_job_origin,
                newest.job_snapshot_id,
                [text.replace("Import 3", "Import 2") for text in texts if text.startswith("Import")],
                report.partition,
                sorted(report.metadata),
                sorted(published.checks()),
            )
        )

    assert seen[0] == seen[1]
    assert sorted(published.checks()) == [("clever/upload", "fresh")]


def test_its_import_has_its_row_its_manifest_and_its_report(published: Home, sample: Path):
    number = run(published, sample)
    row = published.workspace.warehouse.ledger.import_(number)

    assert (row["status"], row["run_id"]) == ("unchanged", published.newest_run().run_id)
    assert published.workspace.archive.read_manifest("lincoln", number)["status"] == "unchanged"
    assert list((published.path / "reports" / "lincoln").glob(f"{number}*"))
    assert published.workspace.import_locks.orphaned() == []


def test_an_upload_that_was_received_first_and_differs_goes_on_in_a_run_of_all_steps(published: Home, upload: Path):
    rewrite(upload / "students.csv", lambda rows: rows[:-1])

    assert published.status(run(published, upload)) == "published"
    assert published.newest_run().status is SUCCESS
    assert "roster/plan" in published.materialized()
    assert published.workspace.import_locks.orphaned() == []


def test_what_hinders_receiving_fails_the_run(published: Home, sample: Path, monkeypatch: pytest.MonkeyPatch):
    def broken(*_: object) -> None:
        raise Offline

    monkeypatch.setattr(receive, "classify_files", broken)

    with pytest.raises(Offline):
        run(published, sample)
    newest = published.newest_run()
    assert (newest.status, newest.tags["import_status"]) == (FAILURE, "failed")
    assert published.workspace.warehouse.ledger.import_(2)["run_id"] == newest.run_id
    assert published.status(2) == "failed"


def test_the_run_can_be_executed_again_with_all_its_steps(published: Home, upload: Path):
    run(published, upload)
    first = published.newest_run()
    rewrite(upload / "students.csv", lambda rows: rows[:-1])
    later = again(published, first.run_id, from_failure=False)

    assert later.status is SUCCESS
    assert published.status(3) == "published"


def test_a_version_of_dagster_that_was_not_tested_executes_the_step(
    published: Home, sample: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(tested_dagster, "TESTED_VERSION", "0.0.0")

    assert published.status(run(published, sample)) == "unchanged"
    assert "STEP_START" in kinds(published)
    assert published.newest_run().status is dg.DagsterRunStatus.SUCCESS
