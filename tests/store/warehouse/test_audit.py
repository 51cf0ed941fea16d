"""The audit takes new lines and nothing else, on both databases, and an attempt leaves one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import psycopg
import pytest
import sqlalchemy as sa

from roster_etl.store.actor import actor_channel, os_user
from roster_etl.store.warehouse import AuditEntry, NoHold, Warehouse, WarehouseError
from roster_etl.store.warehouse.database import Database
from roster_etl.store.warehouse.errors import NoRoles
from tests.ledgers import in_transaction

PAUSE = AuditEntry(action="district_pause", district_id="lincoln")
CHANGES = (
    "UPDATE audit SET who = 'somebody else'",
    "DELETE FROM audit",
    "DELETE FROM audit WHERE entry_id = 1",
)
REPLACE = (
    "INSERT OR REPLACE INTO audit (entry_id, at, action, outcome, os_user, via, about) "
    "VALUES (1, '2026-01-01T00:00:00.000000Z', 'grant', 'done', 'x', 'command', '{}')"
)


@pytest.fixture
def warehouse(warehouse_url):
    with Warehouse(warehouse_url) as found:
        in_transaction(found).append_audit(PAUSE)
        yield found


def lines(warehouse):
    return [(row["action"], row["outcome"]) for row in warehouse.ledger.audit()]


def test_no_line_can_be_changed_or_removed(warehouse, warehouse_url):
    before = warehouse.ledger.audit()
    database = Database(warehouse_url)
    for statement in (*CHANGES, REPLACE if database.is_sqlite else "TRUNCATE audit"):
        with pytest.raises(WarehouseError), database.write() as connection:
            connection.execute(sa.text(statement))
    database.close()

    assert warehouse.ledger.audit() == before != []


@pytest.mark.pg
def test_a_loader_adds_lines_and_has_no_right_to_change_them(postgres_url):
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("CREATE ROLE adds LOGIN")
    with Warehouse(postgres_url) as owner:
        owner.migrate()
        owner.grant(loader="adds")
    with Warehouse(postgres_url.replace("//postgres:", "//adds:")) as loader:
        in_transaction(loader).append_audit(PAUSE)
        assert lines(loader) == [("grant", "done"), ("district_pause", "done")]
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        rights = "SELECT privilege_type FROM information_schema.role_table_grants WHERE grantee = 'adds' AND table_name = 'audit'"
        found = {word for (word,) in connection.execute(rights)}
        connection.execute("DROP OWNED BY adds")
        connection.execute("DROP ROLE adds")

    assert found == {"SELECT", "INSERT"}


def test_a_line_says_who_as_whom_by_which_way_and_when(warehouse):
    begun = datetime.now(UTC)
    with actor_channel("command"), actor_channel("ui"):  # what was said first counts
        in_transaction(warehouse).append_audit(AuditEntry(action="discard", who="A. Steward", import_id=7))

    row = warehouse.ledger.audit()[-1]
    assert (row["who"], row["os_user"], row["via"], row["import_id"], row["about"]) == ("A. Steward", os_user(), "command", 7, {})
    assert timedelta(0) <= row["at"] - begun < timedelta(minutes=1)


def test_lines_are_chosen_by_district_and_moment(warehouse):
    in_transaction(warehouse).append_audit(AuditEntry(action="district_add", district_id="adams"))
    newest = warehouse.ledger.audit()[-1]["at"]

    assert [row["action"] for row in warehouse.ledger.audit("adams")] == ["district_add"]
    assert [row["action"] for row in warehouse.ledger.audit(since=newest)] == ["district_add"]


def test_an_attempt_that_is_refused_leaves_one_line_even_within_another(warehouse):
    with pytest.raises(NoHold), warehouse.attempt(PAUSE), warehouse.attempt(PAUSE):
        raise NoHold(import_id=7)

    assert lines(warehouse)[1:] == [("district_pause", "refused")]
    assert warehouse.ledger.audit()[-1]["about"] == {"code": "no_open_hold"}


def test_an_attempt_that_was_carried_out_before_it_broke_off_leaves_the_line_of_that(warehouse):
    def carried_out_and_broken() -> None:
        with warehouse.attempt(PAUSE):
            in_transaction(warehouse).append_audit(PAUSE)
            raise ValueError("later")

    with pytest.raises(ValueError, match="later"):
        carried_out_and_broken()

    assert lines(warehouse)[1:] == [("district_pause", "done")]


def test_a_line_of_a_transaction_that_was_not_committed_does_not_count(warehouse):
    def broken() -> None:
        with warehouse.attempt(PAUSE), warehouse.write() as tx:
            tx.append_audit(PAUSE)
            raise OSError("full")

    with pytest.raises(OSError, match="full"):
        broken()

    assert lines(warehouse)[1:] == [("district_pause", "refused")]
    assert warehouse.ledger.audit()[-1]["about"] == {"code": "OSError"}


def test_a_grant_that_cannot_be_made_is_written_down(tmp_path):
    with Warehouse(f"sqlite:///{tmp_path}/warehouse.sqlite") as warehouse:
        with pytest.raises(NoRoles):
            warehouse.grant(reader="analyst")

        (row,) = warehouse.ledger.audit()
    assert (row["action"], row["outcome"], row["about"]) == ("grant", "refused", {"reader": "analyst", "code": "no_roles"})


def test_an_unknown_action_is_refused():
    with pytest.raises(ValueError, match="no action"):
        AuditEntry(action="look")
