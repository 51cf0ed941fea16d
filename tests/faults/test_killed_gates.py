"""Whoever kills the gates' process during an import: the import does not notice."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from roster_etl.pipeline.import_upload import import_upload
from roster_etl.pipeline.reporting.import_summary import outcome
from roster_etl.pipeline.uploads.order import Order
from roster_etl.pipeline.workspace import Workspace
from roster_etl.projections.samples import write_sample
from roster_etl.quality.gx_client import GX_CLIENT
from roster_etl.store.registry.district import District, Feed
from roster_etl.vendors import vendor
from tests.csv_files import put_in_every_row

pytestmark = [pytest.mark.faults, pytest.mark.usefixtures("real_gates")]


def kill_gates(step: str) -> None:
    """Start the child and kill it after some of the steps: once early, and once right before it is asked."""
    if step in ("validated schools", "mapped enrollments"):
        GX_CLIENT.start()
        assert GX_CLIENT._process is not None
        os.kill(GX_CLIENT._process.pid, signal.SIGKILL)


def test_an_import_whose_gates_are_killed_twice_is_published_with_every_verdict(home: Path, tmp_path: Path) -> None:
    write_sample(vendor("clever"), tmp_path / "upload", students=30, seed=3)
    put_in_every_row(tmp_path / "upload" / "students.csv", "Grade", "thirteenth")
    workspace = Workspace.open(home)
    workspace.registry.add(District(id="lincoln", feeds=(Feed(format="clever"),)))
    steps: list[str] = []

    def tell(step: str) -> None:
        steps.append(step)
        kill_gates(step)

    order = Order(district_id="lincoln", source="clever", path=str(tmp_path / "upload"))
    document = outcome(workspace, import_upload(workspace, order, tell))
    workspace.warehouse.close()

    assert {"validated schools", "mapped enrollments"} <= set(steps)
    assert document["status"] == "published"
    assert len(document["checks"]) >= 15
