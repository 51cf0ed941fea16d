"""Many districts at once: which are taken, what becomes of each, and that none hinders another. Real runs, in processes of their own."""

from __future__ import annotations

import shutil
from pathlib import Path

import dagster as dg
import pytest

from roster_etl.orchestration.jobs.backfill import backfill_feed, backfill_feeds, count_by_status, select_feeds
from roster_etl.orchestration.jobs.in_process_runs import home_instance, upload_config
from roster_etl.pipeline import import_upload
from roster_etl.pipeline.uploads.archived_uploads import OlderUpload
from roster_etl.pipeline.uploads.order import Order
from tests.orchestration.conftest import Home, register, without_half_of_the_students


def test_the_run_config_of_an_older_upload_needs_rollback_and_is_then_held(published: Home, halved: Path) -> None:
    second = published.run(halved, options={"delete_threshold_pct": "100"})

    with pytest.raises(OlderUpload):
        published.run(None, archived=1)
    third = published.run(None, archived=1, rollback=True)

    assert (published.status(second), published.status(third)) == ("published", "held")
    run = published.newest_run()
    assert (run.status, run.tags["import_status"]) == (dg.DagsterRunStatus.FAILURE, "held")
    order = Order(district_id="lincoln", source="clever", archived=1, rollback=True)
    assert upload_config(order)["ops"]["clever__upload"]["config"] == {"archived": 1, "rollback": True}


def test_districts_run_side_by_side_and_a_bad_one_hinders_no_other(published: Home, sample: Path, tmp_path: Path) -> None:
    landing = tmp_path / "landing"
    for district in ("adams", "grant", "monroe"):
        shutil.copytree(sample, landing / district)
        register(published.workspace, district, path=str(landing / district))
    (landing / "grant" / "schools.csv").unlink()
    register(published.workspace, "nobody")
    published.workspace.registry.pause("monroe")

    filled = backfill_feeds(published.path, select_feeds(published.workspace), max_concurrent=2)

    assert {one.district_id: one.status for one in filled} == {
        "adams": "published",
        "grant": "rejected",
        "lincoln": "unchanged",
        "monroe": "paused",
        "nobody": "nothing",
    }
    assert count_by_status(filled) == {"nothing": 1, "paused": 1, "published": 1, "rejected": 1, "unchanged": 1}
    with home_instance(published.path) as instance:
        assert {run.tags["district"] for run in instance.get_runs()} == {"adams", "grant", "lincoln"}


def test_only_those_that_failed_are_chosen_and_then_succeed(published: Home, upload: Path, monkeypatch) -> None:
    register(published.workspace, "adams", path=str(upload))
    without_half_of_the_students(upload)

    def breaks(*_: object) -> None:
        raise OSError("the disk is full")

    with monkeypatch.context() as broken:
        broken.setattr("roster_etl.orchestration.assets.warehouse_assets.publish_import", breaks)
        filled = backfill_feed(published.path, ("adams", "clever"))
    assert (filled.status, filled.import_id, filled.code) == ("failed", 2, "failed")
    assert "disk" not in (filled.message or "")

    feeds = select_feeds(published.workspace, failed=True)

    assert feeds == (("adams", "clever"),)
    assert [one.status for one in backfill_feeds(published.path, feeds)] == ["published"]
    assert select_feeds(published.workspace, failed=True) == ()


def test_an_import_whose_process_is_gone_has_failed(published: Home, sample: Path, monkeypatch) -> None:
    class Killed(BaseException):
        """Ends a process where it stands."""

    def killed(*_: object) -> None:
        raise Killed

    register(published.workspace, "adams")
    monkeypatch.setattr(import_upload, "run_steps", killed)
    with pytest.raises(Killed):
        import_upload.import_upload(published.workspace, Order(district_id="adams", source="clever", path=str(sample)))

    assert select_feeds(published.workspace, failed=True) == (("adams", "clever"),)
