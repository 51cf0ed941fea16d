"""The file of a new run's events, whose tables are copied."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from roster_etl.orchestration.runtime import compact_event_log
from roster_etl.orchestration.runtime.compact_event_log import CompactSqliteEventLog
from roster_etl.orchestration.runtime.new_run_logs import place_new_log


def made(folder: Path, run_id: str) -> Path:
    with CompactSqliteEventLog(str(folder)).run_connection(run_id):
        return folder / f"{run_id}.db"


def described(file: Path) -> tuple[str, object, str]:
    with closing(sqlite3.connect(file)) as database:
        pragmas = [database.execute(f"PRAGMA {name}").fetchone() for name in ("page_size", "journal_mode")]
        return "".join(database.iterdump()), pragmas, oct(file.stat().st_mode)


def test_a_copied_file_is_the_one_that_dagster_makes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copied = made(tmp_path, "copied")
    monkeypatch.setattr(compact_event_log, "is_tested_dagster", lambda _: False)
    assert described(copied) == described(made(tmp_path, "by_dagster"))
    assert 'INSERT INTO "alembic_version"' in described(copied)[0]
    assert sorted(file.name for file in tmp_path.iterdir()) == ["by_dagster.db", "copied.db", "index.db"]


def test_only_the_first_run_of_a_process_makes_the_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made(tmp_path, "first")
    monkeypatch.setattr(compact_event_log, "_prepare_run_log", None)
    assert described(made(tmp_path, "second")) == described(tmp_path / "first.db")


def test_a_file_that_another_process_made_meanwhile_stays(tmp_path: Path) -> None:
    (tmp_path / "run.db").write_bytes(b"of the other")
    assert not place_new_log(tmp_path / "run.db", b"new")
    assert [(file.name, file.read_bytes()) for file in tmp_path.iterdir()] == [("run.db", b"of the other")]


def test_without_hard_links_dagster_makes_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError

    copied = made(tmp_path, "copied")
    monkeypatch.setattr(os, "link", refuse)
    assert described(made(tmp_path, "run")) == described(copied)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["copied.db", "index.db", "run.db"]
