"""A connection to a SQLite file that is kept for a piece of work."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from roster_etl.store.warehouse import sqlite_pool
from roster_etl.store.warehouse.database import Database
from roster_etl.store.warehouse.errors import WarehouseError
from roster_etl.store.warehouse.sqlite_adbc import execute_statement
from tests.connections import counted_connections


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    found = Database(f"sqlite:///{tmp_path}/warehouse.sqlite", busy_timeout_s=0)
    found.create()
    with found.write() as connection:
        connection.exec_driver_sql("CREATE TABLE numbers (n INTEGER)")
    yield found
    found.close()


def log_of(database: Database) -> Path:
    """SQLite removes it when the last connection is closed."""
    return Path(f"{database.path}-wal")


def read(database: Database) -> int:
    with database.read() as connection:
        return int(connection.exec_driver_sql("SELECT count(*) FROM numbers").scalar_one())


def add(database: Database) -> None:
    with database.write() as connection:
        connection.exec_driver_sql("INSERT INTO numbers VALUES (1)")


def test_transactions_of_a_block_share_one_connection_which_is_closed_after_the_outermost(database: Database) -> None:
    with counted_connections() as counted:
        with database.keep_connection():
            add(database)
            with database.keep_connection():
                assert read(database) == 1
            add(database)
            assert (read(database), counted.made, log_of(database).exists()) == (2, 1, True)
        assert not log_of(database).exists()
        assert (read(database), counted.made) == (2, 2)


def test_each_transaction_begins_as_it_would_on_a_connection_of_its_own(database: Database) -> None:
    other = Database(f"sqlite:///{database.path}", busy_timeout_s=0)
    with database.keep_connection():
        add(database)
        with other.write():
            assert read(database) == 1
            with pytest.raises(WarehouseError), database.write():
                pass
        add(database)
        assert read(other) == 2


def test_what_fails_in_a_block_leaves_a_connection_that_can_be_used(database: Database) -> None:
    with database.keep_connection():
        with pytest.raises(WarehouseError), database.write() as connection:
            connection.exec_driver_sql("INSERT INTO numbers SELECT 1 UNION ALL SELECT letter FROM letters")
        with pytest.raises(WarehouseError), database.read() as connection:
            connection.exec_driver_sql("SELECT * FROM letters")
        assert read(database) == 0


def test_a_process_that_forks_closes_it_first(database: Database) -> None:
    with database.keep_connection():
        add(database)
        assert log_of(database).exists()
        child = os.fork()
        if not child:
            os._exit(0)
        os.waitpid(child, 0)
        assert not log_of(database).exists()
        assert read(database) == 1


def test_closing_in_a_block_closes_it_and_the_file_can_go(database: Database) -> None:
    with database.keep_connection():
        add(database)
        database.close()
        assert not log_of(database).exists()
        database.remove_file()


def test_two_connections_at_once_leave_one_behind(database: Database) -> None:
    with counted_connections() as counted, database.keep_connection():
        with database.read(), database.read():
            pass
        with database.read(), database.read():
            pass
        assert counted.made == 3


def test_a_connection_is_closed_before_the_process_forks_not_after(database: Database) -> None:
    with database.keep_connection():
        add(database)
        child = os.fork()
        if not child:
            os._exit(int(log_of(database).exists()))
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_threads_that_share_it_read_and_write_what_they_would_alone(tmp_path: Path, database: Database) -> None:
    """Each reads its own rows after each write, in blocks of its own; none is open at the end."""
    shared, rounds = Database(f"sqlite:///{database.path}"), 25

    def work(name: int) -> list[int]:
        seen = []
        for _ in range(rounds):
            with shared.keep_connection():
                with shared.write() as connection:
                    connection.exec_driver_sql("INSERT INTO numbers VALUES (?)", (name,))
                with shared.read() as connection:
                    seen.append(connection.exec_driver_sql("SELECT count(*) FROM numbers WHERE n = ?", (name,)).scalar_one())
        return seen

    with ThreadPoolExecutor(2) as threads:
        assert list(threads.map(work, (1, 2))) == [[*range(1, rounds + 1)]] * 2
    assert not log_of(shared).exists()
    assert read(shared) == 2 * rounds


def test_what_comes_back_as_the_block_of_another_thread_ends_is_closed(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    returning, ended = threading.Event(), threading.Event()

    def slowly(connection: Any, statement: str) -> None:
        returning.set()
        assert ended.wait(60)
        execute_statement(connection, statement)

    with ThreadPoolExecutor(1) as thread:
        with database.keep_connection():
            monkeypatch.setattr(sqlite_pool, "execute_statement", slowly)
            reading = thread.submit(read, database)
            assert returning.wait(60)
        ended.set()
        assert reading.result() == 0
    assert not log_of(database).exists()


def test_two_that_come_back_at_once_leave_one_behind(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    both = threading.Barrier(2, timeout=60)

    def together(connection: Any, statement: str) -> None:
        both.wait()
        execute_statement(connection, statement)

    monkeypatch.setattr(sqlite_pool, "execute_statement", together)
    with counted_connections() as counted, database.keep_connection():
        with ThreadPoolExecutor(2) as threads:
            assert [done.result() for done in [threads.submit(read, database) for _ in range(2)]] == [0, 0]
        monkeypatch.undo()
        with database.read(), database.read():
            pass
        assert counted.made == 3


def test_a_fork_while_another_thread_reads_leaves_it_its_connection(database: Database) -> None:
    """The child, which must not use it, opens one of its own."""
    reading, forked = threading.Event(), threading.Event()

    def slowly() -> int:
        with database.read() as connection:
            reading.set()
            assert forked.wait(60)
            return int(connection.exec_driver_sql("SELECT count(*) FROM numbers").scalar_one())

    with ThreadPoolExecutor(1) as thread, database.keep_connection():
        add(database)
        result = thread.submit(slowly)
        assert reading.wait(60)
        child = os.fork()
        if not child:
            os._exit(read(database))
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1
        forked.set()
        assert result.result() == 1


def test_a_copy_and_a_rewrite_see_and_leave_what_the_block_has_written(tmp_path: Path, database: Database) -> None:
    with counted_connections() as counted, database.keep_connection():
        with database.write() as connection:
            connection.exec_driver_sql("CREATE TABLE words (word TEXT)")
            connection.exec_driver_sql("INSERT INTO words VALUES ('to be forgotten')")
        database.copy_to(tmp_path / "copy.sqlite")
        with database.write() as connection:
            connection.exec_driver_sql("DELETE FROM words")
        database.compact()
        add(database)
        assert (read(database), counted.made) == (1, 1)
        left = database.path.read_bytes() + log_of(database).read_bytes()
    assert b"to be forgotten" not in left
    assert b"to be forgotten" in (tmp_path / "copy.sqlite").read_bytes()


def test_while_it_is_idle_others_write_rewrite_and_copy_the_file(tmp_path: Path, database: Database) -> None:
    other = Database(f"sqlite:///{database.path}", busy_timeout_s=0)
    with database.keep_connection():
        add(database)
        add(other)
        other.compact()
        other.copy_to(tmp_path / "copy.sqlite")
        assert log_of(database).stat().st_size == 0
        assert (read(database), read(Database(f"sqlite:///{tmp_path}/copy.sqlite"))) == (2, 2)
