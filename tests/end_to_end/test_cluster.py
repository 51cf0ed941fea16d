"""Steps of one import on several hosts, which share a database, a bucket and a broker.

The short form, one import, runs with all tests. ``make cluster`` runs the rest, which kills workers.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from roster_etl.pipeline.import_upload import import_upload
from roster_etl.pipeline.uploads.order import Order
from roster_etl.pipeline.workspace import Workspace
from roster_etl.projections.samples import write_next_day, write_sample
from roster_etl.store.files.folder import Folder
from roster_etl.store.registry.registry import District, Feed
from roster_etl.store.settings import Settings
from roster_etl.vendors import vendor
from tests.cluster import Cluster, redis_server
from tests.dumps import dump
from tests.s3 import SECRET

pytestmark = [pytest.mark.timeout(400), pytest.mark.e2e, pytest.mark.slow, pytest.mark.pg]
pytest.importorskip("dagster_celery")
LONG = pytest.mark.skipif(not os.environ.get("LONG_TESTS"), reason="minutes: `make cluster` runs it")
QUICK = {"quiet_period": "1s", "min_interval": "0"}


@pytest.fixture
def cluster(  # noqa: PLR0917 - fixtures are arguments
    tmp_path: Path,
    bucket: str,
    s3_environment: dict[str, str],
    postgres_server: str,
    postgres_template: str,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Cluster]:
    """Two workers and a daemon, with an empty warehouse."""
    from tests.pg import _database

    with (
        _database(postgres_server, postgres_template) as warehouse,
        _database(postgres_server, "template1") as storage,
        redis_server(tmp_path) as broker,
    ):
        shared = {
            **s3_environment,
            "ROSTER_ETL_WAREHOUSE": warehouse,
            "ROSTER_ETL_DAGSTER_STORAGE": storage.replace("postgresql://", "postgresql+psycopg2://"),
            "ROSTER_ETL_ARCHIVE": f"{bucket}/archive",
            "ROSTER_ETL_STAGING": f"{bucket}/staging",
            "ROSTER_ETL_DISTRICTS": f"{bucket}/districts",
            "ROSTER_ETL_LANDING": f"{bucket}/landing",
            "ROSTER_ETL_EXECUTOR": "celery",
            "ROSTER_ETL_CELERY_BROKER": broker,
            "ROSTER_ETL_SENSOR_SECONDS": "1",
        }
        for name, value in shared.items():
            monkeypatch.setenv(name, value)
        made = Cluster(tmp_path / "hosts", shared)
        try:
            yield made
        finally:
            made.end()


def upload(bucket: str, folder: Path) -> None:
    """Put the files of an upload where lincoln's arrive."""
    landing = Folder(f"{bucket}/landing")
    for file in sorted(folder.iterdir()):
        landing.write(f"lincoln/{file.name}", file.read_bytes())


def history(workspace: Workspace) -> dict[str, list[Any]]:
    """Return every version of every record, without the moments of its import."""
    rows = {name: [json.loads(line) for line in lines] for name, lines in dump(workspace.warehouse).items()}
    versions = {name: found for name, found in rows.items() if found and "valid_from" in found[0]}
    return {name: sorted(str(sorted(_timeless(row).items())) for row in found) for name, found in versions.items()}


def _timeless(row: dict[str, Any]) -> dict[str, Any]:
    return {name: bool(value) if name.startswith("valid_") else value for name, value in row.items() if not name.endswith("_at")}


def imported_alone(first: Path, home: Path, *more: Path) -> Any:
    """Return the roster and its history as one process makes them of the same uploads."""
    workspace = Workspace(Settings.load(home, {}))
    workspace.registry.add(District(id="lincoln", feeds=(Feed(format="clever", options=QUICK),)))
    for folder in (first, *more):
        import_upload(workspace, Order(district_id="lincoln", source="clever", path=str(folder)))
    return history(workspace)


@pytest.fixture
def ready(cluster: Cluster, bucket: str, tmp_path: Path) -> Cluster:
    """The cluster with two workers; lincoln is registered, and its first upload lies there."""
    write_sample(vendor("clever"), tmp_path / "upload", students=30, seed=3)
    cluster.workspace.registry.add(District(id="lincoln", feeds=(Feed(format="clever", options=QUICK),)))
    upload(bucket, tmp_path / "upload")
    for name in ("east", "west"):
        cluster.start_worker(name)
    return cluster


