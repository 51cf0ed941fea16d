"""A read session is one connection with one snapshot; a write session is one transaction; the two never overlap in a thread."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from roster_etl.store.warehouse import ImportResult, RosterReader, SqlRoster, Warehouse
from tests.rosters import change, published, user

NOW = datetime(2026, 1, 5, tzinfo=UTC)


@pytest.fixture
def warehouse(warehouse_url: str) -> Iterator[Warehouse]:
    with Warehouse(warehouse_url) as found:
        yield found


def opened(warehouse: Warehouse) -> int:
    """Enter an import, and return its number."""
    with warehouse.write() as tx:
        return tx.open_import(kind="upload", district_id="lincoln", source="clever", started_at=NOW)


def in_another_thread(do: Callable[[], int]) -> int:
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(do).result()


def test_a_session_sees_one_state_whoever_writes_meanwhile(warehouse: Warehouse) -> None:
    with warehouse.read() as session:
        before = session.ledger.imports()
        in_another_thread(lambda: opened(warehouse))

        assert session.ledger.imports() == before == []

    with warehouse.read() as session:
        assert len(session.ledger.imports()) == 1


def test_a_session_within_a_session_is_the_same(warehouse: Warehouse) -> None:
    with warehouse.read() as outer, warehouse.read() as inner:
        assert outer.ledger is inner.ledger


def test_nothing_is_written_or_copied_while_a_session_is_open(warehouse: Warehouse, tmp_path: Path) -> None:
    with warehouse.read():
        with pytest.raises(RuntimeError, match="read session"):
            opened(warehouse)
        with pytest.raises(RuntimeError, match="read session"):
            warehouse.copy_to(tmp_path / "copy.sqlite")

    assert opened(warehouse) == 1


def test_a_session_that_has_ended_answers_no_more(warehouse: Warehouse) -> None:
    with warehouse.read() as session:
        pass

    with pytest.raises(RuntimeError, match="ended"):
        session.ledger.imports()


def test_threads_may_share_a_session(warehouse: Warehouse) -> None:
    number = opened(warehouse)
    with warehouse.read() as session, ThreadPoolExecutor(4) as threads:
        found = [threads.submit(session.ledger.import_, number) for _ in range(20)]

        assert {result.result()["import_id"] for result in found} == {number}


def test_a_write_session_is_all_or_nothing_and_reads_what_it_wrote(warehouse: Warehouse) -> None:
    def broken() -> None:
        with warehouse.write() as tx:
            number = tx.open_import(kind="upload", district_id="lincoln", source="clever", started_at=NOW)
            tx.conclude(ImportResult(import_id=number, status="unchanged", finished_at=NOW))
            assert tx.ledger.import_(number)["status"] == "unchanged"
            raise ValueError("later")

    with pytest.raises(ValueError, match="later"):
        broken()

    with warehouse.read() as session:
        assert session.ledger.imports() == []


def test_a_single_query_runs_in_the_session_that_is_open(warehouse: Warehouse) -> None:
    with warehouse.read() as session:
        assert session.ledger.imports() == []
        in_another_thread(lambda: opened(warehouse))

        assert warehouse.ledger.imports() == []

    assert len(warehouse.ledger.imports()) == 1


def test_a_dry_run_reads_the_roster_it_compares_with_in_and_outside_of_a_session(warehouse: Warehouse, tmp_path: Path) -> None:
    published(warehouse, {"users": change("users", [user("a")])})
    scratch = Warehouse(f"sqlite:///{tmp_path / 'scratch.sqlite'}", compare_with=warehouse)

    with scratch, scratch.read() as session:
        assert session.roster.count_current("lincoln", "clever", "users") == 1
        assert scratch.roster.count_current("lincoln", "clever", "users") == 1
        assert session.ledger.imports() == []


def test_sql_has_every_query_of_the_protocol() -> None:
    names = {name for name, _ in inspect.getmembers(RosterReader) if not name.startswith("_")}

    assert names == {name for name in vars(SqlRoster) if not name.startswith("_")}
