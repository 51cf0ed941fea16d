"""What came back is compared with the roster, whether its records are found by their place in the file or by their keys."""

from __future__ import annotations

import random
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pytest

from roster_etl.canonical.roster import TABLES
from roster_etl.exports import measure_losses
from roster_etl.exports.export_tables import ROW, ExportTables
from roster_etl.exports.measure_losses import count_roundtrip_losses
from roster_etl.frames import arrow
from roster_etl.vendors.export_formats import export_format

ROWS, NAME = 60, "enrollments"
FORMAT = export_format("oneroster")


@pytest.fixture(autouse=True)
def small_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look for ascending rows in short tables as well."""
    monkeypatch.setattr(arrow, "_CODED_AT_ONCE", 2)


def roster(chance: random.Random) -> ExportTables:
    """Return enrollments in any order, of which some were left out by a rule, and another changed cells."""
    pairs = [(f"s{n // 6}", f"u{n:03}") for n in range(ROWS)]
    chance.shuffle(pairs)
    schema = pa.schema([*TABLES[NAME].arrow_schema, ("derived", pa.string()), ("extensions", pa.string())])
    given = {
        "course_id": ["c"] * ROWS, "section_id": [s for s, _ in pairs], "user_kind": ["user"] * ROWS, "user_id": [u for _, u in pairs],
        "role": ["student"] * ROWS, "status": [chance.choice(["active", None]) for _ in pairs],
    }  # fmt: skip
    table = pa.table([pa.array(given.get(f.name, [None] * ROWS), f.type) for f in schema], schema=schema)
    work = ExportTables({NAME: table}, "d", "D", "UTC", datetime(2026, 9, 1, tzinfo=UTC), {})
    work.tables[NAME] = work.table(NAME).filter(pa.array([chance.random() > 0.2 for _ in pairs]))
    return work


def written(work: ExportTables) -> pa.Table:
    """Return the rows in the order of their file, as it is noted."""
    rows = work.table(NAME).sort_by([("section_id", "ascending"), ("user_id", "ascending")]).combine_chunks()
    work.written[NAME] = rows.column(ROW).chunk(0)
    return rows.select([*TABLES[NAME].names, "extensions"])


def broken(rows: pa.Table, fault: str, chance: random.Random) -> pa.Table:
    """Return what comes back of `rows`."""
    records, at = rows.to_pylist(), chance.randrange(1, rows.num_rows)
    if fault == "a cell":
        records[at]["status"] = "completed"
    elif fault == "a key":
        records[at]["user_id"] += "x"
    elif fault == "a missing record":
        del records[at]
    elif fault == "a record twice":
        records[at] = records[at - 1]
    elif fault == "another order":
        records[at], records[at - 1] = records[at - 1], records[at]
    elif fault == "one more":
        records.append(records[-1] | {"user_id": "z"})
    return pa.Table.from_pylist(records, schema=rows.schema)


FAULTS = ("nothing", "a cell", "a key", "a missing record", "a record twice", "another order", "one more")


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("seed", range(4))
def test_records_found_by_place_have_the_losses_of_those_found_by_key(fault, seed, monkeypatch):
    found = []
    for by_key in (False, True):
        chance = random.Random(seed)
        work = roster(chance)
        back = broken(written(work), fault, chance)
        if by_key:
            monkeypatch.setattr(measure_losses, "_aligned", lambda *_: None)
        count_roundtrip_losses(work, [(NAME, back)], FORMAT)
        found.append(work.losses.document())

    assert found[0] == found[1]
    assert bool(found[0]) == (fault not in ("nothing", "another order"))


@pytest.mark.parametrize("fault", FAULTS)
def test_records_are_taken_for_those_of_their_rows_only_if_all_keys_are_the_same_and_differ(fault, monkeypatch):
    work = roster(random.Random(1))
    said = work.table(NAME)
    back = broken(said.select([*TABLES[NAME].names, "extensions"]), fault, random.Random(1))
    by_row, first = measure_losses._places(said, back, TABLES[NAME].key, work.store)
    monkeypatch.setattr(measure_losses, "_same_in_each_row", lambda *_: False)
    by_key, first_by_key = measure_losses._places(said, back, TABLES[NAME].key, work.store)

    assert by_row.tolist() == by_key.tolist()
    assert first.tolist() == first_by_key.tolist()


def test_records_with_one_key_in_both_are_joined_though_each_row_is_the_same():
    work = roster(random.Random(1))
    twice = pa.concat_tables([work.table(NAME), work.table(NAME).slice(3, 1)]).combine_chunks()
    places, first = measure_losses._places(twice, twice, TABLES[NAME].key, work.store)

    assert places.tolist() == [*range(twice.num_rows - 1), 3]
    assert first.tolist() == [True] * (twice.num_rows - 1) + [False]


@pytest.mark.parametrize("places", [[0, 1, 2], [1, 0, 2], [0, 1], []])
def test_rows_are_copied_unless_they_are_all_in_their_order(places):
    found = measure_losses._if_moved(np.array(places, dtype=np.int64), 3)

    assert found is None if places == [0, 1, 2] else found.to_pylist() == places


def test_only_rows_whose_keys_are_those_that_were_written_are_found_by_place():
    for fault in FAULTS:
        chance = random.Random(1)
        work = roster(chance)
        back = broken(written(work), fault, chance)

        assert (measure_losses._aligned(work, NAME, back) is not None) == (fault in ("nothing", "a cell"))


@pytest.mark.parametrize("seed", range(4))
def test_records_that_a_rule_gave_one_key_are_joined_although_each_came_back(seed, monkeypatch):
    found = []
    for by_key in (False, True):
        work = roster(random.Random(seed))
        records = work.table(NAME).sort_by([("section_id", "ascending"), ("user_id", "ascending")]).to_pylist()
        records[1] |= {name: records[0][name] for name in ("section_id", "user_id")}
        work.tables[NAME] = pa.Table.from_pylist(records, schema=work.table(NAME).schema)
        if by_key:
            monkeypatch.setattr(measure_losses, "_aligned", lambda *_: None)
        count_roundtrip_losses(work, [(NAME, written(work))], FORMAT)
        found.append(work.losses.document())

    assert found[0] == found[1]
    assert work.losses.count(table=NAME, kinds=frozenset({"rows_joined"})) == 1


@pytest.mark.parametrize("number", [ROWS - 1, ROWS, 10 * ROWS])
def test_a_file_whose_rows_have_numbers_of_another_table_is_read_by_keys(number):
    work = roster(random.Random(2))
    gone = {*range(ROWS)} - {*work.table(NAME).column(ROW).to_pylist()}
    back = written(work)
    numbers = work.written[NAME].to_pylist()
    work.written[NAME] = pa.array([*numbers[:-1], max(gone) if number < ROWS else number], pa.int64())

    assert measure_losses._aligned(work, NAME, back) is None
    count_roundtrip_losses(work, [(NAME, back)], FORMAT)
    assert work.losses.document() == []


@pytest.mark.parametrize("place", ["the file", "the roster"])
def test_records_that_a_rule_added_are_found_by_keys(place):
    work = roster(random.Random(3))
    back = written(work)
    numbers = work.table(NAME).column(ROW).to_pylist()
    if place == "the file":
        work.written[NAME] = pa.array([None, *work.written[NAME].to_pylist()[1:]], pa.int64())
    else:
        table = work.table(NAME)
        added = pa.array([None, *numbers[1:]], pa.int64())
        work.tables[NAME] = table.set_column(table.schema.get_field_index(ROW), ROW, added)

    assert measure_losses._aligned(work, NAME, back) is None
