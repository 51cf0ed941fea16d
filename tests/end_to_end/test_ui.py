"""The Dagster UI as a person uses it: lineage, a failed partition run again, a backfill over several districts."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from roster_etl.orchestration.assets import warehouse_assets
from roster_etl.orchestration.definitions import defs
from roster_etl.orchestration.jobs.in_process_runs import home_instance, run_import
from roster_etl.orchestration.runtime.home_config import ensure_config
from roster_etl.orchestration.runtime.partitions import DISTRICTS, read_partitions, sync_partitions
from roster_etl.pipeline.exports.destinations import send
from roster_etl.pipeline.uploads.order import Order
from roster_etl.pipeline.workspace import Workspace
from roster_etl.projections.samples import write_sample
from roster_etl.store.default_home import VARIABLE
from roster_etl.store.registry.district import Destination
from roster_etl.store.registry.registry import District, Feed
from roster_etl.vendors import vendor
from tests.browser import InThread
from tests.csv_files import rewrite
from tests.orchestration.conftest import register, selected, without_half_of_the_students
from tests.wheel import environment

pytestmark = [pytest.mark.browser, pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(420)]
STARTS_S, RUNS_S = 120, 180
NEVER, KINDED = "0 0 1 1 *", {"user_ids": "kinded"}
GRAPH = defs.resolve_asset_graph()
ALL = GRAPH.executable_asset_keys
OF_DISTRICTS = [key for key in ALL if GRAPH.get(key).partitions_def == DISTRICTS and key.path[0] != "export"]


@pytest.fixture(scope="module")
def one_page(browser: InThread) -> Iterator[InThread]:
    """The page of this module: the UI's code is fetched and compiled once."""
    page = browser.new_page()
    yield page
    page.close()


@pytest.fixture
def page(one_page: InThread) -> Iterator[InThread]:
    """The page, which shows nothing when no test looks at it: what it shows, it asks for and draws again and again."""
    yield one_page
    one_page.goto("about:blank")


