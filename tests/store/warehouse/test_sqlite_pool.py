"""A connection to a SQLite file that is kept for a piece of work."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from roster_etl.store.warehouse.database import Database
from roster_etl.store.warehouse.errors import WarehouseError
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