@pytest.fixture
def running(ready: Cluster) -> Cluster:
    """The cluster at work: the daemon is up, sees the upload, and has it imported."""
    ready.start_daemon()
    return ready


def ended(cluster: Cluster, run: int) -> Any:
    """Wait until run number `run` has ended, and return it."""
    return cluster.wait(lambda: [found for found in cluster.runs()[run:] if found.is_finished], f"the end of run {run}")[0]


def test_one_import_is_done_by_two_workers_that_share_no_disk(ready: Cluster, tmp_path: Path) -> None:
    running = ready
    running.start_run("import_clever", "lincoln", {"ops": {"clever__upload": {"config": {"landing": True}}}})
    run = ended(running, 0)
    workers = running.steps_of(run.run_id)
    (row,) = running.workspace.warehouse.ledger.imports()
    made = running.materialized(run.run_id)

    assert (run.status.value, row["status"], row["run_id"]) == ("SUCCESS", "published", run.run_id)
    assert set(workers.values()) == {"celery@east", "celery@west"}
    assert {"clever__students", "clever__mapped", "clever__planned", "clever__published", "clever__reported"} <= set(workers)
    assert history(running.workspace) == imported_alone(tmp_path / "upload", tmp_path / "alone")
    assert made["roster/users"].metadata["import"].value == made["warehouse/users"].metadata["import"].value == "1"
    for host in running.workers:  # what rests, rests in bucket and database
        kept = {name.partition("/")[0] for name in host.files() if not name.startswith("staging/scratch/")}
        assert kept <= {"dagster.yaml", "reports"}
        assert [name for name in host.files() if name.endswith(".lock")] == []
    assert not (running.control.home / "archive").exists()
    assert SECRET not in "".join(host.log for host in (running.control, *running.workers))


@LONG
def test_a_worker_that_dies_in_a_step_fails_the_run_and_a_rerun_publishes(running: Cluster, tmp_path: Path) -> None:
    first = running.wait(running.runs, "a run")[0]
    done = running.wait(lambda: dict(steps) if len(steps := running.steps_of(first.run_id)) > 3 else None, "some steps")
    victim = next(host for host in running.workers if done[list(done)[-1]] == f"celery@{host.name}")
    victim.kill()
    failed = ended(running, 0)
    half = history(running.workspace)
    again = ended(running, 1)  # the daemon tries a run once more that lost a process: from the step that failed

    assert (failed.status.value, half) == ("FAILURE", {})
    assert f"the worker celery@{victim.name} took this step and no longer responds" in running.errors(failed.run_id)
    assert (again.status.value, running.statuses()) == ("SUCCESS", ["published"])
    assert f"celery@{victim.name}" not in running.steps_of(again.run_id).values()
    assert not set(done) <= set(running.steps_of(again.run_id))
    assert history(running.workspace) == imported_alone(tmp_path / "upload", tmp_path / "alone")


@LONG
def test_the_next_upload_follows_in_order_when_a_worker_has_come_back(running: Cluster, bucket: str, tmp_path: Path) -> None:
    ended(running, 0)
    running.workers[0].kill()
    write_next_day(vendor("clever"), tmp_path / "upload", tmp_path / "next", seed=4)
    upload(bucket, tmp_path / "next")
    running.start_worker("north")
    second = ended(running, 1)

    assert (second.status.value, running.statuses()) == ("SUCCESS", ["published", "published"])
    assert "celery@east" not in running.steps_of(second.run_id).values()
    assert history(running.workspace) == imported_alone(tmp_path / "upload", tmp_path / "alone", tmp_path / "next")


@LONG
def test_the_process_that_hands_out_steps_may_die_too(running: Cluster) -> None:
    first = running.wait(running.runs, "a run")[0]
    running.wait(lambda: len(running.steps_of(first.run_id)) > 2, "some steps")
    running.kill_process_of(first.run_id)  # steps that were begun end; nobody hands out more
    lost = ended(running, 0)
    again = ended(running, 1)

    assert (lost.status.value, again.status.value) == ("FAILURE", "SUCCESS")
    assert running.statuses() == ["published"]
