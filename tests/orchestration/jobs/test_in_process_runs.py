"""Runs in this process: how each kind of import ends, what its run shows, and how it goes on after a failure."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path

import dagster as dg
import pytest
import yaml
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.definitions.reconstruct import ReconstructableRepository
from dagster._core.execution.api import execute_run_iterator
from dagster._core.storage.partition_status_cache import AssetPartitionStatus

from roster_etl.orchestration.assets import run_resources, vendor_assets, warehouse_assets
from roster_etl.orchestration.assets.asset_keys import STAGES, vendor_key
from roster_etl.orchestration.assets.import_selections import vendor_keys
from roster_etl.orchestration.definitions import FRESHNESS_CHECK_KEYS, defs
from roster_etl.orchestration.jobs.build import job_name
from roster_etl.orchestration.jobs.in_process_runs import (
    LOCATION_VARIABLE,
    MODULE,
    PasswordInPath,
    home_instance,
    run_import,
)
from roster_etl.orchestration.runtime.current_home import use_home
from roster_etl.orchestration.runtime.home_config import ensure_config
from roster_etl.orchestration.runtime.partitions import (
    DISTRICTS,
    add_partitions,
    feed_partitions,
    feed_set_name,
    read_partitions,
    sync_partitions,
)
from roster_etl.pipeline.uploads.order import Order
from roster_etl.pipeline.workspace import Workspace
from roster_etl.spec.errors import UnknownDistrict
from roster_etl.store.fault_injection import InjectedFault
from roster_etl.store.registry.registry import District, Feed
from tests.csv_files import rewrite
from tests.orchestration.conftest import Home, register, selected

PERSON = "Jane " + "Sample"
SUCCESS, FAILURE = dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE


def again(home: Home, run_id: str, *, from_failure: bool) -> dg.DagsterRun:
    """Run the job of `run_id` again, as the UI does: with the tags and the config of the first run."""
    job = ReconstructableRepository.for_module(MODULE, "defs").get_reconstructable_job(job_name("clever"))
    with use_home(home.path), home_instance(home.path) as instance:
        first = instance.get_run_by_id(run_id)
        assert first is not None
        options = dg.ReexecutionOptions.from_failure(run_id, instance) if from_failure else dg.ReexecutionOptions(run_id)
        done = dg.execute_job(job, instance, run_config=first.run_config, tags=first.tags, reexecution_options=options)
        return done.dagster_run if hasattr(done, "dagster_run") else instance.get_runs(limit=1)[0]


# ── published ──


def test_an_import_publishes_and_its_run_says_so(published: Home):
    run = published.newest_run()

    assert published.status(1) == "published"
    assert run.status is SUCCESS
    row = published.workspace.warehouse.ledger.import_(1)
    assert row["run_id"] == run.run_id
    wanted = {
        "district": "lincoln",
        "format": "clever",
        "import_id": "1",
        "import_status": "published",
        ".dagster/upload_id": row["upload_id"],
    }
    assert wanted.items() <= run.tags.items()


def test_a_run_materializes_all_that_its_format_fills_with_numbers(published: Home):
    made = published.materialized()
    students = {name: value.value for name, value in made["clever/students"].metadata.items()}

    assert set(made) == {key.to_user_string() for key in selected("clever")}
    assert students["rows_read"] == students["rows_accepted"] + students["rows_rejected"] > 0
    assert students["dagster/partition_row_count"] > 0
    assert "dagster/row_count" not in students
    users = {name: value.value for name, value in made["warehouse/users"].metadata.items()}
    assert users["removed"] == 0
    assert users["created"] == users["dagster/partition_row_count"] > 40
    assert {event.partition for event in made.values()} == {"lincoln"}


def test_a_published_table_leads_back_to_its_upload_and_says_how_to_trace(published: Home):
    users = {name: value.value for name, value in published.materialized()["warehouse/users"].metadata.items()}
    row = published.workspace.warehouse.ledger.import_(1)

    assert (users["import"], users["upload"], users["active_overrides"]) == ("1", row["upload_id"], "none")
    assert "| [students.csv](/assets/clever/students?view=partitions&partition=lincoln) |" in users["source_files"]
    assert "enrollments.csv" not in users["source_files"]
    assert "roster-etl trace users user_kind=… user_id=… --district lincoln --format clever" in users["cli_commands"]
    (moment,) = re.findall(r"roster-etl as-of (\S+) users --district lincoln --format clever", users["cli_commands"])
    assert (
        published.workspace.warehouse.roster.as_of(datetime.fromisoformat(moment), "users", "lincoln", "clever").num_rows
        == users["created"]
    )


def test_the_plan_shows_what_would_change_by_table_and_by_school(published: Home):
    plan = {name: value.value for name, value in published.materialized()["roster/plan"].metadata.items()}

    assert plan["plan_sha256"] == published.workspace.warehouse.ledger.import_(1)["summary"]["sha256"]
    assert re.search(r"^\| users \| 0 \| \d+ \| 0 \| 0 \|  \|$", plan["changes_by_table"].replace("\\_", "_"), re.MULTILINE)
    assert re.search(r"^\| \d+ \| enrollments \| 0 \| \d+ \| 0 \| 0 \|$", plan["changes_by_school"], re.MULTILINE)


def test_the_uploads_hash_is_the_data_version(published: Home):
    students = published.materialized()["clever/students"]
    (file,) = [file for file in published.workspace.warehouse.ledger.files(1) if file["kind"] == "students"]

    assert students.tags is not None
    assert students.tags["dagster/data_version"] == file["sha256"]


def test_every_check_is_evaluated_and_passes(published: Home):
    checks = published.checks()

    asked = set(defs.resolve_asset_graph().get_check_keys_for_assets(selected("clever"))) - set(FRESHNESS_CHECK_KEYS)
    assert len(checks) == len(asked)  # nobody waits for this feed, so it is not said whether it is late
    assert all(check.passed for check in checks.values())


def test_the_report_lies_in_the_home(published: Home):
    report = Path(str(published.materialized()["report"].metadata["path"].value))

    assert report.relative_to(report.parents[2]) == Path("reports/lincoln/1.html")
    assert (published.path / "reports/lincoln/1.json").stat().st_mode & 0o077 == 0


def test_frames_rest_privately(published: Home):
    files = [file for file in (published.path / "staging").rglob("*") if file.is_file()]

    assert files
    assert all(file.stat().st_mode & 0o077 == 0 for file in files)


def test_no_cell_is_kept_by_dagster(published: Home, sample: Path):
    rows = (sample / "students.csv").read_text("utf-8").splitlines()[1:]
    cells = {cell for row in rows for cell in row.split(",") if "@" in cell or cell.startswith("Sample")}
    kept = b"".join(file.read_bytes() for name in ("history", "storage", "schedules") for file in _files(published.path / name))

    assert cells
    assert not [cell for cell in cells if cell.encode() in kept]


def _files(folder: Path) -> list[Path]:
    return [file for file in folder.rglob("*") if file.is_file()]


# ── unchanged ──


def test_the_same_upload_again_is_unchanged_and_the_rest_is_skipped(published: Home, sample: Path):
    second = published.run(sample)

    assert published.status(second) == "unchanged"
    run = published.newest_run()
    assert (run.status, run.tags["import_status"]) == (SUCCESS, "unchanged")
    assert set(published.materialized()) == {"report"}


def test_a_home_of_an_earlier_version_keeps_its_statuses_and_the_next_upload_adds_the_new_assets(
    published: Home, sample: Path, halved: Path
):
    published.run(halved)
    own, stages = feed_partitions("clever"), [vendor_key("clever", stage) for stage in STAGES]
    with home_instance(published.path) as instance:
        instance.wipe_assets(stages)
        instance.delete_dynamic_partition(feed_set_name("clever"), "lincoln")
        sync_partitions(instance, read_partitions(instance), published.workspace.registry.scan())
    published.run(sample)

    with home_instance(published.path) as instance:
        status = lambda key, of: (instance.get_status_by_partition(key, ["lincoln"], of) or {})["lincoln"]  # noqa: E731
        files = [key for key in vendor_keys("clever", "") if key not in stages]
        assert {status(key, own) for key in [*files, *stages]} == {AssetPartitionStatus.MATERIALIZED}
        assert status(dg.AssetKey(["roster", "users"]), DISTRICTS) is AssetPartitionStatus.MATERIALIZED
        assert status(dg.AssetKey(["warehouse", "users"]), DISTRICTS) is AssetPartitionStatus.FAILED  # held, and not decided
    assert {key.to_user_string() for key in stages} <= set(published.materialized())


def test_a_held_import_is_failed_in_both_sets(published: Home, halved: Path):
    published.run(halved)

    with home_instance(published.path) as instance:
        status = lambda key, of: (instance.get_status_by_partition(dg.AssetKey(key), ["lincoln"], of) or {})["lincoln"]  # noqa: E731
        assert status(["clever", "planned"], feed_partitions("clever")) is AssetPartitionStatus.FAILED
        assert status(["warehouse", "users"], DISTRICTS) is AssetPartitionStatus.FAILED
        assert status(["roster", "plan"], DISTRICTS) is AssetPartitionStatus.MATERIALIZED


def test_a_backfill_of_what_is_unchanged_counts_as_materialized(published: Home):
    with use_home(published.path), home_instance(published.path) as instance:
        done = defs.resolve_job_def(job_name("clever")).execute_in_process(
            instance=instance, partition_key="lincoln", tags={"dagster/backfill": "b"}
        )

    assert done.success
    assert set(published.materialized()) == {key.to_user_string() for key in selected("clever")}


def test_without_a_named_upload_the_newest_archived_one_is_taken(published: Home):
    with use_home(published.path), home_instance(published.path) as instance:
        defs.resolve_job_def(job_name("clever")).execute_in_process(instance=instance, partition_key="lincoln")

    assert published.status(2) == "unchanged"
    assert any("import 1 once more" in (event.user_message or "") for event in published.events())


def test_materializing_fails_where_the_landing_zone_cannot_be_read(published: Home, tmp_path: Path):
    published.workspace.registry.add_feed("lincoln", Feed(format="clever", path=str(tmp_path / "gone")), update=True)
    with use_home(published.path), home_instance(published.path) as instance:
        done = defs.resolve_job_def(job_name("clever")).execute_in_process(
            instance=instance, partition_key="lincoln", raise_on_error=False
        )

    assert not done.success
    assert published.newest_run().tags["import_status"] == "failed"
    assert len(published.workspace.warehouse.ledger.imports()) == 1


def test_a_changed_setting_makes_the_same_upload_a_new_import(published: Home, sample: Path):
    changed = published.run(sample, options={"delete_threshold_pct": "20"})

    assert published.status(changed) == "published"


def test_an_upload_says_where_it_was_taken_from(published: Home):
    published.run(None, archived=1, options={"delete_threshold_pct": "20"})

    taken = published.materialized()["clever/upload"].metadata["upload_source"].value
    assert taken == "the archived upload of import 1 again, as the run config says"


# ── held and rejected ──


def test_too_many_removals_hold_the_import_and_turn_the_run_red(published: Home, halved: Path):
    held = published.run(halved)
    run = published.newest_run()

    assert published.status(held) == "held"
    assert (run.status, run.tags["import_status"]) == (FAILURE, "held")
    assert not published.checks()["roster/plan", "publishable"].passed
    assert {"roster/plan", "report"} <= set(published.materialized())
    assert "warehouse/users" not in published.materialized()
    assert (published.path / f"reports/lincoln/{held}.html").exists()


def test_a_held_run_is_not_tried_again_and_says_what_to_do(published: Home, halved: Path):
    held = published.run(halved)

    (failure,) = [
        e.dagster_event.step_failure_data for e in published.events() if e.dagster_event and e.dagster_event.is_step_failure
    ]
    assert failure.user_failure_data is not None
    assert f"roster-etl holds show {held}" in str(failure.user_failure_data.description)


def test_an_approved_plan_is_published_under_its_own_number(published: Home, halved: Path):
    held = published.run(halved)
    plan = published.workspace.warehouse.ledger.hold(held)["plan_sha256"]
    done = published.run(None, approves=(held, plan, "Pat Sample"))

    assert done == held
    assert published.status(held) == "published"


def test_going_on_from_a_hold_publishes_nothing_and_holds_the_upload_again(published: Home, halved: Path):
    held = published.run(halved)
    run = again(published, published.newest_run().run_id, from_failure=True)

    assert run.status is FAILURE
    assert published.status(held + 1) == "held"
    assert published.workspace.warehouse.roster.base("lincoln", "clever") == 1


def test_a_missing_required_file_rejects_at_the_door(fresh: Home, upload: Path):
    (upload / "sections.csv").unlink()
    rejected = fresh.run(upload)
    run = fresh.newest_run()

    assert fresh.status(rejected) == "rejected"
    assert (run.status, run.tags["import_status"]) == (FAILURE, "rejected")
    assert set(fresh.materialized()) == {"report"}


def test_a_refused_required_file_rejects_after_it_was_judged(fresh: Home, upload: Path):
    (upload / "sections.csv").write_bytes(b"\xff\xfe\x00")
    rejected = fresh.run(upload)

    assert fresh.status(rejected) == "rejected"
    assert not fresh.checks()["clever/sections", "suite"].passed


def test_a_warning_shows_and_lets_pass(fresh: Home, upload: Path):
    rewrite(upload / "students.csv", lambda rows: [_bad_date(row) for row in rows])
    done = fresh.run(upload)

    checks = fresh.checks()
    assert fresh.status(done) == "published"
    assert checks["clever/students", "suite"].passed
    assert not checks["clever/students", "tolerances"].passed
    assert checks["clever/students", "tolerances"].severity is dg.AssetCheckSeverity.WARN


def _bad_date(row: dict[str, str]) -> dict[str, str]:
    return {name: "31/31/1999" if name.casefold() == "dob" else value for name, value in row.items()}


# ── failed, and going on ──


def test_a_step_that_breaks_ends_the_import_as_failed_and_shows_no_foreign_text(published: Home, upload: Path, monkeypatch):
    _change_a_name(upload)
    monkeypatch.setattr(warehouse_assets, "publish_import", _breaks)
    with pytest.raises(RuntimeError):
        published.run(upload)
    run = published.newest_run()

    assert published.status(2) == "failed"
    assert (run.status, run.tags["import_status"]) == (FAILURE, "failed")
    assert not [event for event in published.events() if PERSON in repr(event)]


def _breaks(*_: object) -> None:
    raise RuntimeError(f"row of {PERSON}")


def _change_a_name(upload: Path) -> None:
    rewrite(upload / "teachers.csv", lambda rows: [{**rows[0], "Last_name": "Changed"}, *rows[1:]])


def test_a_frame_of_the_wrong_shape_ends_the_import_as_failed(fresh: Home, sample: Path, monkeypatch):
    judge = vendor_assets.validate_member
    monkeypatch.setattr(vendor_assets, "validate_member", lambda *given: judge(*given).drop_columns("_row"))
    done = fresh.run(sample)

    assert fresh.status(done) == "failed"
    assert fresh.workspace.warehouse.ledger.import_(done)["summary"]["error"]["code"] == "run_broken"
    assert fresh.newest_run().tags["import_status"] == "failed"


def test_going_on_from_the_failed_step_keeps_the_import(published: Home, upload: Path, monkeypatch):
    _change_a_name(upload)
    with monkeypatch.context() as broken:
        broken.setattr(warehouse_assets, "publish_import", _breaks)
        with pytest.raises(RuntimeError):
            published.run(upload)
    run = again(published, published.newest_run().run_id, from_failure=True)

    assert run.status is SUCCESS
    assert published.status(2) == "published"
    assert published.workspace.warehouse.ledger.import_(2)["run_id"] == run.run_id
    assert len(published.workspace.warehouse.ledger.imports()) == 2
    assert "clever/students" not in published.materialized(run.run_id)


def test_starting_over_opens_a_new_import(published: Home, upload: Path, monkeypatch):
    _change_a_name(upload)
    with monkeypatch.context() as broken:
        broken.setattr(warehouse_assets, "publish_import", _breaks)
        with pytest.raises(RuntimeError):
            published.run(upload)
    run = again(published, published.newest_run().run_id, from_failure=False)

    assert run.status is SUCCESS
    assert [published.status(number) for number in (2, 3)] == ["failed", "published"]


def test_what_fails_before_an_import_began_is_raised(fresh: Home, tmp_path: Path):
    with pytest.raises(UnknownDistrict):
        run_import(fresh.path, Order(district_id="nowhere", source="clever", path=str(tmp_path)))
    assert fresh.newest_run().status is FAILURE


def test_a_district_without_the_feed_cannot_be_chosen_and_a_queued_run_of_it_ends_at_once_and_well(fresh: Home):
    fresh.workspace.registry.add(District(id="monroe", feeds=(Feed(format="oneroster"),)))
    job = defs.resolve_job_def(job_name("clever"))
    with use_home(fresh.path), home_instance(fresh.path) as instance:
        add_partitions(instance, "monroe")
        with pytest.raises(dg.DagsterUnknownPartitionError):
            job.execute_in_process(instance=instance, partition_key="monroe")
        add_partitions(instance, "monroe", "clever")  # it had the feed when the run was queued
        run = instance.create_run_for_job(job, tags={"dagster/partition": "monroe"})
        sync_partitions(instance, read_partitions(instance), fresh.workspace.registry.scan())
        assert not instance.has_dynamic_partition(feed_set_name("clever"), "monroe")
        ended = [event.event_type_value for event in execute_run_iterator(InMemoryJob(job), run, instance)][-1]

    assert ended == "PIPELINE_SUCCESS"
    assert fresh.materialized() == {}
    assert any("no feed in format clever" in (event.user_message or "") for event in fresh.events())


# ── homes ──


def test_homes_do_not_mix(fresh: Home, sample: Path, tmp_path: Path):
    other = Workspace.open(tmp_path / "other")
    register(other, "monroe")
    run_import(other.home, Order(district_id="monroe", source="clever", path=str(sample)))
    fresh.run(sample)

    assert [row["district_id"] for row in other.warehouse.ledger.imports()] == ["monroe"]
    assert [row["district_id"] for row in fresh.workspace.warehouse.ledger.imports()] == ["lincoln"]


def test_a_home_without_dagsters_settings_gets_the_packages(tmp_path: Path, root: Path):
    path = ensure_config(tmp_path / "home")

    assert yaml.safe_load(path.read_text()) == yaml.safe_load((root / "dagster_home" / "dagster.yaml").read_text())
    assert path.stat().st_mode & 0o777 == 0o600
    path.write_text("telemetry: {enabled: false}\n")
    assert ensure_config(tmp_path / "home").read_text() == "telemetry: {enabled: false}\n"


def test_a_password_in_a_path_is_refused_before_a_run_could_keep_it(fresh: Home):
    with pytest.raises(PasswordInPath):
        run_import(fresh.path, Order(district_id="lincoln", source="clever", path="sftp://lincoln:open-sesame@127.0.0.1/up"))


def test_a_run_can_be_started_again_from_the_ui(published: Home):
    origin = published.newest_run().remote_job_origin

    assert origin is not None
    assert origin.job_name == "import_clever"
    assert origin.repository_origin.code_location_origin.location_name == "roster_etl"


def test_a_run_names_the_code_location_of_a_deployment_that_calls_it_otherwise(published: Home, sample: Path, monkeypatch):
    monkeypatch.setenv(LOCATION_VARIABLE, "district-data")
    published.run(sample)
    origin = published.newest_run().remote_job_origin

    assert origin is not None
    assert origin.repository_origin.code_location_origin.location_name == "district-data"


def test_an_error_in_receiving_ends_the_run_as_failed(fresh: Home, sample: Path, monkeypatch):
    monkeypatch.setattr(run_resources, "receive_upload", _breaks)
    with pytest.raises(RuntimeError):
        fresh.run(sample)

    assert fresh.newest_run().tags["import_status"] == "failed"


@pytest.mark.parametrize("fault", ["frames.write:raise", "frames.written:raise:15"], ids=["the first", "the last"])
def test_a_frame_that_cannot_be_written_behind_ends_the_import_in_the_next_step(
    published: Home, upload: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    """Frames are written by a thread: a failure there comes up where the next frame is handed on, before anything is published."""
    rewrite(upload / "teachers.csv", lambda rows: [{**rows[0], "Last_name": "Changed"}, *rows[1:]])
    monkeypatch.setenv("ROSTER_ETL_FAIL_AT", fault)
    with pytest.raises(InjectedFault):
        published.run(upload)
    monkeypatch.delenv("ROSTER_ETL_FAIL_AT")

    row = published.workspace.warehouse.ledger.imports("lincoln", limit=1)[0]
    assert (row["status"], row["summary"]["error"]["code"]) == ("failed", "injected_fault")
    assert published.workspace.warehouse.roster.base("lincoln", "clever") == 1
    assert published.status(published.run(upload)) == "published"
