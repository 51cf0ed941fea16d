"""A path with files of two sets, on the command line: two imports, one document, one exit code."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bells import FORMAT, absence, write_absences, write_roster
from tests.cli.calling import call

pytestmark = pytest.mark.usefixtures("direct_imports")


def test_a_folder_with_both_sets_is_two_imports_in_one_document(home: Path, tmp_path: Path) -> None:
    folder = write_absences(write_roster(tmp_path / "up"), [absence(1)])
    answer = call("import", folder, "--district", "lincoln", "--format", FORMAT, "--json", home=home)
    (further,) = answer.document["further"]

    assert answer.code == 0
    assert [(d["import_id"], d["file_set"], d["status"]) for d in (answer.document, further)] == [
        (1, "roster", "published"),
        (2, "attendance", "published"),
    ]
    listed = call("imports", "--district", "lincoln", home=home)
    assert f"{FORMAT}/attendance" in listed.out
    assert [row["file_set"] for row in call("imports", "--json", home=home).document] == ["attendance", "roster"]


def test_a_folder_of_one_set_is_one_import_as_ever(home: Path, tmp_path: Path) -> None:
    call("import", write_roster(tmp_path / "night"), "--district", "lincoln", "--format", FORMAT, home=home)
    answer = call("import", write_absences(tmp_path / "day", [absence(1)]), "--district", "lincoln", "--json", home=home)

    assert (answer.code, answer.document["file_set"], "further" in answer.document) == (0, "attendance", False)


def test_the_worse_end_decides_the_exit_code(home: Path, tmp_path: Path) -> None:
    folder = write_absences(write_roster(tmp_path / "up"), [absence(1)])
    (folder / "StaffExport.csv").unlink()
    answer = call("import", folder, "--district", "lincoln", "--format", FORMAT, "--json", home=home)

    assert answer.code == 3
    assert [answer.document["status"], answer.document["further"][0]["status"]] == ["rejected", "rejected"]
    assert answer.document["further"][0]["findings"][0]["code"] == "incomplete_upload"


def test_an_archived_upload_of_absences_is_run_again_as_one(home: Path, tmp_path: Path) -> None:
    folder = write_absences(write_roster(tmp_path / "up"), [absence(1)])
    call("import", folder, "--district", "lincoln", "--format", FORMAT, home=home)
    answer = call("rerun", "--district", "lincoln", "--import", 2, "--json", home=home)

    assert (answer.code, answer.document["file_set"], answer.document["status"]) == (0, "attendance", "unchanged")


def test_commands_ask_which_feed_is_meant_only_where_a_district_has_several(home: Path, tmp_path: Path) -> None:
    night = write_roster(tmp_path / "night")
    call("districts", "add", "lincoln", "--format", "clever", home=home)
    assert call("import", night, "--district", "lincoln", "--format", FORMAT, "--register", home=home).code == 0

    assert call("import", night, "--district", "lincoln", home=home).code == 2
    assert call("rerun", "--district", "lincoln", home=home).code == 2
    traced = call("trace", "users", "user_id=s1", "--district", "lincoln", "--json", home=home)
    assert traced.document["versions"][0]["source"] == FORMAT
