"""Asset checks of suites: on the assets that they are about, evaluated by the step of the plan."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from roster_etl.orchestration.assets.asset_keys import PLAN, PLANNED, file_suites, suites_of, vendor_key
from roster_etl.orchestration.assets.gate_checks import gate_results
from roster_etl.orchestration.definitions import VENDORS, defs
from roster_etl.quality import CheckResult, Verdict
from roster_etl.quality.gx_client import GX_CLIENT
from roster_etl.vendors import vendor
from tests.csv_files import put_in_every_row
from tests.orchestration.conftest import Home

STUDENTS, USERS = dg.AssetKey(["clever", "students"]), dg.AssetKey(["roster", "users"])


def test_a_run_asks_the_gates_once_and_shows_each_check_under_its_asset(
    fresh: Home, upload: Path, monkeypatch: pytest.MonkeyPatch, real_gates: None
) -> None:
    asked: list[str] = []
    ask = GX_CLIENT._request

    def counted(name: str, *rest: Any) -> Any:
        asked.append(name)
        return ask(name, *rest)

    monkeypatch.setattr(GX_CLIENT, "_request", counted)
    put_in_every_row(upload / "students.csv", "Grade", "thirteenth")
    done = fresh.run(upload)
    run, checks = fresh.newest_run(), fresh.checks()

    assert fresh.status(done) == "published"
    assert len(asked) == 1
    wanted = {(asset.to_user_string(), name) for asset in suites_of([vendor("clever")]) for name in ("suite", "tolerances")}
    assert set(checks) == {*wanted, ("roster/plan", "publishable")}
    for asset, name in wanted:
        check = checks[asset, name]
        assert check.partition == "lincoln"
        assert check.target_materialization_data.run_id == run.run_id
        assert check.target_materialization_data.storage_id > 0


def test_the_step_of_the_plan_evaluates_every_suite_and_stands_behind_what_it_is_about() -> None:
    graph = defs.resolve_asset_graph()
    named = lambda suites: {dg.AssetCheckKey(asset, name) for asset in suites for name in ("suite", "tolerances")}  # noqa: E731
    for one in VENDORS:
        key, suites = vendor_key(one.format.name, PLANNED), file_suites([one])
        assert {spec.key for spec in graph.assets_def_for_key(key).check_specs} == named(suites)
        assert set(suites) <= _ancestors(graph, key)

    of_district = {spec.key for spec in graph.assets_def_for_key(PLAN).check_specs}
    tables = suites_of(VENDORS).keys() - file_suites(VENDORS).keys()
    assert of_district == {dg.AssetCheckKey(PLAN, "publishable"), *named(tables)}
    assert set(suites_of(VENDORS)) <= _ancestors(graph, PLAN)


def _ancestors(graph: Any, key: dg.AssetKey) -> set[dg.AssetKey]:
    found: set[dg.AssetKey] = set()
    waiting = {key}
    while waiting:
        parents = graph.get(waiting.pop()).parent_keys - found
        found |= parents
        waiting |= parents
    return found


def test_a_file_that_the_upload_lacks_passes_and_a_refused_one_fails_with_its_code() -> None:
    rule = CheckResult(rule="file: header", check="header", severity="critical", passed=True, judged=1, failing=0, mostly=None)
    verdicts = [Verdict(name="clever/students", results=(rule,))]
    suites = {STUDENTS: "clever/students", USERS: "clever/teachers"}
    results = {(r.asset_key, r.check_name): r for r in gate_results(suites, verdicts, {"clever/students": "malformed_csv"})}

    assert not results[STUDENTS, "suite"].passed
    assert "malformed_csv" in str(results[STUDENTS, "suite"].metadata["failed_expectations"])
    assert results[STUDENTS, "tolerances"].passed
    assert results[USERS, "suite"].metadata["note"].value == "The upload does not have this file."
