"""The storage of runs with fewer queries says what Dagster's own says."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest
from dagster._core.storage.runs.sqlite.sqlite_run_storage import SqliteRunStorage

from roster_etl.orchestration.jobs.in_process_runs import home_instance
from roster_etl.orchestration.runtime import tested_dagster
from roster_etl.orchestration.runtime.run_storage import BriefRunStorage


@dg.asset
def users():
    """Materialize a table."""


def test_it_says_what_dagster_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with home_instance(tmp_path) as instance:
        assert type(instance.run_storage) is BriefRunStorage
        run = dg.materialize([users], instance=instance).dagster_run
        plan = run.execution_plan_snapshot_id
        ours = instance.run_storage
        assert [ours.has_execution_plan_snapshot(name) for name in (plan, "0" * 40)] == [True, False]
        assert (ours.has_run_stats_index_cols(), ours.has_backfill_id_column()) == (True, True)
        found = ours.get_run_records()

    monkeypatch.setattr(tested_dagster, "TESTED_VERSION", "0.0.0")
    with home_instance(tmp_path) as instance:
        theirs = instance.run_storage
        assert type(theirs) is SqliteRunStorage
        assert theirs.get_run_records() == found
        assert theirs.has_execution_plan_snapshot(plan)
        assert instance.get_run_by_id(run.run_id).status == dg.DagsterRunStatus.SUCCESS


def test_a_column_is_looked_for_until_it_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    answers = iter([False, True])
    monkeypatch.setattr(SqliteRunStorage, "has_backfill_id_column", lambda _: next(answers))
    with home_instance(tmp_path) as instance:
        storage = instance.run_storage
        assert [storage.has_backfill_id_column() for _ in range(4)] == [False, True, True, True]
