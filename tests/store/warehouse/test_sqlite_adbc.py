"""SQLite through ADBC, where it differs from what SQLAlchemy and Python expect."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa

from roster_etl.store.warehouse.database import Database
from roster_etl.store.warehouse.sqlite_adbc import AdbcSqliteDialect

INTERRUPTED = """
import os, signal, sys, threading, time
import sqlalchemy as sa
from roster_etl.store.library_logs import quiet_library_logs
from roster_etl.store.warehouse.database import Database

quiet_library_logs()  # as every command and run: an interrupt while a cursor is deleted is sent again
database, sum_of = Database(f"sqlite:///{sys.argv[1]}"), sa.text(
    "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c LIMIT 2000) SELECT sum(n) FROM c"
)
database.create()
raised = 0
for number in range(20):
    threading.Timer(0.03 + 0.002 * number, os.kill, (os.getpid(), signal.SIGINT)).start()
    try:
        with database.read() as connection:
            end = time.monotonic() + 5
            while time.monotonic() < end:
                connection.execute(sum_of).scalar_one()
    except KeyboardInterrupt:
        raised += 1
print(raised)
"""


def test_an_interrupt_during_a_statement_is_neither_lost_nor_crashes_the_process(tmp_path: Path) -> None:
    words = [sys.executable, "-c", INTERRUPTED, str(tmp_path / "warehouse.sqlite")]
    ended = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)

    assert (ended.returncode, ended.stdout.strip()) == (0, "20"), ended.stderr[-2000:]


def test_a_statement_is_compiled_once_for_all_sqlite_warehouses_of_a_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    compiled: list[object] = []
    compile_ = AdbcSqliteDialect.statement_compiler.visit_select
    monkeypatch.setattr(
        AdbcSqliteDialect.statement_compiler,
        "visit_select",
        lambda compiler, select, *args, **kwargs: (compiled.append(select), compile_(compiler, select, *args, **kwargs))[1],
    )
    statement = sa.select(sa.literal("only here", sa.Text).label("compiled_once"))
    for name in ("one", "two"):
        database = Database(f"sqlite:///{tmp_path / name}.db")
        database.create()
        for transaction in (database.read, database.write):
            with transaction() as connection:
                assert connection.execute(statement).scalar() == "only here"

    assert len(compiled) == 1
