"""What an operator can launch for a district once more: each selection, on each state of its newest import."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.reconstruct import ReconstructableRepository

from roster_etl.orchestration.assets import warehouse_assets
from roster_etl.orchestration.assets.import_selections import import_keys, imports_of, vendor_keys, whole_import
from roster_etl.orchestration.definitions import VENDORS, defs
from roster_etl.orchestration.jobs.build import job_name
from roster_etl.orchestration.jobs.in_process_runs import MODULE, home_instance
from roster_etl.orchestration.runtime.current_home import use_home
from roster_etl.orchestration.runtime.partitions import DISTRICTS
from roster_etl.store.registry.registry import District, Feed
from tests.csv_files import rewrite
from tests.orchestration.conftest import Home, selected, without_half_of_the_students
from tests.orchestration.jobs.test_in_process_runs import FAILURE, SUCCESS, again
from tests.sampling import every
from tests.saved import SavedFolders

GRAPH = defs.resolve_asset_graph()
ALL = GRAPH.executable_asset_keys
FORMAT = [key for key in ALL if key.path[0] == "clever"]
DISTRICT = [key for key in ALL if GRAPH.get(key).partitions_def == DISTRICTS and key.path[0] != "export"]
CHOICES: dict[str, Collection[dg.AssetKey]] = {
    "the upload": [dg.AssetKey(["clever", "upload"])],
    "a file": [dg.AssetKey(["clever", "students"])],
    "a table": [dg.AssetKey(["roster", "users"])],
    "a published table": [dg.AssetKey(["warehouse", "users"])],
    "the report": [dg.AssetKey("report")],
    "the format's assets": FORMAT,
    "all but the upload": vendor_keys("clever", "") - {dg.AssetKey(["clever", "upload"])},
    "the job": vendor_keys("clever", ""),
    "the format's and the district's": {*FORMAT, *DISTRICT},
    "the district's": DISTRICT,
}
SETS = [(one.format.name, found.name) for one in VENDORS for found in one.format.file_sets]


def materialize(home: Home, keys: Collection[dg.AssetKey], district: str = "lincoln", **tags: str) -> dg.DagsterRun:
    """Materialize assets for a district, as the UI does for a selection."""
    job = ReconstructableRepository.for_module(MODULE, "defs").get_reconstructable_job("__ASSET_JOB")
    with use_home(home.path), home_instance(home.path) as instance:
        tags = {"dagster/partition": district, **tags}
        done = dg.execute_job(job, instance, asset_selection=list(keys), tags=tags)
        found = instance.get_run_by_id(done.run_id)
        assert found is not None
        return found


def failed(home: Home, upload: Path) -> None:
    """Import a changed upload, and let publishing break."""
    change_a_name(upload)
    with pytest.MonkeyPatch.context() as broken:
        broken.setattr(warehouse_assets, "publish_import", _breaks)
        with pytest.raises(RuntimeError):
            home.run(upload)


def held(home: Home, upload: Path) -> None:
    """Import an upload that lacks half of the students."""
    home.run(without_half_of_the_students(upload))


def rejected(home: Home, upload: Path) -> None:
    """Import an upload one of whose required files cannot be read."""
    (upload / "sections.csv").write_bytes(b"\xff\xfe\x00")
    home.run(upload)


def published(home: Home, upload: Path) -> None:
    """Import a changed upload."""
    change_a_name(upload)
    home.run(upload)


def unchanged(home: Home, upload: Path) -> None:
    """Import the same upload again."""
    home.run(upload)


def _breaks(*_: object) -> None:
    raise RuntimeError


def change_a_name(upload: Path) -> None:
    """Change the name of a teacher."""
    rewrite(upload / "teachers.csv", lambda rows: [{**rows[0], "Last_name": "Changed"}, *rows[1:]])


STATES = {"failed": failed, "held": held, "rejected": rejected, "published": published, "unchanged": unchanged}
ENDS = {"failed": ["published"], "held": ["held"], "rejected": [], "published": ["unchanged"], "unchanged": ["unchanged"]}
"""How the newest upload ends when it is imported from the start, by the state before; one that was not kept is not imported."""


@pytest.fixture
def in_state(saved: SavedFolders, sample: Path, tmp_path: Path) -> Callable[[str], Home]:
    """Make a home whose newest import of lincoln, the second, is in a state."""

    def make(state: str) -> Home:
        def fill(folder: Path, _: str) -> None:
            home = Home(folder / "home")
            home.workspace.registry.add(District(id="lincoln", feeds=(Feed(format="clever"),)))
            shutil.copytree(sample, folder / "upload")
            home.run(folder / "upload")
            STATES[state](home, folder / "upload")

        saved.copy(f"rerun-{state}", fill, tmp_path)
        return Home(tmp_path / "home")

    return make


def statuses(home: Home) -> list[str]:
    """Return how the imports of lincoln ended, oldest first."""
    return [row["status"] for row in home.workspace.warehouse.ledger.imports("lincoln")][::-1]


def materialized(home: Home) -> set[dg.AssetKey]:
    """Return the assets that lincoln has a materialization of."""
    with home_instance(home.path) as instance:
        return {key for key in ALL if "lincoln" in instance.get_materialized_partitions(key)}


# ── selections of assets ──


@pytest.mark.sampled
@pytest.mark.parametrize(("state", "choice"), every(11, [(state, choice) for choice in CHOICES for state in STATES]))
def test_any_selection_of_assets_imports_the_newest_archived_upload_from_the_start(
    in_state: Callable[[str], Home], state: str, choice: str
) -> None:
    home = in_state(state)

    run = materialize(home, CHOICES[choice])

    assert statuses(home) == ["published", state, *ENDS[state]]
    assert run.status is (FAILURE if state in ("held", "rejected") else SUCCESS)
    if run.status is SUCCESS and choice != "the job":
        assert {*CHOICES[choice]} & selected("clever") <= materialized(home)


def test_a_backfill_of_districts_counts_what_none_of_their_feeds_fills(in_state: Callable[[str], Home]) -> None:
    home = in_state("unchanged")

    run = materialize(home, DISTRICT, **{"dagster/backfill": "abc"})

    assert run.status is SUCCESS
    assert materialized(home) == {*selected("clever"), *DISTRICT}
    made = home.materialized(run.run_id)
    assert made["roster/attendance"].metadata["note"].value == "No feed of the district fills it: nothing was imported."
    assert "import run" in made["warehouse/users"].metadata


def test_a_selection_that_is_held_says_so_and_links_to_the_run_of_its_import(in_state: Callable[[str], Home]) -> None:
    home = in_state("held")
    run = materialize(home, CHOICES["a table"])
    failures = [event.dagster_event.step_failure_data for event in home.events(run.run_id) if _is_failure(event)]

    (told,) = [failure.user_failure_data for failure in failures if failure.user_failure_data]
    row = home.workspace.warehouse.ledger.import_(3)
    assert told.description == f"Import 3 is held; its run is {row['run_id']}."
    assert told.metadata["run of clever"].value == f"/runs/{row['run_id']}"


def _is_failure(event: dg.EventLogEntry) -> bool:
    return bool(event.dagster_event and event.dagster_event.is_step_failure)


# ── runs executed again ──


@pytest.mark.parametrize(
    ("state", "then"),
    [
        ("failed", ["published", "published"]),  # the same import goes on
        ("held", ["published", "held", "held"]),
        ("rejected", ["published", "rejected"]),  # its file was not kept: no older upload is taken in its place
    ],
)
def test_a_failed_run_goes_on_or_begins_again(in_state: Callable[[str], Home], state: str, then: list[str]) -> None:
    home = in_state(state)

    again(home, home.newest_run().run_id, from_failure=True)

    assert statuses(home) == then


@pytest.mark.sampled
@pytest.mark.parametrize(("state", "path"), every(7, [(state, path) for path in ("gone", "there") for state in STATES]))
def test_all_steps_import_the_upload_of_the_config_or_the_archived_one(
    in_state: Callable[[str], Home], state: str, path: str
) -> None:
    home = in_state(state)
    first = home.newest_run()
    folder = Path(first.run_config["ops"]["clever__upload"]["config"]["path"])
    if path == "gone":
        shutil.move(folder, folder.with_name("away"))
    try:
        run = again(home, first.run_id, from_failure=False)
    finally:
        if path == "gone":
            shutil.move(folder.with_name("away"), folder)

    ends = {**ENDS, "rejected": ["rejected"] if path == "there" else []}[state]
    assert statuses(home) == ["published", state, *ends]
    assert run.status is (SUCCESS if {*ends} & {"published", "unchanged"} else FAILURE)


def test_an_overtaken_failed_run_does_not_go_on(in_state: Callable[[str], Home]) -> None:
    home = in_state("failed")
    broken = home.newest_run().run_id
    materialize(home, CHOICES["the job"])

    run = again(home, broken, from_failure=True)

    assert statuses(home) == ["published", "failed", "published", "unchanged"]
    assert run.status is SUCCESS


def test_a_failed_run_whose_staging_is_gone_begins_again(in_state: Callable[[str], Home]) -> None:
    home = in_state("failed")
    shutil.rmtree(home.workspace.settings.home / "staging")

    run = again(home, home.newest_run().run_id, from_failure=True)

    assert statuses(home) == ["published", "failed", "published"]
    assert run.status is SUCCESS


# ── selections ──


@pytest.mark.parametrize(("source", "file_set"), SETS)
def test_a_job_has_exactly_the_assets_of_one_import(source: str, file_set: str) -> None:
    keys = defs.resolve_job_def(job_name(source, file_set)).asset_layer.executable_asset_keys

    assert whole_import(keys) == whole_import({*keys, dg.AssetKey("report")}) == (source, file_set)
    assert whole_import({*keys} - {dg.AssetKey([source, "reported"])}) is None
    assert (source, file_set) in imports_of([key for key in keys if key.path[0] == source])


def test_a_table_is_about_all_formats_that_fill_it() -> None:
    formats = {source for source, _ in imports_of([dg.AssetKey(["roster", "attendance"])])}

    assert formats == {
        source for source, file_set in SETS if dg.AssetKey(["roster", "attendance"]) in import_keys(source, file_set)
    }
    assert len(imports_of([dg.AssetKey("report")])) == len(SETS)
