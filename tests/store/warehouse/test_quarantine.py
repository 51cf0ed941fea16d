"""A row is in the quarantine while no import that counts has taken it out."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pytest
import sqlalchemy as sa

from roster_etl.canonical.ledger import LEFT_QUARANTINE, WAITING_FOR
from roster_etl.store.warehouse import REJECTED_ROWS_SCHEMA, RELEASED_ROWS_SCHEMA, ImportFile, PurgeScope, Warehouse
from tests.ledgers import in_transaction
from tests.rosters import DISTRICT, SOURCE, begin, day, end, published

FILE = "enrollments.csv"


@pytest.fixture
def warehouse(warehouse_url: str) -> Iterator[Warehouse]:
    with Warehouse(warehouse_url) as opened:
        yield opened


def rejecting(warehouse: Warehouse, *rows: tuple[int, str], number: int = 1) -> int:
    """Publish an import that rejects `rows`, for these reasons."""
    lines = [{"file": FILE, "row": row, "code": code, "record": f'{{"n": {row}}}'} for row, code in rows]
    rejected = pa.Table.from_pylist(lines, REJECTED_ROWS_SCHEMA)
    files = [ImportFile(file=FILE, kind="enrollments")]
    return published(warehouse, {}, number=number, rejected_rows=rejected, files=files)


def releasing(warehouse: Warehouse, number: int, *places: tuple[int, int]) -> int:
    """Publish an import that applies or replaces rejected rows, named by import and row."""
    leaving = [{"import_id": import_id, "file": FILE, "row": row} for import_id, row in places]
    return published(warehouse, {}, number=number, released_rows=pa.Table.from_pylist(leaving, RELEASED_ROWS_SCHEMA))


def undoing(warehouse: Warehouse, number: int, *undone: int) -> int:
    """Publish an undo of imports."""
    base = warehouse.roster.base(DISTRICT, SOURCE)
    undo = in_transaction(warehouse).open_import(kind="undo", district_id=DISTRICT, source=SOURCE, started_at=day(number))
    with warehouse.write() as session:
        session.publish(end(undo, number=number, summary={"undoes": [*undone]}), {}, base)
        session.follow_undo(undo)
    return undo


def in_quarantine(warehouse: Warehouse) -> list[tuple[int, int, str]]:
    """Return import, row and code of the rejected rows."""
    rows = warehouse.ledger.quarantined_rows().to_pylist()
    return [(row["import_id"], row["row"], row["code"]) for row in sorted(rows, key=lambda row: (row["row"], row["code"]))]


def test_what_an_undone_import_took_out_comes_back_and_leaves_again_with_each_further_undo(warehouse: Warehouse) -> None:
    first = rejecting(warehouse, (2, "bad_date"), (2, "missing_required"), (3, "bad_date"), (4, "bad_date"))
    whole = in_quarantine(warehouse)
    one, other = releasing(warehouse, 2, (first, 2)), releasing(warehouse, 3, (first, 3), (first, 4))
    assert in_quarantine(warehouse) == []

    undo, undone, states = other, [one, other], []
    for number in range(4, 8):
        undo = undoing(warehouse, number, *undone)
        undone = [undo]
        flags = {row["import_id"]: row["quarantined"] for row in warehouse.ledger.imports()}
        states.append((in_quarantine(warehouse), flags[first], warehouse.roster.has_quarantine(DISTRICT, SOURCE)))

    assert states == [(whole, True, True), ([], False, False)] * 2


def test_a_row_that_an_import_before_the_undone_one_took_out_stays_out(warehouse: Warehouse) -> None:
    first = rejecting(warehouse, (2, "bad_date"), (3, "bad_date"))
    releasing(warehouse, 2, (first, 2))
    later = releasing(warehouse, 3, (first, 3))

    undoing(warehouse, 4, later)

    assert in_quarantine(warehouse) == [(first, 3, "bad_date")]


def test_a_row_that_comes_back_and_is_taken_out_anew_is_there_once_where_both_are_undone(warehouse: Warehouse) -> None:
    first = rejecting(warehouse, (2, "bad_date"), (2, "bad_date"))
    taken = releasing(warehouse, 2, (first, 2))
    undo = undoing(warehouse, 3, taken)
    again = releasing(warehouse, 4, (first, 2))
    assert in_quarantine(warehouse) == []

    undoing(warehouse, 5, taken, undo, again)

    assert in_quarantine(warehouse) == [(first, 2, "bad_date")] * 2  # one for each finding, as before


def test_a_row_that_is_back_already_stays_there_once_where_its_import_is_undone_by_another_undo(warehouse: Warehouse) -> None:
    first = rejecting(warehouse, (2, "bad_date"))
    taken = releasing(warehouse, 2, (first, 2))
    undo = undoing(warehouse, 3, taken)

    undoing(warehouse, 4, taken, undo)

    assert in_quarantine(warehouse) == [(first, 2, "bad_date")]


def test_rows_of_other_feeds_stay_where_they_are(warehouse: Warehouse) -> None:
    theirs = published(
        warehouse, {}, number=1, district="madison",
        rejected_rows=pa.Table.from_pylist([{"file": FILE, "row": 2, "code": "bad_date", "record": "{}"}], REJECTED_ROWS_SCHEMA),
    )  # fmt: skip
    leaving = pa.Table.from_pylist([{"import_id": theirs, "file": FILE, "row": 2}], RELEASED_ROWS_SCHEMA)
    published(warehouse, {}, number=2, district="madison", released_rows=leaving)
    first = rejecting(warehouse, (2, "bad_date"), number=3)
    taken = releasing(warehouse, 4, (first, 2))

    undoing(warehouse, 5, taken)

    assert in_quarantine(warehouse) == [(first, 2, "bad_date")]


def test_a_purge_keeps_nothing_of_what_left_the_quarantine_of_its_district(warehouse: Warehouse) -> None:
    first = rejecting(warehouse, (2, "bad_date"))
    releasing(warehouse, 2, (first, 2))

    purge = begin(warehouse, 3)
    scope = PurgeScope(district_id=DISTRICT, person=("student", "nobody"))
    warehouse.purge(scope, lambda _: [end(purge, number=3)])

    with warehouse.reading() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(LEFT_QUARANTINE)).scalar_one() == 0


def test_of_a_row_that_leaves_nothing_is_kept_of_what_it_waited_for(warehouse: Warehouse) -> None:
    first = rejecting(warehouse, (2, "bad_date"), (3, "bad_date"))
    with warehouse.write(directly=True) as tx:
        waits = [{"import_id": first, "file": FILE, "row": row, "awaits": awaits} for row in (2, 3) for awaits in (7, 8)]
        tx._connection.execute(sa.insert(WAITING_FOR), waits)
    releasing(warehouse, 2, (first, 2))

    with warehouse.write(directly=True) as tx:
        left = tx._connection.execute(sa.select(WAITING_FOR.c.row, WAITING_FOR.c.awaits).order_by(WAITING_FOR.c.awaits)).all()
    assert [tuple(row) for row in left] == [(3, 7), (3, 8)]
