"""Imports by the command line without a Dagster run, for tests of commands: the same steps, in half of the time.

A module asks for it with ``usefixtures("direct_imports")``. ``tests/test_direct_imports.py`` holds what it leaves against what a run leaves.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

if TYPE_CHECKING:
    from roster_etl.pipeline.uploads.order import Order


def execute_directly(
    home: Path,
    order: Order,
    *,
    receive_first: bool = False,
    on_step: Callable[[str], None] = lambda _: None,
    on_start: Callable[[str], None] = lambda _: None,
) -> Any:
    """Import one upload as ``in_process_runs.execute_import`` does, without a run that the Dagster UI would show."""
    from roster_etl.orchestration.jobs.in_process_runs import FinishedRun
    from roster_etl.pipeline.import_upload import import_and_report
    from roster_etl.pipeline.steps.receive import require_not_paused
    from roster_etl.pipeline.uploads.file_sets import resolve_file_set
    from roster_etl.pipeline.workspace import Workspace

    with closing(Workspace.open_to_write(home)) as workspace:
        if workspace.registry.exists(order.district_id):
            require_not_paused(workspace, order)
        order = replace(resolve_file_set(workspace, order), run_id=str(uuid4()))
        on_start(order.run_id or "")
        summary = import_and_report(workspace, order, on_step).summary
    return FinishedRun(import_id=summary.import_id, summary=summary)


@pytest.fixture
def direct_imports(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let commands import without a Dagster run."""
    monkeypatch.setattr("roster_etl.orchestration.jobs.in_process_runs.execute_import", execute_directly)
