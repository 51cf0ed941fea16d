"""What a person types never becomes SQL, a path or a place outside the home."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.calling import call

SQL = ("users; DROP TABLE users_history", 'users" --', "users_history", "sqlite_master", "users UNION SELECT 1", "imports")
DISTRICTS = ("../lincoln", "lincoln/../other", "LINCOLN", "a'; DROP TABLE imports; --", ".", "lincoln\n", "%00", "con/aux")


@pytest.mark.parametrize("table", SQL)
@pytest.mark.parametrize(
    "words",
    [
        ("trace", "{}", "user_id=1", "--district", "lincoln"),
        ("as-of", "2026-01-01", "{}", "--district", "lincoln"),
        ("override", "set", "{}", "user_id=1", "--district", "lincoln", "--field", "email", "--value", "x", "--by", "ana"),
    ],
    ids=lambda words: words[0],
)
def test_a_table_is_one_of_the_rosters_or_the_word_is_off(words: tuple[str, ...], table: str, told: Path) -> None:
    answer = call(*(word.format(table) for word in words), home=told)

    assert answer.code == 2
    assert "DROP" not in answer.err.replace(table, "")


@pytest.mark.parametrize("column", ["email; DROP TABLE users_history", 'email" = ""', "row_hash", "district_id", "version_id"])
def test_a_column_is_one_of_the_tables_or_the_word_is_off(column: str, told: Path) -> None:
    edited = call(
        *("override", "set", "users", "user_id=1", "--district", "lincoln", "--field", column, "--value", "x", "--by", "ana"),
        home=told,
    )
    traced = call("trace", "users", f"{column}=1", "--district", "lincoln", home=told)

    assert (edited.code, traced.code) == (2, 2)


@pytest.mark.parametrize("district", DISTRICTS)
def test_a_district_is_a_plain_word_before_it_is_anything_else(district: str, uploads: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    answers = [
        call("districts", "add", district, "--format", "clever", home=home),
        call("import", uploads / "a", "--district", district, "--format", "clever", home=home),
        call("purge", "--district", district, "--by", "ana", home=home),
    ]

    assert [answer.code for answer in answers] == [2, 2, 2]
    assert {path.name for path in tmp_path.iterdir()} <= {"home"}
    assert not list((home / "districts").glob("**/*.toml")) if home.exists() else True


def test_a_value_that_looks_like_sql_is_a_value(told: Path) -> None:
    answer = call("trace", "users", "user_id=' OR 1=1 --", "--district", "lincoln", "--json", home=told)

    assert answer.code != 1
    assert "sqlite" not in answer.err.casefold()
