"""Whichever statement of a publish fails, the warehouse is as it was; the next attempt gives what a clean run gives."""

import pytest
import sqlalchemy as sa

from roster_etl.canonical import TABLES
from roster_etl.canonical.history import history_table
from roster_etl.canonical.sql_types import METADATA
from roster_etl.store.warehouse import Check, ImportFile, Warehouse
from tests.ledgers import in_transaction
from tests.rosters import begin, change, end, enrollment, published, user, version_of

pytestmark = pytest.mark.faults


class Broken(Exception):
    """The failure that the test puts in."""


class FailAt:
    """Fails the n-th statement that is sent to the database."""

    def __init__(self, n):
        self.left = n

    def __call__(self, *_args):
        self.left -= 1
        if self.left == 0:
            raise Broken


def dump(warehouse):
    """Return every row of every table, without the numbers that a rolled back attempt may have used up (PostgreSQL)."""
    tables = [
        *(history_table(name) for name in TABLES),
        *(t for name, t in METADATA.tables.items() if not name.endswith("_history")),
    ]
    with warehouse.reading() as connection:
        return {
            table.name: sorted(
                tuple(map(str, row)) for row in connection.execute(sa.select(*(c for c in table.c if c.name != "version_id")))
            )
            for table in tables
        }


def prepared(url):
    warehouse = Warehouse(url)
    published(warehouse, {"users": change("users", [user("a"), user("b")])})
    changes = {
        "users": change("users", [user("a", last_name="New")], [version_of(warehouse, "users", user_id="a")], "changed"),
        "enrollments": change("enrollments", [enrollment("a"), enrollment("b", None)]),
    }
    second = begin(warehouse, 2)
    checks, files = [Check(name="suite", passed=True, severity="error")], [ImportFile(file="students.csv")]
    return warehouse, (end(second, number=2, checks=checks, files=files), changes, second - 1)


def publish_with_failure(warehouse, plan, n):
    """Publish, with the n-th statement failing, and return whether there was such a statement."""
    engine, fail = warehouse._database._writer, FailAt(n)
    sa.event.listen(engine, "before_cursor_execute", fail)
    try:
        in_transaction(warehouse).publish(*plan)
    except Broken:
        return True
    finally:
        sa.event.remove(engine, "before_cursor_execute", fail)
    return False


def test_a_publish_is_all_or_nothing_at_every_statement(warehouse_url):
    warehouse, plan = prepared(warehouse_url)
    before, n = dump(warehouse), 1
    while publish_with_failure(warehouse, plan, n):
        assert dump(warehouse) == before
        n += 1

    assert n > 12  # it did fail at every statement, and then there was none left
    after = dump(warehouse)
    assert [row for row in after["imports"] if "published" in row] != [row for row in before["imports"] if "published" in row]
    assert len(after["enrollments_history"]) == 2
    assert len(after["users_history"]) == 3
    warehouse.close()
