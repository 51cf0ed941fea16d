"""Two who write about one district at once: the second waits for the first, and then sees what the first has done."""

import time
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
import sqlalchemy as sa

from roster_etl.store.warehouse import Hold, ImportNotRunning, NoHold, PurgeScope, RosterChanged, Warehouse
from tests.ledgers import in_transaction
from tests.rosters import DISTRICT, SOURCE, begin, change, day, end, published, user

TRIES = 3000
WAITING = "SELECT count(*) FROM pg_locks WHERE NOT granted"


@pytest.fixture
def warehouse(warehouse_url):
    with Warehouse(warehouse_url) as opened:
        yield opened


@pytest.fixture
def another():
    with ThreadPoolExecutor(1) as thread:
        yield thread


def held(warehouse, number):
    import_id = begin(warehouse, number)
    in_transaction(warehouse).conclude(end(import_id, "held", number, hold=hold(number)))
    return import_id


def hold(number):
    return Hold(reason="change_threshold_exceeded", plan_sha256="ab" * 32, created_at=day(number))


def let_it_wait_or_end(warehouse: Warehouse, other: Future) -> None:
    """Go on when the other one waits for a lock, or has ended. SQLite tells nothing of who waits: there the first statement does."""
    for _ in range(TRIES if warehouse.url.startswith("postgresql") else 0):
        with ThreadPoolExecutor(1) as looking:
            if other.done() or looking.submit(waiting, warehouse).result():
                return
        time.sleep(0.01)


def waiting(warehouse):
    with warehouse.reading() as connection:
        return connection.execute(sa.text(WAITING)).scalar()


def discard(warehouse, import_id):
    in_transaction(warehouse).decide_hold(import_id, "discarded", "A. Steward", day(4))


def decision(warehouse, import_id):
    return warehouse.ledger.hold(import_id)["decision"], warehouse.ledger.import_(import_id)["status"]


def test_a_hold_that_a_newer_hold_closes_is_discarded_too_late(warehouse, another):
    older, newer = held(warehouse, 1), begin(warehouse, 2)

    with warehouse.write() as tx:
        tx.conclude(end(newer, "held", 2, hold=hold(2)))
        late = another.submit(discard, warehouse, older)
        let_it_wait_or_end(warehouse, late)
        closed = tx.supersede_holds(DISTRICT, SOURCE, newer, day(2))

    with pytest.raises(NoHold):
        late.result()
    assert (closed, decision(warehouse, older)) == ([older], ("superseded", "held"))


def test_a_hold_that_a_published_import_closes_is_discarded_too_late(warehouse, another):
    older, newer = held(warehouse, 1), begin(warehouse, 2)

    with warehouse.write() as tx:
        tx.publish(end(newer, number=2), {"users": change("users", [user("a")])}, None)
        late = another.submit(discard, warehouse, older)
        let_it_wait_or_end(warehouse, late)
        tx.decide_hold(older, "superseded", f"import {newer}", day(2))

    with pytest.raises((NoHold, ImportNotRunning)):
        late.result()
    assert decision(warehouse, older) == ("superseded", "held")


def test_a_hold_that_is_approved_during_a_purge_does_not_bring_back_who_was_removed(warehouse, another):
    published(warehouse, {"users": change("users", [user("gone")])})
    base, waits = warehouse.roster.base(DISTRICT, SOURCE), held(warehouse, 2)
    number, others = (
        in_transaction(warehouse).open_import(kind="purge", district_id=DISTRICT, source=SOURCE, started_at=day(3)),
        [],
    )

    def approve():
        changes = {"users": change("users", [user("gone", user_kind="student")])}
        in_transaction(warehouse).publish(end(waits, number=4), changes, base, approved_by="A. Steward")

    def conclusions(_):
        others.append(another.submit(approve))
        let_it_wait_or_end(warehouse, others[0])
        return [end(number, number=3)]

    warehouse.purge(PurgeScope(district_id=DISTRICT, person=("student", "gone")), conclusions)

    with pytest.raises(RosterChanged):
        others[0].result()
    assert warehouse.ledger.mentions_person(DISTRICT, "student", "gone") is False
