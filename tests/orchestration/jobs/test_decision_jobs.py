"""The jobs with which a person decides: what they do, what the assets show of it, and what they refuse."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml

from roster_etl.orchestration.definitions import defs
from roster_etl.orchestration.jobs.decision_jobs import DistrictBusy
from roster_etl.orchestration.jobs.in_process_runs import home_instance, run_decision, run_import
from roster_etl.pipeline.reporting.ui_links import APPROVE, DISCARD, STEP_BY_JOB, UNDO, config_yaml, launchpad_url
from roster_etl.pipeline.review.approve import ApprovalRequest, validate_approval
from roster_etl.pipeline.review.preview_approval import preview_approval
from roster_etl.spec.errors import RosterError
from tests.csv_files import rewrite
from tests.ledgers import in_transaction
from tests.orchestration.conftest import Home, without_half_of_the_students

NEW = "renamed-0001"


@pytest.fixture(scope="module")
def _held_home(_published_home: Path, sample: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("held")
    home = Home(shutil.copytree(_published_home, folder / "home"))
    upload = without_half_of_the_students(shutil.copytree(sample, folder / "upload"))
    assert home.status(home.run(upload)) == "held"
    home.workspace.warehouse.close()
    return home.path


@pytest.fixture
def held(_held_home: Path, tmp_path: Path) -> Home:
    """A home of one's own whose second import waits for a decision."""
    return Home(shutil.copytree(_held_home, tmp_path / "home"))


def plan(home: Home, import_id: int = 2) -> str:
    return str(home.workspace.warehouse.ledger.hold(import_id)["plan_sha256"])


def told(home: Home) -> list[tuple[str, str, str | None, str | None]]:
    """Return the lines of the audit: action, outcome, who, and the code of a refusal."""
    rows = home.workspace.warehouse.ledger.audit()
    assert {row["via"] for row in rows} == {"ui"}
    return [(row["action"], row["outcome"], row["who"], row["about"].get("code")) for row in rows]


def decide(home: Home, job: str, **config: Any) -> int:
    return run_decision(home.path, job, config)


def test_a_held_run_says_how_to_decide_in_config_that_the_jobs_take(held: Home) -> None:
    metadata = held.materialized()["roster/plan"].metadata
    failure = next(
        e.dagster_event.step_failure_data for e in held.events() if e.dagster_event and e.dagster_event.is_step_failure
    )

    text = str(metadata["how_to_decide"].value)
    for job in (APPROVE, DISCARD):
        config = next(block.split("```")[0] for block in text.split("```yaml\n")[1:] if f"  {STEP_BY_JOB[job]}:" in block)
        assert dg.validate_run_config(defs.resolve_job_def(job), yaml.safe_load(config))
    assert plan(held) in text
    assert metadata["approve"].value.startswith("/locations/roster_etl/jobs/approve_hold/playground/setup?config=")
    assert {"how_to_decide", "approve", "discard"} <= set(failure.user_failure_data.metadata)
    first, *steps = failure.error.message.splitlines()
    assert re.fullmatch(r"HELD: \d+ of \d+ users would be removed; \d more thresholds? (is|are) exceeded", first)
    assert steps[:3] == [
        "Review   roster-etl holds show 2",
        "Approve  roster-etl holds approve 2 --by NAME",
        "Discard  roster-etl holds discard 2 --by NAME",
    ]
    assert failure.error.stack == []


def test_approving_publishes_and_tells_the_assets_of_the_district(held: Home) -> None:
    assert decide(held, APPROVE, import_id=2, plan=plan(held)[:12], by="A. Steward") == 2

    made = held.materialized()
    users = made["warehouse/users"]
    run = held.newest_run()
    assert held.status(2) == "published"
    assert held.workspace.warehouse.ledger.hold(2)["decided_by"] == "A. Steward"
    assert (run.job_name, run.status) == (APPROVE, dg.DagsterRunStatus.SUCCESS)
    assert {name: run.tags[name] for name in ("dagster/partition", "district", "format", "import_id", "import_status")} == {
        "dagster/partition": "lincoln",
        "district": "lincoln",
        "format": "clever",
        "import_id": "2",
        "import_status": "published",
    }
    assert users.partition == "lincoln"
    assert users.metadata["import"].value == "2"
    assert users.metadata["dagster/partition_row_count"].value == held.workspace.warehouse.roster.count_current(
        "lincoln", "clever", "users"
    )
    assert held.checks()[("roster/plan", "publishable")].passed
    assert "report" in made


def test_approving_in_part_takes_the_plan_of_the_part(held: Home) -> None:
    with pytest.raises(RosterError, match="makes another plan"):
        decide(held, APPROVE, import_id=2, plan="", by="A", leave_out=["contacts"])
    with pytest.raises(RosterError, match="another plan"):
        decide(held, APPROVE, import_id=2, plan=plan(held), by="A", leave_out=["contacts"])

    assert held.status(2) == "held"


@pytest.mark.parametrize(
    ("config", "code"),
    [
        ({"import_id": 2, "plan": "0000", "by": "A"}, "bad_words"),
        ({"import_id": 2, "plan": "", "by": "A"}, "bad_words"),
        ({"import_id": 2, "plan": None, "by": " "}, "bad_words"),
        ({"import_id": 1, "plan": "0000", "by": "A"}, "no_open_hold"),
        ({"import_id": 99, "plan": "0000", "by": "A"}, "unknown_import"),
        ({"import_id": 2, "plan": None, "by": "A", "rename": ["s-1=s-2"]}, "bad_words"),
    ],
)
def test_what_the_command_line_refuses_is_refused(held: Home, config: dict[str, Any], code: str) -> None:
    if config["plan"] is None:
        config = {**config, "plan": plan(held)}
    with pytest.raises(RosterError) as refused:
        decide(held, APPROVE, **config)

    run = held.newest_run()
    failed = [
        e.dagster_event.step_failure_data for e in held.events(run.run_id) if e.dagster_event and e.dagster_event.is_step_failure
    ]
    assert refused.value.code == code
    assert run.status == dg.DagsterRunStatus.FAILURE
    assert refused.value.message in str(failed[0].error)
    assert held.status(2) == "held"
    assert told(held) == [("approve", "refused", config["by"].strip() or None, code)]


