"""``audit``: one line of every verb that changes the registry, done or refused, and who asked for it."""

from __future__ import annotations

from pathlib import Path

from roster_etl.store.actor import os_user
from tests.cli.calling import call


def test_changes_of_the_registry_leave_one_line_each(home: Path) -> None:
    district = ("lincoln",)
    for words in (
        ("add", *district, "--format", "clever", "--name", "Lincoln"),
        ("add", *district, "--format", "clever"),
        ("add", *district, "--format", "clever", "--option", "time_zone=UTC", "--update"),
        ("contacts", *district, "sam@example.org"),
        ("expect", *district, "--by", "06:00"),
        ("pause", *district),
        ("resume", *district),
        ("pause", *district, "--from", "2027-01-01", "--to", "2027-01-02", "--reason", "Holidays"),
        ("remove", *district),
        ("remove", *district),
    ):
        call("districts", *words, home=home)

    rows = call("audit", "--json", home=home).document
    assert [(row["action"].removeprefix("district_"), row["outcome"]) for row in rows] == [
        ("add", "done"),
        ("change", "refused"),
        ("change", "done"),
        ("change", "done"),
        ("change", "done"),
        ("pause", "done"),
        ("resume", "done"),
        ("pause", "done"),
        ("remove", "done"),
        ("remove", "refused"),
    ]
    assert {(row["district_id"], row["os_user"], row["via"], row["who"]) for row in rows} == {
        ("lincoln", os_user(), "command", None)
    }
    assert "sam@example.org" not in str(rows)
    told = call("audit", "--district", "lincoln", "--since", "1h", home=home).out
    assert told.count("\n") >= len(rows)
    assert "lincoln" in told.splitlines()[1]
    assert call("audit", "--district", "lincoln", "--since", "2999-01-01", home=home).out == "Nothing was decided.\n"
    assert call("audit", "--district", "adams", "--json", home=home).document["error"]["code"] == "unknown_district"
    assert call("audit", "--since", "soon", home=home).code == 2


def test_removing_a_district_says_what_is_left_and_how_to_remove_that(home: Path) -> None:
    call("districts", "add", "lincoln", "--format", "clever", home=home)

    told = call("districts", "remove", "lincoln", home=home).out

    assert "roster-etl purge --district lincoln" in told
    assert "partition in the Dagster UI" in told


def test_a_grant_that_was_refused_and_a_purge_of_nothing_are_known(home: Path) -> None:
    assert call("migrate", "--reader", "analyst", home=home).code != 0
    assert call("purge", "--district", "lincoln", "--by", "A. Steward", home=home).code != 0

    rows = call("audit", "--json", home=home).document
    assert [(row["action"], row["outcome"], row["who"]) for row in rows] == [
        ("grant", "refused", None),
        ("purge", "refused", "A. Steward"),
    ]


def test_a_home_is_backed_up_and_restored_by_command(home: Path, tmp_path: Path) -> None:
    call("districts", "add", "lincoln", "--format", "clever", home=home)

    assert call("backup", "--to", tmp_path / "copy", home=home).code == 0
    looked = call("restore", "--from", tmp_path / "copy", "--check", "--json", home=tmp_path / "again")
    assert (looked.code, looked.document["newest"], (tmp_path / "again").exists()) == (0, 0, False)
    back = call("restore", "--from", tmp_path / "copy", "--json", home=tmp_path / "again")

    assert (back.code, back.document["newest"], back.document["ended"]) == (0, 0, [])
    districts = call("districts", "list", "--json", home=tmp_path / "again").document
    assert [one["district_id"] for one in districts] == ["lincoln"]
    actions = [row["action"] for row in call("audit", "--json", home=tmp_path / "again").document]
    assert actions == ["district_add", "restore"]
    (tmp_path / "copy" / "warehouse.sqlite").write_bytes(b"")
    damaged = call("restore", "--from", tmp_path / "copy", "--check", "--json", home=tmp_path / "again")
    assert (damaged.code, damaged.document["error"]["code"]) == (1, "no_backup")
