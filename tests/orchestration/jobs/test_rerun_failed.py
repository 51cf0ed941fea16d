"""The job that imports again what failed: which feeds, and the runs that it queues."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.definitions.reconstruct import ReconstructableRepository

from roster_etl.orchestration.assets import warehouse_assets
from roster_etl.orchestration.jobs.in_process_runs import MODULE, _job_origin, home_instance
from roster_etl.orchestration.jobs.rerun_failed import RERUN_FAILED, NoRunQueue, UnknownStatus, feeds_to_rerun
from roster_etl.orchestration.runtime.current_home import use_home
from tests.csv_files import rewrite
from tests.orchestration.conftest import Home, register


@pytest.fixture
def failed(published: Home, upload: Path) -> Home:
    """A home in which the newest import of lincoln failed, and monroe has none."""
    rewrite(upload / "teachers.csv", lambda rows: [{**rows[0], "Last_name": "Changed"}, *rows[1:]])
    with pytest.MonkeyPatch.context() as broken:
        broken.setattr(warehouse_assets, "publish_import", _breaks)
        with pytest.raises(RuntimeError):
            published.run(upload)
    register(published.workspace, "monroe")
    return published


def _breaks(*_: object) -> None:
    raise RuntimeError


def launch(home: Home, *, from_the_ui: bool = True, **config: Any) -> dg.DagsterRun:
    """Run the job as the UI does, and return its run."""
    job = ReconstructableRepository.for_module(MODULE, "defs").get_reconstructable_job(RERUN_FAILED)
    with use_home(home.path), home_instance(home.path) as instance:
        run = instance.create_run_for_job(
            job.get_definition(),
            run_config={"ops": {"rerun_failed_feeds": {"config": config}}},
            remote_job_origin=_job_origin(RERUN_FAILED) if from_the_ui else None,
            job_code_origin=job.get_python_origin(),
        )
        list(dg._core.execution.api.execute_run_iterator(job, run, instance))
        found = instance.get_run_by_id(run.run_id)
        assert found is not None
        return found


def queued(home: Home) -> list[dg.DagsterRun]:
    """Return the runs in the queue."""
    with home_instance(home.path) as instance:
        return list(instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.QUEUED])))


def test_a_run_of_the_formats_job_is_queued_for_each_feed_that_failed_and_only_once(failed: Home) -> None:
    first = launch(failed)
    (run,) = queued(failed)
    launch(failed)

    assert first.status is dg.DagsterRunStatus.SUCCESS
    assert (run.job_name, run.tags["dagster/partition"], run.tags["format"]) == ("import_clever", "lincoln", "clever")
    assert run.remote_job_origin == _job_origin("import_clever")
    assert run.job_code_origin is not None
    assert run.job_code_origin.job_name == "import_clever"
    assert len(queued(failed)) == 1


def test_a_dry_run_and_other_districts_or_formats_queue_nothing(failed: Home) -> None:
    for config in ({"dry_run": True}, {"districts": ["monroe"]}, {"formats": ["canvas"]}, {"statuses": ["held"]}):
        assert launch(failed, **config).status is dg.DagsterRunStatus.SUCCESS

    assert queued(failed) == []


def test_without_the_uis_origin_nothing_is_queued_and_the_command_is_named(failed: Home) -> None:
    run = launch(failed, from_the_ui=False)
    failures = [
        e.dagster_event.step_failure_data
        for e in failed.events(run.run_id)
        if e.dagster_event and e.dagster_event.is_step_failure
    ]

    assert run.status is dg.DagsterRunStatus.FAILURE
    assert failures[0].user_failure_data.metadata["code"].value == NoRunQueue.code


def test_feeds_are_chosen_by_how_their_newest_import_ended(failed: Home) -> None:
    found = [(feed.district_id, feed.source, feed.import_id) for feed in feeds_to_rerun(failed.workspace)]
    failed.workspace.registry.pause("lincoln")

    missing = list(feeds_to_rerun(failed.workspace, statuses=["failed", "missing"]))

    assert found == [("lincoln", "clever", 2)]
    assert [(feed.district_id, feed.import_id) for feed in missing] == [("monroe", None)]
    assert list(feeds_to_rerun(failed.workspace)) == []
    with pytest.raises(UnknownStatus, match="failed, held, rejected"):
        list(feeds_to_rerun(failed.workspace, statuses=["published"]))
