"""A district with a Clever and a Canvas feed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from roster_etl.pipeline.workspace import Workspace
from roster_etl.projections.samples import write_sample
from roster_etl.store.registry.district import District, Feed
from roster_etl.vendors import vendor
from tests.pipeline.reconciliation.feeds import canvas_users, run
from tests.saved import SavedFolders


@pytest.fixture(scope="session")
def clever(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Clever upload of a small district."""
    folder = tmp_path_factory.mktemp("reconcile") / "clever"
    write_sample(vendor("clever"), folder, students=12, seed=5)
    return folder


@pytest.fixture
def lincoln(saved: SavedFolders, clever: Path, database: str, tmp_path: Path) -> Iterator[Workspace]:
    """A district with a Clever and a Canvas feed."""

    def make(folder: Path, url: str) -> None:
        (folder / "home").mkdir()
        (folder / "home" / "roster_etl.toml").write_text(f'[warehouse]\nurl = "{url}"\n', "utf-8")
        workspace = Workspace.open(folder / "home")
        workspace.registry.add(District(id="lincoln", feeds=(Feed(format="clever"), Feed(format="canvas"))))
        run(workspace, "clever", clever)
        run(workspace, "canvas", canvas_users(clever, folder / "canvas"))
        workspace.close()

    url = saved.copy("two feeds", make, tmp_path, database)
    workspace = Workspace.open(tmp_path / "home")
    yield workspace
    workspace.close()
    saved.drop(url)
