"""The roster read back: what is current, what was known, and every version of a record."""

from datetime import date

import pyarrow as pa
import pytest

from roster_etl.canonical import TABLES
from roster_etl.store.warehouse import QueryColumn, Warehouse, bulk_load
from roster_etl.store.warehouse.roster_read import current_schema
from tests.ledgers import in_transaction
from tests.rosters import DISTRICT, SOURCE, change, day, end, enrollment, published, user, version_of


@pytest.fixture
def warehouse(warehouse_url):
    with Warehouse(warehouse_url) as opened:
        yield opened


def test_current_is_what_a_plan_needs_of_each_current_version(warehouse):
    published(
        warehouse, {"enrollments": change("enrollments", [enrollment("a", None, row_hash="0000000000000005"), enrollment("b")])}
    )
    published(warehouse, {"enrollments": change("enrollments", [enrollment("x")])}, district="madison")
    published(
        warehouse, {"enrollments": change("enrollments", gone=[version_of(warehouse, "enrollments", user_id="b")])}, number=2
    )

    current = warehouse.roster.current(DISTRICT, SOURCE, "enrollments")
    assert current.schema == current_schema(TABLES["enrollments"])
    assert warehouse.roster.count_current(DISTRICT, SOURCE, "enrollments") == 1
    (row,) = current.drop(["version_id"]).to_pylist()
    assert row == {
        "course_id": "c1", "section_id": None, "user_kind": "student", "user_id": "a", "role": "student",
        "associated_user_id": None, "organization_id": None, "source_file": "enrollments.csv", "row_hash": "0000000000000005",
    }  # fmt: skip


def test_an_empty_table_has_its_schema(warehouse):
    for name, table in TABLES.items():
        assert warehouse.roster.current(DISTRICT, SOURCE, name) == current_schema(table).empty_table()
        assert warehouse.roster.as_of(day(1), name, DISTRICT) == table.full_schema.empty_table()


def test_versions_are_returned_whole_by_number(warehouse):
    published(warehouse, {"users": change("users", [user(name, first_name=name.upper()) for name in "abc"])})
    wanted = [version_of(warehouse, "users", user_id=name) for name in "ca"]

    found = warehouse.roster.versions("users", pa.array(wanted))
    assert found.schema == TABLES["users"].full_schema
    assert [(row["first_name"], row["source"]) for row in found.to_pylist()] == [("A", SOURCE), ("C", SOURCE)]
    assert warehouse.roster.versions("users", pa.array([], pa.int64())).num_rows == 0


def test_as_of_tells_what_was_known_then(warehouse):
    published(warehouse, {"users": change("users", [user("a", last_name="Old"), user("b")])}, number=2)
    gone = [version_of(warehouse, "users", user_id=name) for name in "ab"]
    published(warehouse, {"users": change("users", [user("a", last_name="New")], gone, "changed")}, number=4)

    def known(number):
        return [(row["user_id"], row["last_name"]) for row in warehouse.roster.as_of(day(number), "users", DISTRICT).to_pylist()]

    assert known(1) == []
    assert known(2) == known(3) == [("a", "Old"), ("b", None)]
    assert known(4) == [("a", "New")]
    assert warehouse.roster.as_of(day(4), "users", DISTRICT, "canvas").num_rows == 0


def test_a_trace_takes_part_of_a_key_and_null(warehouse):
    rows = [enrollment("a", None), enrollment("a", "50%_'s"), enrollment("b", None)]
    published(warehouse, {"enrollments": change("enrollments", rows)})

    def traced(**key):
        found = warehouse.roster.trace("enrollments", key, DISTRICT, SOURCE).to_pylist()
        return sorted((row["user_id"], row["section_id"] or "") for row in found)

    assert traced(user_id="a") == [("a", ""), ("a", "50%_'s")]
    assert traced(section_id=None) == [("a", ""), ("b", "")]
    assert traced(section_id="50%_'s", course_id="c1") == [("a", "50%_'s")]
    assert traced(user_id="A") == []
    with pytest.raises(KeyError, match="status"):
        traced(status="active")


def test_ids_are_told_apart_by_every_character(warehouse):
    published(warehouse, {"users": change("users", [user(name) for name in ("007", "7", "7.0", "a", "A", "Null", "é")])})

    for name in ("007", "7", "7.0", "a", "A", "Null", "é"):
        assert [row["user_id"] for row in warehouse.roster.trace("users", {"user_id": name}, DISTRICT).to_pylist()] == [name]