def test_discarding_leaves_the_roster_and_tags_the_run(held: Home) -> None:
    before = held.workspace.warehouse.roster.count_current("lincoln", "clever", "users")

    decide(held, DISCARD, import_id=2, by="A. Steward")

    assert held.status(2) == "discarded"
    assert held.newest_run().tags["import_status"] == "discarded"
    assert told(held) == [("discard", "done", "A. Steward", None)]
    assert held.workspace.warehouse.roster.count_current("lincoln", "clever", "users") == before


def renumbered(upload: Path) -> str:
    """Give a student of `upload` the id NEW, and return the one that it had."""
    found: list[str] = []

    def other(rows: list[dict[str, str]]) -> list[dict[str, str]]:
        found.append(rows[0]["Student_id"])
        return [{**row, "Student_id": NEW if row["Student_id"] == found[0] else row["Student_id"]} for row in rows]

    for name in ("students.csv", "enrollments.csv"):
        rewrite(upload / name, other)
    return found[0]


def test_no_run_keeps_the_ids_of_a_rename(published: Home, upload: Path) -> None:
    old = renumbered(upload)
    number = published.run(upload, options={"hold_renames": "true"})
    words = (f"{old}={NEW}",)
    shown = preview_approval(published.workspace, number, (), ("1",))["plan_sha256"]
    given = validate_approval(published.workspace, ApprovalRequest(import_id=number, by="A", plan=shown, renames=words))

    with pytest.raises(RosterError, match="never by ids"):
        run_import(published.path, replace(given.order(), renames=words))
    assert run_import(published.path, given.order()) == number

    with home_instance(published.path) as instance:
        runs = instance.get_runs()
        kept = [dg.serialize_value(run) + "".join(map(dg.serialize_value, instance.all_logs(run.run_id))) for run in runs]
    assert published.status(number) == "published"
    assert "'renames': ['1']" in str(runs[0].run_config)
    assert len(runs) == 3
    ids = (NEW, f"{old}=", f'"{old}', f"'{old}'")  # the old one is short: its digits alone stand in many a time
    assert not [run.run_id for run, text in zip(runs, kept, strict=True) if any(said in text for said in ids)]


@pytest.mark.parametrize("job", [DISCARD, UNDO])
def test_nothing_is_decided_beside_an_import_of_the_district(held: Home, job: str) -> None:
    workspace, feed = held.workspace, {"district_id": "lincoln", "source": "clever"}
    number = in_transaction(workspace.warehouse).open_import(kind="upload", **feed, started_at=datetime.now(UTC))
    workspace.import_locks.acquire(number)
    with pytest.raises(DistrictBusy, match=f"import {number} is running"):
        decide(held, job, import_id=2, by="A. Steward")
    assert (held.newest_run().tags["dagster/partition"], held.status(2)) == ("lincoln", "held")

    workspace.import_locks.release(number, ended=False)
    if job == DISCARD:  # nobody works on that import any more
        assert decide(held, job, import_id=2, by="A. Steward") == 2
    refused = (job.removesuffix("_hold").removesuffix("_import"), "refused", "A. Steward", "district_busy")
    assert told(held) == [refused, *([("discard", "done", "A. Steward", None)] if job == DISCARD else [])]


def test_an_undo_is_planned_shown_and_approved(held: Home) -> None:
    decide(held, APPROVE, import_id=2, plan=plan(held), by="A")

    number = decide(held, UNDO, import_id=2, by="A. Steward")
    run, metadata = held.newest_run(), held.materialized()["roster/plan"].metadata
    assert (run.status, run.tags["import_id"], run.tags["import_status"]) == (dg.DagsterRunStatus.SUCCESS, str(number), "held")
    assert plan(held, number) in str(metadata["how_to_decide"].value)
    assert metadata["created"].value > 0

    decide(held, APPROVE, import_id=number, plan=plan(held, number), by="A. Steward")
    users = held.materialized()["warehouse/users"]
    assert held.status(number) == "published"
    assert users.metadata["dagster/partition_row_count"].value == held.workspace.warehouse.roster.count_current(
        "lincoln", "clever", "users"
    )
    decisions = [("approve", "done", "A", None), ("undo", "done", "A. Steward", None), ("approve", "done", "A. Steward", None)]
    assert told(held) == decisions


def test_the_code_location_loads_with_them() -> None:
    """Within one, jobs and steps do not share names, which only shows when it is put together."""
    dg.Definitions.validate_loadable(defs)

    assert {APPROVE, DISCARD, UNDO} <= {job.name for job in defs.resolve_all_job_defs()}


def test_links_carry_the_config() -> None:
    config = config_yaml(UNDO, {"import_id": 3, "by": ""})

    assert yaml.safe_load(config) == {"ops": {"undo": {"config": {"import_id": 3, "by": ""}}}}
    assert launchpad_url("here", UNDO, config).endswith(
        "ops%3A%0A++undo%3A%0A++++config%3A%0A++++++import_id%3A+3%0A++++++by%3A+%22%22%0A"
    )
