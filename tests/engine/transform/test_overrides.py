"""Edits of stewards: what their values stand for, and how they get into records."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa
import pytest

from roster_etl.canonical.roster import TABLES
from roster_etl.engine.transform.mapper import ORIGIN
from roster_etl.engine.transform.overrides import BadEdit, RecordEdit, apply_edits, parse_edit_value, validate_edit_value
from roster_etl.frames.arrow import REFUSED
from roster_etl.frames.row_hashes import HASH, row_hash

USERS = TABLES["users"]


def _users(*rows: dict[str, Any]) -> pa.Table:
    usual = {"user_kind": "student", "derived": '["short_name"]', "extensions": "{}", REFUSED: False}
    schema = pa.schema([*USERS.arrow_schema, *ORIGIN, (REFUSED, pa.bool_())])
    table = pa.Table.from_pylist([usual | row for row in rows], schema=schema)
    return table.append_column(HASH, row_hash(table, USERS))


def _edit(user: str, value: str | None) -> RecordEdit:
    return RecordEdit(key={"user_kind": "student", "user_id": user}, field="short_name", value=value)


@pytest.mark.parametrize(
    ("table", "field", "value", "meant"),
    [
        ("users", "short_name", "Ann", "Ann"),
        ("users", "short_name", None, None),
        ("student_profiles", "ell", "True", True),
        ("student_profiles", "graduation_year", "2030", 2030),
        ("student_profiles", "weighted_gpa", "3.5", 3.5),
        ("student_profiles", "birth_date", "2015-02-28", date(2015, 2, 28)),
        ("terms", "start_at", "2026-08-01 08:00-05:00", datetime(2026, 8, 1, 13, tzinfo=UTC)),
    ],
)
def test_the_text_of_an_edit_has_the_type_of_its_column(table: str, field: str, value: str | None, meant: object) -> None:
    assert parse_edit_value(TABLES[table], field, value) == meant


@pytest.mark.parametrize(
    ("table", "field", "value"),
    [
        ("student_profiles", "ell", "perhaps"),
        ("student_profiles", "graduation_year", "next"),
        ("student_profiles", "birth_date", "2015-02-30"),
        ("terms", "start_at", "soon"),
    ],
)
def test_a_text_that_is_no_value_is_refused_without_being_repeated(table: str, field: str, value: str) -> None:
    with pytest.raises(BadEdit) as refused:
        parse_edit_value(TABLES[table], field, value)

    assert value not in refused.value.message


@pytest.mark.parametrize(
    ("table", "field", "value", "kept"),
    [
        ("users", "short_name", " Ann ", "Ann"),
        ("users", "short_name", " ", None),
        ("users", "short_name", None, None),
        ("users", "status", "Suspended", "suspended"),
        ("users", "email", "ann@example.org", "ann@example.org"),
        ("users", "phone", "(555) 010-0100", "5550100100"),
        ("student_profiles", "grade", "kg", "KG"),
        ("student_profiles", "ell", "TRUE", "true"),
        ("student_profiles", "graduation_year", "2030", "2030"),
        ("student_profiles", "lunch_balance", "-2.50", "-2.50"),
        ("student_profiles", "birth_date", "2015-02-28", "2015-02-28"),
        ("terms", "start_at", "2026-08-01 08:00-05:00", "2026-08-01 08:00-05:00"),
    ],
)
def test_a_new_edit_is_kept_as_a_cell_would_be(table: str, field: str, value: str | None, kept: str | None) -> None:
    assert validate_edit_value(TABLES[table], field, value) == kept


@pytest.mark.parametrize(
    ("table", "field", "value", "words"),
    [
        ("student_profiles", "grade", "nograde", "one of: IT, PR, PK"),
        ("student_profiles", "grade", "first", "one of: IT, PR, PK"),
        ("users", "status", "garbage", "one of: active, suspended"),
        ("users", "email", "no mail", "an address such as"),
        ("users", "phone", "call me", "a phone number of 7 or 10"),
        ("users", "short_name", "A\x00nn", "control character"),
        ("users", "short_name", "A" * 65_536, "at most 65535 characters"),
        ("student_profiles", "birth_date", "2015-02-30", "a date that exists"),
        ("student_profiles", "birth_date", "20150228", "a date that exists"),
        ("terms", "start_at", "2026-02-30T08:00:00Z", "a moment such as"),
        ("student_profiles", "graduation_year", "2_030", "from 1900 to 3000"),
        ("student_profiles", "weighted_gpa", "nan", "a number such as"),
        ("student_profiles", "ell", "perhaps", "one of: true, false"),
    ],
)
def test_a_new_edit_that_no_upload_could_bring_is_refused(table: str, field: str, value: str, words: str) -> None:
    with pytest.raises(BadEdit, match=words) as refused:
        validate_edit_value(TABLES[table], field, value)

    assert value not in refused.value.message


def test_an_edit_goes_into_its_record_alone_and_is_not_derived() -> None:
    rows = _users({"user_id": "a", "short_name": "A"}, {"user_id": "b", "short_name": "B"})
    edited = apply_edits(USERS, rows, [_edit("a", "Anna"), _edit("nobody", "x")])

    assert edited.column("short_name").to_pylist() == ["Anna", "B"]
    assert edited.column("derived").to_pylist() == ["[]", '["short_name"]']
    assert edited.column(HASH)[0] != rows.column(HASH)[0]
    assert edited.column(HASH)[1] == rows.column(HASH)[1]


def test_without_an_edit_of_a_record_that_is_there_nothing_changes() -> None:
    rows = _users({"user_id": "a", REFUSED: True})

    assert apply_edits(USERS, rows, [_edit("a", "Anna")]).equals(rows)
