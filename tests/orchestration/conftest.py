"""What the tests of orchestration share: a home with sample districts, and the partitioned job run in it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from roster_etl.orchestration.assets.import_selections import import_keys
from roster_etl.orchestration.assets.today_asset import TODAY
from roster_etl.orchestration.jobs.in_process_runs import home_instance, run_import
from roster_etl.pipeline.uploads.order import Order
from roster_etl.pipeline.workspace import Workspace
from roster_etl.projections.samples import write_sample
from roster_etl.store.registry.registry import District, Feed
from roster_etl.vendors import vendor
from tests.csv_files import rewrite


@pytest.fixture(autouse=True, scope="session")
def _prepared(prepared_storage: None) -> None:
    """New homes begin with a copy of Dagster's tables."""


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A valid upload of a small district."""
    folder = tmp_path_factory.mktemp("sample") / "upload"
    write_sample(vendor("clever"), folder, students=40, seed=1)
    return folder


@pytest.fixture(scope="session")
def _published_home(sample: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("published") / "home"
    register(Workspace.open(home), "lincoln")
    assert run_import(home, Order(district_id="lincoln", source="clever", path=str(sample))) == 1
    return home


@pytest.fixture
def published(_published_home: Path, tmp_path: Path) -> Home:
    """A home of one's own in which import 1 of lincoln was published from the sample."""
    home = tmp_path / "home"
    shutil.copytree(_published_home, home)
    return Home(home)


@pytest.fixture
def fresh(tmp_path: Path) -> Home:
    """A home with lincoln registered and nothing imported."""
    home = Home(tmp_path / "home")
    register(home.workspace, "lincoln")
    return home


@pytest.fixture
def upload(sample: Path, tmp_path: Path) -> Path:
    """A copy of the sample that a test may change."""
    folder = tmp_path / "upload"
    shutil.copytree(sample, folder)
    return folder


class Home:
    """A home, and its imports and runs as a test wants to see them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.workspace = Workspace.open(path)

    def run(self, path: Path | None, **order: Any) -> int:
        """Import the upload at `path` for lincoln, and return its import id."""
        given = Order(district_id="lincoln", source="clever", path=None if path is None else str(path))
        return run_import(self.path, replace(given, **order))

    def status(self, import_id: int) -> str:
        """Return how an import stands in the ledger."""
        return str(self.workspace.warehouse.ledger.import_(import_id)["status"])

    def newest_run(self) -> dg.DagsterRun:
        """Return the run that was made last."""
        with home_instance(self.path) as instance:
            return instance.get_runs(limit=1)[0]

    def events(self, run_id: str | None = None) -> list[dg.EventLogEntry]:
        """Return the events of a run, of the newest one unless said otherwise."""
        with home_instance(self.path) as instance:
            return list(instance.all_logs(run_id or instance.get_runs(limit=1)[0].run_id))

    def materialized(self, run_id: str | None = None) -> dict[str, dg.AssetMaterialization]:
        """Return what a run materialized of its district, by asset: not the status of all feeds."""
        found = (event.asset_materialization for event in self.events(run_id))
        made = [event for event in found if event and event.asset_key != TODAY]
        return {event.asset_key.to_user_string(): event for event in made}

    def checks(self, run_id: str | None = None) -> dict[tuple[str, str], Any]:
        """Return the evaluations of a run's checks, by asset and name."""
        found = [e.dagster_event.event_specific_data for e in self.events(run_id) if _is_check(e)]
        return {(check.asset_key.to_user_string(), check.check_name): check for check in found}


class Remembered:
    """A memory of feeds that rests nowhere."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}

    def load(self) -> dict[str, str]:
        """Return every feed's text."""
        return dict(self.texts)

    def save(self, texts: Mapping[str, str]) -> None:
        """Keep `texts` and nothing else."""
        self.texts = dict(texts)


def _is_check(event: dg.EventLogEntry) -> bool:
    return event.dagster_event is not None and event.dagster_event.event_type_value == "ASSET_CHECK_EVALUATION"


def register(workspace: Workspace, district_id: str, **feed: Any) -> None:
    """Register a district with a Clever feed."""
    workspace.registry.add(District(id=district_id, feeds=(Feed(format="clever", **feed),)))


def selected(format_name: str) -> set[dg.AssetKey]:
    """Return the assets that an import of a format makes: its files, the tables that it fills, and what follows from them."""
    return set(import_keys(format_name, vendor(format_name).format.file_sets[0].name))


def without_half_of_the_students(upload: Path) -> Path:
    """Take half of the students out of `upload`, enrollments too: more than any threshold allows."""
    students: set[str] = set()

    def half(rows: list[dict[str, str]]) -> list[dict[str, str]]:
        ids = sorted({row["Student_id"] for row in rows})
        students.update(ids[: len(ids) // 2])
        return [row for row in rows if row["Student_id"] in students]

    rewrite(upload / "students.csv", half)
    rewrite(upload / "enrollments.csv", lambda rows: [row for row in rows if row["Student_id"] in students])
    return upload


@pytest.fixture
def halved(upload: Path) -> Path:
    """An upload that is held after the sample was published."""
    return without_half_of_the_students(upload)


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    """A Dagster instance that rests nowhere."""
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance
