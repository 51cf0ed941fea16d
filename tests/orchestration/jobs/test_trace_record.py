"""The job that says why records are gone: by imports, files and rows, with no id typed or shown."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest

from roster_etl.orchestration.definitions import defs
from roster_etl.orchestration.jobs.in_process_runs import home_instance
from roster_etl.orchestration.jobs.trace_record import TRACE_RECORD, OtherDistrict
from roster_etl.orchestration.runtime.current_home import use_home
from roster_etl.pipeline.lineage.trace import UnknownRecord
from tests.orchestration.conftest import Home


@pytest.fixture
def gone(published: Home, halved: Path) -> Home:
    """A home in which import 2 removed half of the students of import 1."""
    assert published.status(published.run(halved, options={"delete_threshold_pct": "100"})) == "published"
    return published


def trace(home: Home, **config: Any) -> tuple[dict[str, Any], str]:
    """Run the job as the form does, and return the metadata of its answer, or its error's code."""
    with use_home(home.path), home_instance(home.path) as instance:
        done = defs.resolve_job_def(TRACE_RECORD).execute_in_process(
            instance=instance,
            run_config={"ops": {"trace_one_record": {"config": {"district_id": "lincoln", **config}}}},
            raise_on_error=False,
        )
    if not done.success:
        failure = done.get_step_failure_events()[0].step_failure_data.user_failure_data
        assert failure is not None
        return {}, str(failure.metadata["code"].value)
    (output,) = [event for event in done.all_node_events if event.is_successful_output]
    return {name: value.value for name, value in output.step_output_data.metadata.items()}, ""


def test_it_lists_what_an_import_removed_by_reason_and_place(gone: Home) -> None:
    found, _ = trace(gone, import_id=2)

    assert found["gone"] == found["gone: absent"] == 20
    assert found["records"].count("students.csv row") == 20
    assert trace(gone, import_id=1)[0]["gone"] == 0


def test_a_row_leads_to_the_history_of_its_record(gone: Home, sample: Path) -> None:
    listed, _ = trace(gone, import_id=2)
    row = int(listed["records"].splitlines()[2].split("row ")[1].split(" ")[0])
    found, _ = trace(gone, import_id=1, file="students.csv", row=row)

    assert found["answer"] == "closed by import 2: absent"
    assert f"students.csv row {row}" in found["versions"]
    assert f"/runs/{gone.workspace.warehouse.ledger.import_(1)['run_id']}" in found["versions"]


def test_who_approved_a_removal_is_named(published: Home, halved: Path) -> None:
    held = published.run(halved)
    plan = published.workspace.warehouse.ledger.hold(held)["plan_sha256"]
    published.run(None, approves=(held, plan, "Pat Sample"))
    listed, _ = trace(published, import_id=held)
    row = int(listed["records"].splitlines()[2].split("row ")[1].split(" ")[0])
    found, _ = trace(published, import_id=1, file="students.csv", row=row)

    assert found["answer"] == f"closed by import {held}: absent, decided by Pat Sample"


def test_no_id_and_no_name_of_anybody_is_kept_by_dagster(gone: Home, sample: Path) -> None:
    texts = [str(trace(gone, import_id=2)[0]), str(trace(gone, import_id=1, file="students.csv", row=2)[0])]
    with (sample / "students.csv").open(newline="", encoding="utf-8") as file:
        values = {row[name] for row in csv.DictReader(file) for name in ("Student_id", "Last_name") if row[name]}

    assert not [value for value in values for text in texts if f" {value} " in text]


def test_what_cannot_be_answered_says_why(gone: Home) -> None:
    assert trace(gone, import_id=1, file="students.csv", row=4000)[1] == UnknownRecord.code
    assert trace(gone, import_id=1, district_id="monroe")[1] == OtherDistrict.code
    assert trace(gone, import_id=1, table="pupils")[1] == "unknown_table"