class Ui:
    """`dagster dev` on a home of its own, as it is asked by GraphQL."""

    def __init__(self, home: Path, port: int) -> None:
        self.workspace = Workspace.open(home)
        self.url = f"http://127.0.0.1:{port}"

    def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        """Return the answer to a GraphQL query."""
        body = json.dumps({"query": query, "variables": variables}).encode()
        request = urllib.request.Request(f"{self.url}/graphql", body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            found = json.load(answer)
        assert "errors" not in found, found["errors"]
        return dict(found["data"])

    def runs(self) -> list[dict[str, Any]]:
        """Return the runs, newest first."""
        return list(
            self.ask("{ runsOrError { ... on Runs { results { runId status tags { key value } } } } }")["runsOrError"]["results"]
        )


@pytest.fixture(scope="module")
def ui(tmp_path_factory: pytest.TempPathFactory, wheel_python: Path) -> Iterator[Ui]:
    """The UI on two districts, both published, the newest import of lincoln held."""
    folder = tmp_path_factory.mktemp("ui")
    home = folder / "home"
    workspace = Workspace.open(home)
    for number, district in enumerate(("lincoln", "monroe")):
        upload = folder / district
        write_sample(vendor("clever"), upload, students=30, seed=number)
        register(workspace, district, expected_by="00:00")
        run_import(home, Order(district_id=district, source="clever", path=str(upload)))
        destination = Destination(name="lms", format="oneroster", to=str(folder / f"{district}-sent"), when=NEVER, options=KINDED)
        workspace.registry.add_destination(district, destination)
    send(workspace, "lincoln", "lms", requested_by="test")
    held = without_half_of_the_students(folder / "lincoln")
    run_import(home, Order(district_id="lincoln", source="clever", path=str(held)))
    ensure_config(home)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with _DagsterDev(wheel_python, home, port, folder / "log") as running:
        yield running


class _DagsterDev:
    """`dagster dev` of the built wheel, in the folder of the home: nothing of it comes from the checkout."""

    # Whoever runs the tests may ignore interrupts, and so would all that they start: the server begins with Python's own handler.
    COMMAND = (
        "import runpy, signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
        "sys.argv = ['dagster', 'dev', *sys.argv[1:]]; runpy.run_module('dagster', run_name='__main__', alter_sys=True)"
    )

    def __init__(self, python: Path, home: Path, port: int, log: Path) -> None:
        self.ui, self.log = Ui(home, port), log
        environ = {**environment(), "DAGSTER_HOME": str(home), VARIABLE: str(home)}
        command = [python, "-c", self.COMMAND, "-w", str(home / "workspace.yaml"), "-h", "127.0.0.1", "-p", str(port)]
        with log.open("wb") as out:
            self.process = subprocess.Popen(
                command, cwd=home, env=environ, stdout=out, stderr=subprocess.STDOUT, start_new_session=True
            )

    def __enter__(self) -> Ui:
        wait_for(self._answers, STARTS_S, lambda: self.log.read_text(errors="replace")[-3000:])
        return self.ui

    def _answers(self) -> bool:
        assert self.process.poll() is None, self.log.read_text(errors="replace")[-3000:]
        try:
            return bool(
                self.ui.ask("{ repositoriesOrError { ... on RepositoryConnection { nodes { name } } } }")["repositoriesOrError"][
                    "nodes"
                ]
            )
        except OSError:
            return False

    def __exit__(self, *_: object) -> None:
        os.killpg(self.process.pid, signal.SIGINT)
        try:
            self.process.wait(60)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


def wait_for(holds: Callable[[], Any], seconds: float, about: Callable[[], object] = lambda: "") -> Any:
    """Return what `holds` returns once that is true."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if found := holds():
            return found
        time.sleep(1)
    raise AssertionError(f"not within {seconds} s: {about()}")


def test_dagster_dev_serves_the_wheels_definitions(ui: Ui, wheel_python: Path):
    found = ui.ask(
        "{ workspaceOrError { ... on Workspace { locationEntries { locationOrLoadError { ... on RepositoryLocation { repositories { sensors { name } } } } } } } }"
    )
    (entry,) = found["workspaceOrError"]["locationEntries"]
    (repository,) = entry["locationOrLoadError"]["repositories"]

    assert "landing_zone" in {sensor["name"] for sensor in repository["sensors"]}


def test_the_graph_shows_where_a_published_table_comes_from(ui: Ui, page):
    page.goto(f"{ui.url}/assets/warehouse/users?view=lineage&lineageScope=upstream&lineageDepth=5")

    for name in ("users", "plan", "students", "upload"):
        page.get_by_text(name, exact=True).first.wait_for(timeout=30_000)


def test_an_asset_shows_its_columns_its_numbers_and_its_code(ui: Ui, page):
    page.goto(f"{ui.url}/assets/clever/students")

    for text in ("Student_id", "rows_accepted", "in editor", "data-stewards"):
        page.get_by_text(text, exact=False).first.wait_for(timeout=30_000)


def test_a_feed_that_is_expected_shows_whether_it_is_fresh(ui: Ui, page):
    page.goto(f"{ui.url}/assets/clever/upload?view=checks&checkDetail=fresh")

    page.get_by_text("on time for", exact=False).first.wait_for(timeout=30_000)


def test_a_published_table_leads_back_to_its_files_and_a_held_plan_shows_its_schools(ui: Ui, page):
    page.goto(f"{ui.url}/assets/warehouse/users?view=partitions&partition=lincoln")
    page.get_by_text("roster-etl trace users", exact=False).first.wait_for(timeout=30_000)
    page.get_by_role("link", name="students.csv").first.click()
    page.get_by_text("rows_accepted").first.wait_for(timeout=30_000)
    assert "/assets/clever/students" in page.url

    page.goto(f"{ui.url}/assets/roster/plan?view=partitions&partition=lincoln")
    for text in ("changes_by_school", "plan_sha256", "how_to_decide"):
        page.get_by_text(text, exact=True).first.wait_for(timeout=30_000)


def test_the_status_of_all_feeds_leads_to_the_form_that_approves_a_hold(ui: Ui, page):
    page.goto(f"{ui.url}/assets/operations/today")
    page.get_by_text("1 of 2 feeds needs a person: 1 held", exact=False).first.wait_for(timeout=90_000)

    page.locator("a[href*='/jobs/approve_hold/playground/setup']").first.click()
    page.get_by_role("button", name="Launch run").first.wait_for(timeout=60_000)
    assert "/jobs/approve_hold/playground" in page.url


def test_a_held_run_says_why_in_its_first_line_and_shows_no_stack_trace(ui: Ui, page):
    page.goto(f"{ui.url}/runs/{ui.runs()[0]['runId']}")
    for text in ("HELD: ", "roster-etl holds approve 3 --by NAME"):
        page.get_by_text(text, exact=False).first.wait_for(timeout=30_000)

    assert page.get_by_text("Stack Trace", exact=False).count() == 0


def test_a_held_partition_is_red_and_can_be_run_again(ui: Ui, page):
    """The steward raises the threshold, and presses the button."""
    page.goto(f"{ui.url}/assets/warehouse/users?view=partitions")
    page.get_by_text("Failed (1)").wait_for(timeout=30_000)
    feed = Feed(format="clever", options={"delete_threshold_pct": "100"})
    ui.workspace.registry.add_feed("lincoln", feed, update=True)
    held = ui.runs()[0]
    page.goto(f"{ui.url}/runs/{held['runId']}")
    page.get_by_role("button", name="Re-execute all").first.click(timeout=30_000)

    again = _ended_after(ui, page, held["runId"])
    assert again["status"] == "SUCCESS"
    newest = ui.workspace.warehouse.ledger.imports("lincoln", limit=1)[0]
    assert (newest["import_id"], newest["status"], newest["run_id"]) == (4, "published", again["runId"])


def _ended_after(ui: Ui, page: InThread, before: str) -> dict[str, Any]:
    """Return the run that follows the run `before` and was launched on `page`, once it has ended. Nobody looks on: a run's page is drawn all the time."""
    wait_for(lambda: ui.runs()[0]["runId"] != before, RUNS_S, ui.runs)
    page.goto("about:blank")
    return dict(wait_for(lambda: _ended(ui.runs()[0]), RUNS_S, ui.runs))


def _ended(run: dict[str, Any]) -> dict[str, Any] | None:
    return run if run["status"] in ("SUCCESS", "FAILURE", "CANCELED") else None


def _launch(ui: Ui, keys: Iterable[dg.AssetKey], partitions: list[str]) -> dict[str, Any]:
    """Launch a backfill of assets, and return what Dagster answers."""
    selection = [{"path": list(key.path)} for key in sorted(keys, key=str)]
    return dict(
        ui.ask(
            "mutation ($what: LaunchBackfillParams!) { launchPartitionBackfill(backfillParams: $what) "
            "{ __typename ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message } } }",
            what={"assetSelection": selection, "partitionNames": partitions},
        )["launchPartitionBackfill"]
    )


def _backfill(ui: Ui, keys: Iterable[dg.AssetKey], partitions: list[str]) -> str:
    """Launch a backfill of assets, and return how it ended."""
    launched = _launch(ui, keys, partitions)
    status = "query ($id: String!) { partitionBackfillOrError(backfillId: $id) { ... on PartitionBackfill { status } } }"
    ask = lambda: str(ui.ask(status, id=launched["backfillId"])["partitionBackfillOrError"]["status"])  # noqa: E731
    return str(wait_for(lambda: ask() if ask().startswith("COMPLETED") else None, RUNS_S, lambda: (ask(), ui.runs())))


def test_a_backfill_of_a_format_and_of_what_it_fills_takes_every_district_once_more(ui: Ui):
    before = ui.workspace.warehouse.ledger.imports(limit=1)[0]["import_id"]

    assert _backfill(ui, selected("clever"), ["lincoln", "monroe"]) == "COMPLETED_SUCCESS"
    since = ui.workspace.warehouse.ledger.imports(since=before + 1)
    assert sorted((row["district_id"], row["status"]) for row in since) == [("lincoln", "unchanged"), ("monroe", "unchanged")]


def test_a_backfill_of_the_assets_of_districts_imports_the_newest_upload_of_each_feed(ui: Ui):
    before = ui.workspace.warehouse.ledger.imports(limit=1)[0]["import_id"]
    backfill = _backfill(ui, OF_DISTRICTS, ["lincoln", "monroe"])

    assert backfill == "COMPLETED_SUCCESS"
    since = ui.workspace.warehouse.ledger.imports(since=before + 1)
    assert sorted((row["district_id"], row["status"]) for row in since) == [("lincoln", "unchanged"), ("monroe", "unchanged")]


def test_assets_of_several_formats_cannot_be_backfilled_together(ui: Ui):
    """Their districts are different ones. What was meant is a backfill of the districts' assets, or the job `rerun_failed`."""
    with pytest.raises(urllib.error.HTTPError) as refused:
        _launch(ui, ALL, ["lincoln"])

    assert b"All the assets at the root of the backfill must have the same PartitionsDefinition" in refused.value.read()


def test_missing_counts_only_the_districts_with_a_feed_of_the_format(ui: Ui, page):
    ui.workspace.registry.add(District(id="adams", feeds=(Feed(format="dyknow"),)))
    with home_instance(ui.workspace.home) as instance:
        sync_partitions(instance, read_partitions(instance), ui.workspace.registry.scan())

    for asset, filled, missing in (("clever/upload", 2, 0), ("dyknow/upload", 0, 1), ("warehouse/users", 2, 1)):
        page.goto(f"{ui.url}/assets/{asset}?view=partitions")
        page.get_by_text(f"Materialized ({filled})").first.wait_for(timeout=30_000)
        page.get_by_text(f"Missing ({missing})").first.wait_for(timeout=30_000)
    ui.workspace.registry.remove("adams")


def test_an_export_shows_what_was_sent_and_a_refused_one_why(ui: Ui, page):
    """Half of the students of lincoln are gone since its roster was sent; monroe's is sent for the first time."""
    _backfill(ui, [dg.AssetKey(["export", "lms"])], ["lincoln", "monroe"])

    page.goto(f"{ui.url}/assets/export/lms?view=partitions&partition=monroe")
    for text in ("losses", "as of import", "users.csv"):
        page.get_by_text(text, exact=False).first.wait_for(timeout=30_000)
    page.goto(f"{ui.url}/assets/export/lms?view=partitions&partition=lincoln")
    page.get_by_text("Failed (1)").first.wait_for(timeout=30_000)
    refused = next(run for run in ui.runs() if {"key": "dagster/partition", "value": "lincoln"} in run["tags"])
    page.goto(f"{ui.url}/runs/{refused['runId']}")
    for text in ("were sent the last time", "--accept-shrink"):
        page.get_by_text(text, exact=False).first.wait_for(timeout=30_000)


def test_a_run_by_command_whose_upload_is_gone_is_executed_again_from_the_ui(ui: Ui, tmp_path: Path):
    write_sample(vendor("clever"), tmp_path / "monroe", students=30, seed=1)
    done = run_import(ui.workspace.home, Order(district_id="monroe", source="clever", path=str(tmp_path / "monroe")))
    shutil.rmtree(tmp_path / "monroe")
    launched = ui.ask(
        "mutation ($what: ReexecutionParams!) { launchRunReexecution(reexecutionParams: $what) "
        "{ __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }",
        what={"parentRunId": ui.runs()[0]["runId"], "strategy": "ALL_STEPS"},
    )["launchRunReexecution"]

    assert launched["__typename"] == "LaunchRunSuccess", launched
    run = wait_for(lambda: _ended(_run(ui, launched["run"]["runId"])), RUNS_S, ui.runs)
    newest = ui.workspace.warehouse.ledger.imports("monroe", limit=1)[0]
    assert (run["status"], newest["status"], newest["run_id"]) == ("SUCCESS", "unchanged", run["runId"])
    assert newest["import_id"] == done + 1


def test_one_job_imports_again_what_failed(ui: Ui, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    write_sample(vendor("clever"), tmp_path / "monroe", students=30, seed=1)
    rewrite(tmp_path / "monroe" / "teachers.csv", lambda rows: [{**rows[0], "Last_name": "Changed"}, *rows[1:]])
    with monkeypatch.context() as broken:
        broken.setattr(warehouse_assets, "publish_import", _breaks)
        with pytest.raises(RuntimeError):
            run_import(ui.workspace.home, Order(district_id="monroe", source="clever", path=str(tmp_path / "monroe")))
    failed = ui.workspace.warehouse.ledger.imports("monroe", limit=1)[0]
    ui.ask(
        "mutation ($what: ExecutionParams!) { launchRun(executionParams: $what) "
        "{ __typename ... on PythonError { message } ... on RunConfigValidationInvalid { errors { message } } } }",
        what={"selector": {**LOCATION, "jobName": "rerun_failed"}, "runConfigData": {}},
    )

    run = wait_for(lambda: _import_run(ui, failed["import_id"] + 1), RUNS_S, ui.runs)
    newest = ui.workspace.warehouse.ledger.imports("monroe", limit=1)[0]
    assert (run["status"], newest["status"], newest["run_id"]) == ("SUCCESS", "published", run["runId"])


LOCATION = {"repositoryLocationName": "roster_etl", "repositoryName": "__repository__"}


def _breaks(*_: object) -> None:
    raise RuntimeError


def _run(ui: Ui, run_id: str) -> dict[str, Any]:
    return next(run for run in ui.runs() if run["runId"] == run_id)


def _import_run(ui: Ui, import_id: int) -> dict[str, Any] | None:
    """Return the run of an import, once it has ended."""
    tag = {"key": "import_id", "value": str(import_id)}
    return next((run for run in ui.runs() if tag in run["tags"] and _ended(run)), None)


@pytest.fixture
def stopped(ui: Ui, tmp_path: Path) -> int:
    """A held import of monroe."""
    write_sample(vendor("clever"), tmp_path / "monroe", students=30, seed=1)
    path = without_half_of_the_students(tmp_path / "monroe")
    return run_import(ui.workspace.home, Order(district_id="monroe", source="clever", path=str(path)))


def test_a_person_approves_a_held_import_and_undoes_it_in_the_browser(ui: Ui, stopped: int, page):
    """From the failed run, by its links, to the launchpad; only the name is typed."""
    held = stopped
    assert ui.workspace.warehouse.ledger.import_(held)["status"] == "held"
    approved = _launched(ui, page, f"{ui.url}/runs/{ui.runs()[0]['runId']}", "approve_hold")
    assert approved == {"district": "monroe", "format": "clever", "import_id": str(held), "import_status": "published"}
    assert ui.workspace.warehouse.ledger.hold(held)["decided_by"] == "A. Steward"

    page.goto(f"{ui.url}/assets/warehouse/users?view=partitions&partition=monroe")
    page.get_by_text("cli_commands").first.wait_for(timeout=30_000)
    undo = _launched(ui, page, page.url, "undo_import")
    assert (undo["district"], undo["import_status"]) == ("monroe", "held")
    page.goto(f"{ui.url}/assets/roster/plan?view=partitions&partition=monroe")
    _launched(ui, page, page.url, "approve_hold")
    newest = ui.workspace.warehouse.ledger.imports("monroe", limit=1)[0]
    assert (newest["kind"], newest["status"], newest["import_id"]) == ("undo", "published", int(undo["import_id"]))


def _launched(ui: Ui, page: Any, where: str, job: str) -> dict[str, str]:
    """Follow the link to the launchpad of `job` that stands at `where`, type a name, launch, and return the tags of the run."""
    before = ui.runs()[0]["runId"]
    page.goto(where)
    link = page.locator(f"a[href*='/jobs/{job}/playground/setup']").first
    link.wait_for(state="attached", timeout=60_000)
    page.goto(ui.url + link.get_attribute("href"))
    page.locator(".CodeMirror").first.click(timeout=60_000)
    for key in ("Control+End", "ArrowLeft", "ArrowLeft"):
        page.keyboard.press(key)
    page.keyboard.type("A. Steward")
    page.get_by_role("button", name="Launch run").first.click(timeout=60_000)
    run = _ended_after(ui, page, before)
    assert run["status"] == "SUCCESS"
    tags = {tag["key"]: tag["value"] for tag in run["tags"]}
    return {name: tags[name] for name in ("district", "format", "import_id", "import_status")}