def test_more_rows_than_one_batch_keep_their_types(warehouse):
    rows = [enrollment(f"{number:05}", None if number < 4000 else "s") for number in range(5000)]
    published(warehouse, {"enrollments": change("enrollments", rows)})

    assert warehouse.roster.current(DISTRICT, SOURCE, "enrollments")["section_id"].null_count == 4000
    assert warehouse.roster.trace("enrollments", {"course_id": "c1"}, DISTRICT)["section_id"].null_count == 4000


def absence(user_id, number=1, **cells):
    return {
        "organization_id": "10", "user_id": user_id, "period": str(number), "date": date(2026, 9, number), "absence_code": "A", **cells
    }  # fmt: skip


def test_records_are_found_by_their_keys_alone(warehouse):
    rows = [absence("s1"), absence("s1", 2), absence("s2", period=None)]
    published(warehouse, {"attendance": change("attendance", rows)})
    published(warehouse, {"attendance": change("attendance", rows)}, district="madison")
    keys = pa.Table.from_pylist([rows[1], rows[2], absence("s3")], schema=TABLES["attendance"].arrow_schema)

    found = warehouse.roster.versions_by_key(DISTRICT, SOURCE, "attendance", keys)

    assert found.schema == TABLES["attendance"].full_schema
    assert [(row["district_id"], row["user_id"], row["date"]) for row in found.to_pylist()] == [
        (DISTRICT, "s1", date(2026, 9, 2)),
        (DISTRICT, "s2", date(2026, 9, 1)),
    ]
    assert warehouse.roster.versions_by_key(DISTRICT, SOURCE, "attendance", keys.slice(0, 0)).num_rows == 0


def test_each_key_is_looked_up_in_the_index_of_current_keys(tmp_path, monkeypatch):
    plans = []

    def explained(connection, query, *others):
        if "CROSS JOIN" in (sql := bulk_load.literal(connection, query)):
            plans.extend(row[-1] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}"))
        return fetch(connection, query, *others)

    fetch = bulk_load.fetch
    monkeypatch.setattr(bulk_load, "fetch", explained)
    keys = pa.Table.from_pylist([absence("s1")], schema=TABLES["attendance"].arrow_schema)
    with Warehouse(f"sqlite:///{tmp_path}/warehouse.sqlite") as warehouse:
        warehouse.roster.versions_by_key(DISTRICT, SOURCE, "attendance", keys)

    assert plans[0] == "SCAN keys_attendance"
    assert "organization_id=? AND user_id=? AND <expr>=? AND date=? AND absence_code=?" in plans[1]


def test_values_are_known_from_current_records_along_their_references(warehouse):
    sections = [{"section_id": "a", "period": "1"}, {"section_id": "b", "period": None}]
    enrollments = [enrollment("s1", "a"), enrollment("s1", "b"), enrollment("s2", "a", role="teacher")]
    published(warehouse, {"sections": change("sections", sections), "enrollments": change("enrollments", enrollments)})
    student = QueryColumn(table="enrollments", column="user_id", name="Student", where={"role": "student"})
    period = QueryColumn(table="sections", column="period", name="Period")

    assert warehouse.roster.distinct_values(DISTRICT, SOURCE, [student]).to_pylist() == [{"Student": "s1"}]
    assert warehouse.roster.distinct_values(DISTRICT, SOURCE, [student, period]).to_pylist() == [{"Student": "s1", "Period": "1"}]
    assert warehouse.roster.distinct_values("madison", SOURCE, [student]).num_rows == 0


def test_tables_that_do_not_belong_together_are_not_asked_together(warehouse):
    with pytest.raises(ValueError, match="nothing refers from terms"):
        warehouse.roster.distinct_values(
            DISTRICT, SOURCE, [QueryColumn(table=name, column=f"{name[:-1]}_id", name=name) for name in ("users", "terms")]
        )


def test_of_what_is_gone_the_last_version_is_found_by_whole_keys(warehouse):
    """Records with NULL in their keys, a record that came back, and other districts."""
    rows = [enrollment("a", None), enrollment("b"), enrollment("c")]
    published(warehouse, {"enrollments": change("enrollments", rows)})
    published(warehouse, {"enrollments": change("enrollments", [enrollment("z")])}, district="madison")
    gone = [version_of(warehouse, "enrollments", user_id=name) for name in "abc"]
    published(warehouse, {"enrollments": change("enrollments", gone=gone, reason="deleted")}, number=2)
    published(warehouse, {"enrollments": change("enrollments", [enrollment("b")])}, number=3)

    found = warehouse.roster.last_removed_versions(DISTRICT, SOURCE, "enrollments")
    assert found.schema == TABLES["enrollments"].full_schema
    assert sorted((row["user_id"], row["section_id"], row["close_reason"]) for row in found.to_pylist()) == [
        ("a", None, "deleted"),
        ("c", "s1", "deleted"),
    ]


