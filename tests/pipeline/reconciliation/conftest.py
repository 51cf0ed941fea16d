"""A district with a Clever and a Canvas feed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from roster_etl.pipeline.workspace import Workspace
from roster_etl.projections.samples import write_sample
from roster_etl.store.registry.district import District, Feed
from roster_etl.vendors import vendor
from tests.pipeline.reconciliation.feeds import canvas_users, run
from tests.saved import Make, SavedFolders


@pytest.fixture(scope="session")
def clever(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Clever upload of a small district."""
    folder = tmp_path_factory.mktemp("reconcile") / "clever"
    write_sample(vendor("clever"), folder, students=12, seed=5)
    return folder


def make_two_feeds(folder: Path, url: str, clever: Path) -> Workspace:
    """Make a district with a Clever and a Canvas feed in an empty folder, and return its home, open."""
    (folder / "home").mkdir()
    (folder / "home" / "roster_etl.toml").write_text(f'[warehouse]\nurl = "{url}"\n', "utf-8")
    workspace = Workspace.open(folder / "home")
    workspace.registry.add(District(id="lincoln", feeds=(Feed(format="clever"), Feed(format="canvas"))))
    run(workspace, "clever", clever)
    run(workspace, "canvas", canvas_users(clever, folder / "canvas"))
    return workspace


@contextmanager
def copied(saved: SavedFolders, name: str, make: Make, to: Path, database: str) -> Iterator[Workspace]:
    """Copy a saved folder, and open its home."""
    url = saved.copy(name, make, to, database)
    workspace = Workspace.open(to / "home")
    yield workspace
    workspace.close()
    saved.drop(url)


@pytest.fixture
def lincoln(saved: SavedFolders, clever: Path, database: str, tmp_path: Path) -> Iterator[Workspace]:
    """A district with a Clever and a Canvas feed."""

    def make(folder: Path, url: str) -> None:
        make_two_feeds(folder, url, clever).close()

    with copied(saved, "two feeds", make, tmp_path, database) as workspace:
        yield workspace
