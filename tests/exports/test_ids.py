"""Ids that a format does not allow leave their records out, with what hangs on them; two people with one id refuse the export."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from random import Random

import pyarrow as pa
import pytest

from roster_etl.exports.build import prepare
from roster_etl.exports.export_tables import ExportTables
from roster_etl.exports.plan import ExportFormat
from roster_etl.exports.rules.oneroster_sessions import ID_PATTERN, made_ids
from roster_etl.exports.rules.people import IdClash
from roster_etl.pipeline.exports.order import export_options
from roster_etl.vendors.export_formats import export_formats
from tests.exports.generated_rosters import ZONE, generated_roster

ONE_SPACE = ("oneroster", "canvas", "sds", "apple_school_manager", "edfi")


def prepared(tables: dict[str, pa.Table], format_: ExportFormat, **given: str) -> ExportTables:
    options = export_options(format_, given)
    work = ExportTables(
        tables=tables, district_id="d", district_name="D", zone=ZONE, moment=datetime(2026, 10, 1, tzinfo=UTC), options=options
    )
    prepare(work, format_.with_options(options))
    return work


def renamed(table: pa.Table, name: str, old: str, new: str) -> pa.Table:
    values = [new if value == old else value for value in table.column(name).to_pylist()]
    return table.set_column(table.schema.get_field_index(name), name, pa.array(values, pa.string()))


def counted(work: ExportTables, kind: str, reason: str) -> dict[str, int]:
    return {loss["table"]: loss["count"] for loss in work.losses.document() if (loss["kind"], loss["reason"]) == (kind, reason)}


@pytest.mark.parametrize("name", ["oneroster", "apple_school_manager"])
def test_an_id_that_the_format_does_not_allow_leaves_its_record_out_and_what_hangs_on_it(name: str):
    tables = generated_roster(Random(3))
    users = tables["users"].column("user_id").to_pylist()
    taught = [user for user in tables["user_roles"].column("user_id").to_pylist() if user in users]
    wrong = {
        table: renamed(rows, "user_id", taught[0], "no id") for table, rows in tables.items() if "user_id" in rows.column_names
    }
    work = prepared(tables | wrong, export_formats()[name], user_ids="kinded")

    assert counted(work, "row_left_out", "id_not_allowed").get("users") == 1
    assert counted(work, "row_left_out", "parent_left_out").get("user_roles", 0) >= 1
    assert not any("no id" in value for value in work.col("users", "user_id").to_pylist())


@pytest.mark.parametrize(("length", "left_out"), [(254, None), (255, 1)])
def test_an_id_that_is_too_long_with_the_sign_against_formulas_leaves_its_record_out(length: int, left_out: int | None):
    tables = generated_roster(Random(3))
    some, long = tables["users"].column("user_id")[0].as_py(), "=".ljust(length, "x")
    given = {table: renamed(rows, "user_id", some, long) for table, rows in tables.items() if "user_id" in rows.column_names}
    work = prepared(tables | given, export_formats()["canvas"])

    assert counted(work, "row_left_out", "id_not_allowed").get("users") == left_out
    assert (long in work.col("users", "user_id").to_pylist()) == (left_out is None)


@pytest.mark.parametrize("name", ONE_SPACE)
def test_two_people_with_one_id_refuse_a_format_with_one_space_of_ids_until_their_kind_is_said(name: str):
    tables = generated_roster(Random(3))
    rows = tables["users"].to_pylist()
    taught = tables["user_roles"].column("user_id").to_pylist()
    whole = {
        "first_name": "Ana",
        "last_name": "Ames",
        "email": "ana@example.org",
        "status": "active",
        "state_id": "1",
        "number": "1",
    }
    rows = [row | whole if row["user_id"] == taught[0] else row for row in rows]
    one = next(row for row in rows if row["user_id"] == taught[0])
    other = one | {
        "user_kind": "teacher" if one["user_kind"] == "student" else "student",
        "email": "bo@example.org",
        "number": "2",
    }
    again = tables | {"users": pa.Table.from_pylist([*rows, other], schema=tables["users"].schema)}
    for table in ("user_roles", "enrollments"):  # both are at a school and teach or learn, so that no format leaves them out
        first = tables[table].to_pylist()
        more = [row | {"user_kind": other["user_kind"]} for row in first if row["user_id"] == other["user_id"]]
        again[table] = pa.Table.from_pylist([*first, *more], schema=tables[table].schema)

    with pytest.raises(IdClash):
        prepared(dict(again), export_formats()[name], user_ids="plain")
    prepared(dict(again), export_formats()[name], user_ids="kinded")


@pytest.mark.parametrize("bad", ["u" * 101, "u\x07v"])
def test_a_login_that_canvas_does_not_take_gives_way_to_another_and_is_counted(bad: str):
    tables = generated_roster(Random(3))
    users = tables["users"].to_pylist()
    users[0] |= {"username": bad, "email": None}
    users[1] |= {"username": "u" * 100}
    changed = tables | {"users": pa.Table.from_pylist(users, schema=tables["users"].schema)}
    before, work = (prepared(some, export_formats()["canvas"], user_ids="kinded") for some in (tables, changed))

    logins = work.col("users", "username").to_pylist()
    assert bad not in logins
    assert "u" * 100 in logins
    assert len(logins) == len(set(logins)) == before.table("users").num_rows
    assert counted(work, "value_changed", "too_long") == {"users": 1}


def test_a_user_whom_no_login_is_left_for_is_left_out_with_what_hangs_on_it():
    """One id is too long for a login, another one is the login of somebody else."""
    tables = generated_roster(Random(0))
    users = tables["users"].to_pylist()
    long, taken = users[0]["user_id"], users[1]["user_id"]
    users[0] |= {"username": None, "email": None}
    users[1] |= {"username": None, "email": None}
    users[2] |= {"username": f"{users[1]['user_kind']}-{taken}".upper()}
    tables = tables | {"users": pa.Table.from_pylist(users, schema=tables["users"].schema)}
    tables = {
        table: renamed(rows, "user_id", long, "u" * 101) if "user_id" in rows.column_names else rows
        for table, rows in tables.items()
    }
    before, work = (
        prepared(dict(some), export_formats()["canvas"], user_ids="kinded") for some in (generated_roster(Random(0)), tables)
    )

    assert work.table("users").num_rows == before.table("users").num_rows - 2
    assert counted(work, "row_left_out", "missing_required")["users"] == 2
    left = set(work.col("users", "user_id").to_pylist())
    assert set(work.col("enrollments", "user_id").to_pylist()) <= left


@pytest.mark.parametrize(("school", "name", "kept"), [("b", "North", "b"), ("b", "Nor\nth", "Nor\nth"), ("b", "x" * 256, "b")])
def test_a_site_has_its_code_for_a_name_that_its_file_cannot_hold(school: str, name: str, kept: str):
    """The file knows a site by its name, without line breaks."""
    sites = [
        {"organization_id": "a", "type": "school", "name": "North"},
        {"organization_id": school, "type": "school", "name": name},
    ]
    tables = {table: rows.slice(0, 0) for table, rows in generated_roster(Random(3)).items()}
    tables["organizations"] = pa.Table.from_pylist(sites, schema=tables["organizations"].schema)

    work = prepared(tables, export_formats()["catapult_connect"], schools="true")

    assert work.col("organizations", "name").to_pylist() == ["North", kept]


def test_sites_with_the_same_name_keep_their_codes_where_no_sites_are_written():
    sites = [{"organization_id": code, "type": "school", "name": "North"} for code in "ab"]
    tables = {table: rows.slice(0, 0) for table, rows in generated_roster(Random(3)).items()}
    tables["organizations"] = pa.Table.from_pylist(sites, schema=tables["organizations"].schema)

    work = prepared(tables, export_formats()["catapult_connect"])

    assert counted(work, "value_changed", "several_values") == {}


def test_a_further_login_is_left_out_that_canvas_would_refuse():
    """It has the id of a user, or the name of another login, whatever its case."""
    tables = generated_roster(Random(0))
    user = {name: tables["users"].column(name)[0].as_py() for name in ("user_kind", "user_id")}
    own = f"{user['user_kind']}-{user['user_id']}"
    logins = [
        user | {"login_user_id": login, "username": name}
        for login, name in ((own, "free"), ("l1", "\u0130x"), ("l2", "i\u0307X"), ("l3", "alone"), ("l4", "a\u2028lone"))
    ]
    tables["logins"] = pa.Table.from_pylist(logins, schema=tables["logins"].schema)

    work = prepared(tables, export_formats()["canvas"], user_ids="kinded")

    assert work.col("logins", "login_user_id").to_pylist() == ["l1", "l3"]
    assert [counted(work, "row_left_out", reason) for reason in ("id_not_allowed", "several_values", "too_long")] == [
        {"logins": 1}
    ] * 3


def test_a_second_id_that_is_anothers_without_its_line_break_is_left_empty():
    tables = generated_roster(Random(0))
    users = tables["users"].to_pylist()
    users[0] |= {"integration_id": "a b"}
    users[1] |= {"integration_id": "a\nb"}
    tables["users"] = pa.Table.from_pylist(users, schema=tables["users"].schema)

    work = prepared(tables, export_formats()["canvas"], user_ids="kinded")

    assert [value for value in work.col("users", "integration_id").to_pylist() if value] == ["a b"]
    assert counted(work, "value_changed", "several_values")["users"] == 1


@pytest.mark.parametrize(
    ("given", "parts", "kept"),
    [
        ([None, None], [["1", "2"], ["a", "b"]], ["1.a", "2.b"]),
        ([None, None], [["1", "term:2"], ["a", "b"]], ["1.a", "term-2.b"]),
        ([None, None], [["1.2", "1"], ["a", "2.a"]], ["1.2.a", None]),
        (["2.b", None], [["1", "2"], ["a", "b"]], ["2.b", None]),
        (["no id", None], [["1", "2"], ["a", "b c"]], ["1.a", None]),
        ([None, None], [["1", "2"], ["a", "b" * 255]], ["1.a", None]),
    ],
)
def test_a_made_id_is_a_hash_where_its_parts_are_no_id_or_anothers(given, parts, kept):
    ids = made_ids(pa.array(given, pa.string()), *(pa.array(part) for part in parts)).to_pylist()

    assert [one for one, wanted in zip(ids, kept, strict=True) if wanted] == [one for one in kept if one]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(ID_PATTERN, one) for one in ids)