def test_keys_of_current_records_are_read_by_kind_with_their_files(warehouse):
    teacher = {"user_kind": "teacher", "user_id": "a", "status": "active"}
    published(warehouse, {"users": change("users", [user("a"), user("b"), teacher])})
    published(warehouse, {"users": change("users", gone=[version_of(warehouse, "users", user_id="b")])}, number=2)

    found = warehouse.roster.current_keys(DISTRICT, SOURCE, "users", {"user_kind": "student"})

    assert found.to_pylist() == [{"user_kind": "student", "user_id": "a", "source_file": "users.csv"}]
    assert warehouse.roster.current_keys(DISTRICT, SOURCE, "users", {}).num_rows == 2


def test_removed_versions_are_read_by_the_ids_that_are_asked_for(warehouse):
    enrolled = [enrollment("a"), enrollment("b"), enrollment("a", None), enrollment("c", "s2")]
    published(warehouse, {"users": change("users", [user("a"), user("b")]), "enrollments": change("enrollments", enrolled)})
    gone = {
        "users": change("users", gone=[version_of(warehouse, "users", user_id=one) for one in "ab"], reason="deleted"),
        "enrollments": change("enrollments", gone=[1, 2, 3, 4], reason="deleted"),
    }
    published(warehouse, gone, number=2)
    published(warehouse, {"users": change("users", [user("b")])}, number=3)
    course = warehouse.roster.last_removed_versions(DISTRICT, SOURCE, "enrollments").column("course_id")[0].as_py()

    found = warehouse.roster.removed_versions_of(DISTRICT, SOURCE, ["users", "enrollments"], pa.array(["a", "b", course]))

    assert found["users"].column("user_id").to_pylist() == ["a"]
    assert found["enrollments"].schema == TABLES["enrollments"].full_schema
    assert sorted(found["enrollments"].column("user_id").to_pylist()) == ["a", "a", "b"]
    found = warehouse.roster.removed_versions_of(DISTRICT, SOURCE, ["enrollments"], pa.array([course, "c"]))
    assert {(row["user_id"], row["section_id"]) for row in found["enrollments"].to_pylist()} == {("a", None), ("c", "s2")}
    assert not warehouse.roster.removed_versions_of(DISTRICT, SOURCE, ["enrollments"], pa.array(["a"]))["enrollments"].num_rows


def test_what_was_gone_when_its_id_changed_is_found_although_another_record_has_the_id(warehouse):
    def renamed(old, new):
        return {"entity": "users", "old_id": old, "new_id": new}

    published(warehouse, {"users": change("users", [user("a", first_name="Ann"), user("b", first_name="Bob")])})
    gone = {"users": change("users", gone=[version_of(warehouse, "users", user_id="a")], reason="deleted")}
    published(warehouse, gone, number=2)
    moved = change("users", [user("c")], gone=[version_of(warehouse, "users", user_id="b")], reason="renamed")
    changes = change("id_changes", [renamed("a", "n"), renamed("b", "c")])
    published(warehouse, {"users": moved, "id_changes": changes}, number=3)
    published(warehouse, {"users": change("users", [user("a", first_name="New")])}, number=4)

    renames = pa.table({"old_id": ["a", "b"], "changed": [3, 3]})

    def found(table, *reverted):
        return warehouse.roster.versions_before_rename(DISTRICT, SOURCE, table, renames, reverted).to_pylist()

    assert [row["first_name"] for row in found("users")] == ["Ann"]
    assert found("users", 2) == []
    assert found("courses") == found("observers") == []


def test_a_record_that_changed_and_went_is_found_as_it_was_last(warehouse):
    published(warehouse, {"users": change("users", [user("a", first_name="Old")])})
    old = version_of(warehouse, "users", user_id="a")
    published(warehouse, {"users": change("users", [user("a", first_name="New")], gone=[old], reason="changed")}, number=2)
    published(
        warehouse, {"users": change("users", gone=[version_of(warehouse, "users", user_id="a")], reason="deleted")}, number=3
    )

    assert [row["first_name"] for row in warehouse.roster.last_removed_versions(DISTRICT, SOURCE, "users").to_pylist()] == ["New"]


