"""Values that hold the character by which values are joined are not read as other values."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
import pytest

from roster_etl.canonical.roster import TABLES
from roster_etl.engine.reconcile.rosters import RULES, Roster, columns_to_read, key_json, keys_json, reconcile_rosters


def roster(**given: list[dict[str, Any]]) -> Roster:
    rows = {name: given.get(name, []) for name in (*RULES, "user_roles")}
    full = {name: TABLES[name].full_schema for name in rows}
    schemas = {name: pa.schema([full[name].field(column) for column in columns_to_read(name)]) for name in rows}
    blank = {name: dict.fromkeys(schema.names) for name, schema in schemas.items()}
    return {
        name: pa.Table.from_pylist(
            [{**blank[name], "valid_from_import": 1, "derived": "[]", **row} for row in some], schemas[name]
        )
        for name, some in rows.items()
    }


def sections(section_id: str, course_number: str, number: str) -> Roster:
    return roster(
        organizations=[{"organization_id": "o"}],
        courses=[{"course_id": f"c{section_id}", "number": course_number, "organization_id": "o"}],
        sections=[
            {"section_id": section_id, "course_id": f"c{section_id}", "organization_id": "o", "number": number, "period": "1"}
        ],
    )


@pytest.mark.parametrize(
    ("a", "b", "matched"),
    [
        (("n", "1"), ("n", "1"), 1),
        (("n", "1\x1f1"), ("n\x1f1", "1"), 0),
        (("n", "\x1f"), ("n\x1f", ""), 0),
        (("=1+1", "x" * 9_000), ("=1+1", "x" * 9_000), 1),
    ],
)
def test_sections_match_where_course_number_and_period_are_the_same(a: tuple[str, str], b: tuple[str, str], matched: int) -> None:
    results = reconcile_rosters(sections("s1", *a), sections("s2", *b), {})

    assert next(result.matched for result in results if result.table == "sections") == matched


def test_the_default_section_of_a_course_is_no_section_with_a_similar_id() -> None:
    def seats(section: str | None) -> Roster:
        user = {"user_kind": "student", "user_id": "u"}
        return roster(
            organizations=[{"organization_id": "o"}],
            users=[user],
            courses=[{"course_id": "c", "organization_id": "o"}],
            sections=[{"section_id": "\x1fc", "course_id": "c", "organization_id": "o"}],
            enrollments=[{"course_id": "c", "section_id": section, **user, "role": "student", "organization_id": "o"}],
        )

    matched = {
        (one, other): next(r.matched for r in reconcile_rosters(seats(one), seats(other), {}) if r.table == "enrollments")
        for one in (None, "\x1fc")
        for other in (None, "\x1fc")
    }
    assert matched == {(None, None): 1, (None, "\x1fc"): 0, ("\x1fc", None): 0, ("\x1fc", "\x1fc"): 1}


def test_keys_are_the_same_json_by_the_column_and_by_the_row():
    """Whether or not a text has characters that JSON writes otherwise."""
    for hostile in ("plain", 'q"', "back\\slash", "\x00", "\x1f", "\n", "\x7f", "É€😀", "", None):
        row = dict.fromkeys(TABLES["enrollments"].key, "é1") | {"section_id": hostile}
        rows = pa.Table.from_pylist([row, row | {"section_id": "s"}])

        assert keys_json(rows, "enrollments") == [key_json(row), key_json(row | {"section_id": "s"})]
        assert json.loads(keys_json(rows, "enrollments")[0]) == row
    assert keys_json(rows.slice(2), "enrollments") == []


@pytest.mark.parametrize(
    ("roles", "student", "teacher"), [(["student"], 1, 0), (["teacher"], 0, 1), (["student", "teacher"], 1, 1), ([], 1, 1)]
)
def test_a_user_matches_a_student_or_a_teacher_by_the_roles_and_either_where_they_do_not_tell(
    roles: list[str], student: int, teacher: int
) -> None:
    """A student and a teacher with one number are two people."""
    user = {"user_kind": "user", "user_id": "2"}
    other = roster(users=[{**user, "number": "7"}], user_roles=[{**user, "organization_id": "o", "role": role} for role in roles])

    def matched(kind: str) -> int:
        one = roster(users=[{"user_kind": kind, "user_id": "1", "number": "7"}])
        return next(result.matched for result in reconcile_rosters(one, other, {}) if result.table == "users")

    assert (matched("student"), matched("teacher")) == (student, teacher)
