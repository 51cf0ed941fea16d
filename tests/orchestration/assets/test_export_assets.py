"""Exports in Dagster: the asset of a destination, the job that sends to several, and what both show."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from roster_etl.orchestration.assets.export_assets import check_results, export_asset, export_key
from roster_etl.orchestration.jobs.build import build_definitions, checks
from roster_etl.orchestration.jobs.in_process_runs import home_instance
from roster_etl.orchestration.jobs.send_rosters import send_rosters, send_run_config
from roster_etl.orchestration.runtime.current_home import use_home
from roster_etl.orchestration.runtime.partitions import add_partitions
from roster_etl.store.registry.district import Destination
from roster_etl.vendors import vendor
from tests.orchestration.conftest import Home, without_half_of_the_students

LMS = export_key("lms")


def add(home: Home, name: str, to: Path, **more: Any) -> None:
    more.setdefault("options", {"user_ids": "kinded"})
    home.workspace.registry.add_destination("lincoln", Destination(name=name, format="oneroster", to=str(to), **more))


@pytest.fixture(scope="module")
def definitions() -> dg.Definitions:
    vendors = (vendor("clever"),)
    return build_definitions(vendors, checks(vendors), [], exports=[export_asset("lms", vendors)])


def materialize(home: Home, definitions: dg.Definitions, district: str = "lincoln") -> dg.ExecuteInProcessResult:
    with use_home(home.path), home_instance(home.path) as instance:
        add_partitions(instance, district)
        job = definitions.resolve_implicit_global_asset_job_def()
        return job.execute_in_process(partition_key=district, asset_selection=[LMS], instance=instance, raise_on_error=False)


def send(home: Home, *names: str) -> dg.ExecuteInProcessResult:
    with use_home(home.path), home_instance(home.path) as instance:
        config = send_run_config("lincoln", list(names))
        return send_rosters.execute_in_process(run_config=config, instance=instance, raise_on_error=False)


def passed(home: Home, key: str = "export/lms") -> dict[str, bool]:
    return {name: check.passed for (asset, name), check in home.checks().items() if asset == key}


def test_the_asset_sends_the_roster_and_an_unchanged_one_only_once(published: Home, definitions, tmp_path: Path):
    add(published, "lms", tmp_path / "out")

    assert materialize(published, definitions).success
    first = published.materialized()["export/lms"]
    assert (tmp_path / "out" / "manifest.csv").is_file()
    assert (first.partition, first.metadata["status"].value, first.metadata["as of import"].value) == ("lincoln", "written", 1)
    assert passed(published) == {"sent": True, "read_back": True, "shrink": True}

    assert materialize(published, definitions).success
    again = published.materialized()["export/lms"]
    assert again.metadata["status"].value == "unchanged"
    assert again.tags["dagster/data_version"] == first.tags["dagster/data_version"]
    assert published.newest_run().tags["export_status"] == "unchanged"
    assert [row["requested_by"] != "" for row in published.workspace.warehouse.ledger.exports("lincoln")] == [True]


def test_a_district_without_the_destination_has_nothing_to_send(published: Home, definitions):
    assert materialize(published, definitions).success
    assert published.materialized() == {}
    assert passed(published) == {}


def test_a_refused_export_fails_its_checks_and_its_run_and_no_import(published: Home, definitions, upload: Path, tmp_path: Path):
    add(published, "lms", tmp_path / "out")
    assert materialize(published, definitions).success
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    half = without_half_of_the_students(upload)
    number = published.run(half, options={"delete_threshold_pct": "100", "update_threshold_pct": "100"})

    result = materialize(published, definitions)

    assert (result.success, published.status(number)) == (False, "published")
    assert passed(published) == {"sent": False, "read_back": True, "shrink": False}
    (shown,) = {check.metadata["code"].value for check in published.checks().values() if not check.passed}
    assert shown == "shrunk"
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before
    assert published.newest_run().tags["export_status"] == "refused"


def test_one_destination_that_fails_does_not_keep_the_others(published: Home, tmp_path: Path):
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "thesis.txt").write_text("mine")
    add(published, "first", tmp_path / "taken")
    add(published, "second", tmp_path / "out")
    add(published, "third", tmp_path / "strict", strict=True)

    result = send(published, "first", "second", "third", "gone")

    assert not result.success
    assert set(published.materialized()) == {"export/second"}
    assert published.materialized()["export/second"].partition == "lincoln"
    assert passed(published, "export/second") == {"sent": True, "read_back": True, "shrink": True}
    assert passed(published, "export/third") == {"sent": False}
    assert published.newest_run().tags["export_status"] == "failed, refused, written"
    assert not (tmp_path / "strict").exists()


def test_what_stopped_an_export_before_it_began_is_told_once_a_day(published: Home, tmp_path: Path, monkeypatch):
    told: list[tuple[str, str]] = []

    def note(_workspace: object, _what: str, *, about: str, text: str, **_more: object) -> None:
        told.append((about, text))

    monkeypatch.setattr("roster_etl.pipeline.exports.destinations.queue_alert", note)
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "thesis.txt").write_text("mine")
    add(published, "lms", tmp_path / "taken")

    send(published, "lms")
    send(published, "lms")

    assert len({about for about, _ in told}) == 1
    assert "was not sent to lms" in told[0][1]


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("", {"sent": True, "read_back": True, "shrink": True}),
        ("shrunk", {"sent": False, "read_back": True, "shrink": False}),
        ("read_back_failed", {"sent": False, "read_back": False}),
        ("id_clash", {"sent": False}),
    ],
)
def test_a_check_that_was_not_reached_has_no_result(code, expected):
    document = {"status": "refused" if code else "written", "error": {"code": code, "message": ""}}

    assert check_results(document) == expected
