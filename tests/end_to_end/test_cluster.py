"""Steps of one import on several hosts, which share a database, a bucket and a broker.

The short form, one import, runs with all tests. ``make cluster`` runs the rest, which kills workers.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from roster_etl.projections.samples import write_sample
from roster_etl.store.districts import District, Feed
from roster_etl.store.folder import Folder
from roster_etl.store.warehouse import Warehouse
from roster_etl.vendors import vendor
from tests.cluster import Cluster, redis_server

pytestmark = [pytest.mark.timeout(400), pytest.mark.e2e, pytest.mark.slow, pytest.mark.pg]
pytest.importorskip("dagster_celery")
QUICK = {"quiet_period": "1s", "min_interval": "0"}


@pytest.fixture
def cluster(
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


def test_one_import_is_done_by_two_workers_that_share_no_disk(cluster: Cluster, bucket: str, tmp_path: Path) -> None:
    write_sample(vendor("clever"), tmp_path / "upload", students=30, seed=3)
    cluster.workspace.registry.add(District(id="lincoln", feeds=(Feed(format="clever", options=QUICK),)))
    upload(bucket, tmp_path / "upload")
    for name in ("east", "west"):
        cluster.start_worker(name)
    cluster.start_daemon()
    cluster.wait(lambda: "published" in cluster.statuses() and cluster.runs()[0].is_finished, "the import")
    (run,) = cluster.runs()
    steps = cluster.steps_of(run.run_id)
    print(steps)
    assert run.is_success
