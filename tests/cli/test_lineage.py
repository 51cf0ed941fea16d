"""``trace`` and ``as-of``."""

from __future__ import annotations

import csv
import io
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from roster_etl.canonical.roster import TABLES
from roster_etl.store.warehouse import SqlRoster
from tests.cli.calling import call


def renamed(uploads: Path) -> tuple[str, str, str]:
    """Return id, old and new last name of the student who was renamed over night."""
    days = []
    for day in ("a", "b"):
        with (uploads / day / "students.csv").open(encoding="utf-8", newline="") as file:
            days.append({row["Student_id"]: row["Last_name"] for row in csv.DictReader(file)})
    return next((key, days[0][key], name) for key, name in days[1].items() if key in days[0] and name and days[0][key] != name)


def test_a_cell_is_walked_back_through_all_its_versions(told: Path, uploads: Path) -> None:
    user, before, after = renamed(uploads)

    document = call(
        "trace",
        "users",
        f"user_id={user}",
        "user_kind=student",
        "--district",
        "lincoln",
        "--field",
        "last_name",
        "--json",
        home=told,
    ).document

    first, second = document["versions"]
    assert document["key"] == {"user_kind": "student", "user_id": user}
    assert (first["import_id"], first["close_reason"], second["import_id"], second["valid_to"]) == (1, "changed", 2, None)
    assert [v["fields"]["last_name"]["value"] for v in (first, second)] == [before, after]
    assert first["fields"]["last_name"]["rule"] == "Last_name, as given"
    assert second["fields"]["last_name"]["reads"] == [{"file": "students", "column": "Last_name", "here": True, "text": after}]
    assert second["file"] == "students.csv"


def test_a_whole_record_says_which_values_were_derived(told: Path) -> None:
    document = call("trace", "users", "user_id=007", "user_kind=student", "--district", "lincoln", "--json", home=told).document

    fields = document["versions"][0]["fields"]
    assert fields["full_name"]["derived"]
    assert fields["full_name"]["rule"] == "joined(First_name, Last_name)"
    assert not fields["last_name"]["derived"]


def test_a_cell_of_another_file_is_shown_with_its_text_and_row(told: Path, uploads: Path) -> None:
    (row, *_) = csv.DictReader((uploads / "b" / "enrollments.csv").read_text("utf-8").splitlines())
    sections = list(csv.DictReader((uploads / "b" / "sections.csv").read_text("utf-8").splitlines()))
    number, section = next((n, s) for n, s in enumerate(sections, start=2) if s["Section_id"] == row["Section_id"])
    words = ("enrollments", f"section_id={row['Section_id']}", f"user_id={row['Student_id']}", "role=student")

    answer = call("trace", *words, "--district", "lincoln", "--field", "course_id", "--json", home=told)

    reads = answer.document["versions"][-1]["fields"]["course_id"]["reads"]
    cells = {cell["column"]: (cell["file"], cell["here"], cell.get("row"), cell["text"]) for cell in reads}
    assert cells["Course_number"] == ("sections", False, number, section["Course_number"] or None)
    told_text = call("trace", *words, "--district", "lincoln", "--field", "course_id", home=told).out
    assert f"sections.Course_number (row {number}): " in told_text
    assert "(in the Dagster UI: /runs/" in told_text


def test_the_text_names_import_file_row_and_rule(told: Path) -> None:
    text = call("trace", "users", "user_id=007", "user_kind=student", "--district", "lincoln", home=told).out

    assert "import 1 · upload" in text
    assert "students.csv row 2" in text
    assert 'students.Last_name: "O\'Brien"' in text


def test_a_key_column_may_be_left_out_where_the_rest_names_one_record(told: Path) -> None:
    assert call("trace", "organizations", "organization_id=007", "--district", "lincoln", home=told).code == 0
    several = call("trace", "user_roles", "user_id=007", "--district", "lincoln", "--json", home=told)

    assert several.code in (0, 2)


def test_records_that_share_a_key_are_told_apart_by_their_codes(told: Path) -> None:
    users = call("as-of", "now", "users", "--district", "lincoln", "--json", home=told).document
    kinds = {(user["user_id"], user["user_kind"]) for user in users}
    shared = next(user for user, kind in kinds if kind == "student" and (user, "teacher") in kinds)

    answer = call("trace", "users", f"user_id={shared}", "--district", "lincoln", home=told)
    many = call("trace", "enrollments", "user_kind=student", "--district", "lincoln", home=told)

    assert answer.code == 2
    assert "say also user_kind=student or user_kind=teacher" in answer.err
    assert re.search(r"section_id \(\d+ different\)", many.err)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("users", "user_id=nobody"), "unknown_record"),
        (("people", "user_id=1"), "unknown_table"),
        (("users", "last_name=Null"), "unknown_column"),
        (("users", "user_id=007", "--field", "password"), "unknown_column"),
        (("enrollments", "user_kind=student"), "unknown_record"),
        (("users", "user_id"), "bad_words"),
    ],
)
def test_what_cannot_be_traced_is_said(words: tuple[str, ...], code: str, told: Path) -> None:
    answer = call("trace", *words, "--district", "lincoln", "--json", home=told)

    assert (answer.code, answer.document["error"]["code"]) == (2, code)


def test_as_of_prints_what_was_known_then(told: Path, uploads: Path) -> None:
    user, before, after = renamed(uploads)
    published = call("show", "1", "--json", home=told).document["finished_at"]

    def name_at(moment: str) -> dict[str, str]:
        records = call("as-of", moment, "users", "--district", "lincoln", "--json", home=told).document
        return {record["user_id"]: record["last_name"] for record in records if record["user_kind"] == "student"}

    assert name_at(published)[user] == before
    assert name_at("now")[user] == after
    assert name_at("2020-01-01") == {}


def test_as_of_is_csv_in_a_pipe(told: Path) -> None:
    text = call("as-of", "now", "organizations", "--district", "lincoln", home=told).out

    rows = list(csv.DictReader(io.StringIO(text)))
    assert {"organization_id", "name", "valid_from_import"} <= set(rows[0])
    assert "007" in {row["organization_id"] for row in rows}
    assert list(rows[0])[:3] == ["district_id", "source", "organization_id"]
    assert set(list(rows[0])[-4:]) == {"version_id", "row_hash", "derived", "extensions"}


def test_an_empty_table_says_since_when_anything_is_known(told: Path) -> None:
    before = call("as-of", "2020-01-01", "users", "--district", "lincoln", home=told)
    never = call("as-of", "now", "attendance", "--district", "lincoln", home=told)
    known = call("as-of", "now", "users", "--district", "lincoln", home=told)

    assert before.code == 0
    assert "its first import was published at 2" in before.err
    assert "no record of attendance was known" in never.err
    assert known.err == ""


def test_a_moment_is_read_in_the_time_zone_of_the_feed(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    call("districts", "add", "lincoln", "--format", "clever", "--option", "time_zone=America/Denver", home=home)
    asked: list[datetime] = []
    empty = TABLES["users"].full_schema.empty_table()
    monkeypatch.setattr(SqlRoster, "as_of", lambda _self, moment, *_: asked.append(moment) or empty)

    assert call("as-of", "2026-09-01T08:00", "users", "--district", "lincoln", home=home).code == 0
    assert asked == [datetime(2026, 9, 1, 14, tzinfo=UTC)]