def test_what_imports_that_do_not_count_closed_had_not_left(warehouse):
    """Ann went and came back before an import closed her that does not count; Bob came and went by such imports alone."""

    def closed(*names, number, reason="deleted"):
        gone = [version_of(warehouse, "users", user_id=name) for name in names]
        return published(warehouse, {"users": change("users", gone=gone, reason=reason)}, number=number)

    published(warehouse, {"users": change("users", [user("a", first_name="Ann"), user("c")])})
    closed("a", number=2)
    published(warehouse, {"users": change("users", [user("a", first_name="Anna"), user("b")])}, number=3)
    closed("b", number=4)
    closed("a", number=5, reason="undone")

    def found(*reverted):
        rows = warehouse.roster.last_removed_versions(DISTRICT, SOURCE, "users", reverted)
        some = warehouse.roster.removed_versions_of(DISTRICT, SOURCE, ["users"], pa.array(["a", "b", "c"]), reverted)["users"]
        assert rows.to_pylist() == some.to_pylist()
        return sorted((row["user_id"], row["first_name"]) for row in rows.to_pylist())

    assert [name for name, _ in found()] == ["a", "b"]
    assert found(3, 4, 5) == [("a", "Ann")]


@pytest.mark.parametrize(
    ("undone", "reverted"),
    [
        ({}, ()),
        ({3: [2]}, (2, 3)),
        ({3: [2], 4: [3]}, (3, 4)),
        ({3: [2], 4: [3], 5: [4]}, (2, 3, 4, 5)),
        ({4: [2, 3]}, (2, 3, 4)),
    ],
)
def test_imports_that_left_nothing_are_those_that_were_undone_and_the_undos(warehouse, undone, reverted):
    for number in range(1, 6):
        kind = "undo" if number in undone else "upload"
        import_id = in_transaction(warehouse).open_import(
            kind=kind, district_id=DISTRICT, source=SOURCE, upload_id=str(number), started_at=day(number)
        )
        summary = {"undoes": undone[number]} if number in undone else {}
        in_transaction(warehouse).publish(end(import_id, number=number, summary=summary), {}, number - 1 or None)

    assert warehouse.roster.reverted_imports(DISTRICT, SOURCE) == reverted
    assert warehouse.roster.reverted_imports("madison", SOURCE) == ()


def test_ids_that_all_of_some_feeds_have_now_are_found(warehouse):
    for source, names in (("clever", ("a", "b", "c")), ("canvas", ("a", "b", "d"))):
        import_id = in_transaction(warehouse).open_import(
            kind="upload", district_id=DISTRICT, source=source, upload_id=source, started_at=day(1)
        )
        sections = change("sections", [{"section_id": name, "course_id": "c1"} for name in names])
        in_transaction(warehouse).publish(end(import_id), {"sections": sections}, None)
    published(warehouse, {"sections": change("sections", gone=[version_of(warehouse, "sections", section_id="b")])}, number=2)

    with warehouse.read_reconciliation() as session:
        found = session.ids_in_feeds(DISTRICT, ("canvas", "clever"), "sections", pa.array(["a", "b", "c", "d", "e"]))
        elsewhere = session.ids_in_feeds("madison", ("canvas", "clever"), "sections", pa.array(["a"]))

    assert (found.to_pylist(), elsewhere.to_pylist()) == (["a"], [])


def test_id_changes_are_found_by_either_id_whether_few_or_many_are_asked_for(warehouse: Warehouse) -> None:
    rows = [{"entity": "users", "old_id": f"o{number}", "new_id": f"n{number}"} for number in range(6)]
    published(warehouse, {"id_changes": change("id_changes", rows)})

    def found(*ids: str) -> list[str]:
        return sorted(warehouse.roster.id_changes_of(DISTRICT, SOURCE, pa.array(ids, pa.string())).column("old_id").to_pylist())

    assert found("o1", "n4") == ["o1", "o4"]
    assert found("o1", "n4", *(f"x{number}" for number in range(9))) == ["o1", "o4"]
    assert (found("x"), found()) == ([], [])


def test_the_names_of_schools_are_those_of_then_and_of_the_last_version_of_one_that_is_gone(warehouse):
    def school(name: str, title: str | None) -> dict[str, str | None]:
        return {"organization_id": name, "type": "school", "name": title}

    first = [school("s1", "Old"), school("s2", "Gone"), school("s3", None)]
    published(warehouse, {"organizations": change("organizations", first)})
    gone = [version_of(warehouse, "organizations", organization_id=name) for name in ("s1", "s2")]
    published(warehouse, {"organizations": change("organizations", [school("s1", "New")], gone, "changed")}, number=2)

    def names(import_id: int) -> dict[str, str]:
        return warehouse.roster.school_names(DISTRICT, SOURCE, ["s1", "s2", "s3", "s4"], import_id)

    assert names(1) == {"s1": "Old", "s2": "Gone"}
    assert names(2) == {"s1": "New", "s2": "Gone"}
    assert names(0) == {}
