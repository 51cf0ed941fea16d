"""Mastery Connect's specs against the document's own tables."""

from __future__ import annotations

import pytest

from roster_etl.canonical.codes import GRADES as CEDS_GRADES
from roster_etl.canonical.roster import TABLES
from roster_etl.spec import Choice, Status
from roster_etl.vendors.mastery_connect import FORMAT
from roster_etl.vendors.mastery_connect.codes import GRADES, STATUSES

# The "Column Header" of each table, in its order, and those marked "Yes"
HEADERS = {
    "accounts": "account_id name status",
    "users": "email first_name last_name login_id account_id status student_ell_status student_gender student_grade "
    "student_hispanic student_number student_race student_state_number user_id user_role",
    "courses": "account_id course_id long_name short_name status",
    "sections": "section_id name course_id course_number status",
    "enrollments": "role user_id section_id status",
}
REQUIRED = {
    "accounts": "account_id name status",
    "users": "email first_name last_name account_id status student_number user_id user_role",
    "courses": "account_id course_id long_name short_name status",
    "sections": "section_id name course_id status",
    "enrollments": "role user_id section_id status",
}


@pytest.mark.parametrize("name", HEADERS)
def test_a_file_has_the_columns_of_the_document(name: str) -> None:
    file = FORMAT.file(name)

    assert file.file_name == f"{name}.csv"
    assert [column.name for column in file.columns] == HEADERS[name].split()
    assert {column.name for column in file.columns if column.required} == set(REQUIRED[name].split())


def test_all_files_must_be_present() -> None:
    assert {file.name: file.required for file in FORMAT.files} == dict.fromkeys(HEADERS, True)
    assert FORMAT.mode == "snapshot"


def test_every_row_of_every_file_is_active_or_deleted() -> None:
    for file in FORMAT.files:
        assert file.column("status").cell_format == Status(options=("active", "deleted"))
        assert file.deleted is not None
        assert (file.deleted.column, file.deleted.values) == ("status", ("deleted",))


def test_a_deleted_record_has_no_status() -> None:
    assert STATUSES == {"active": "active"}


def test_options_are_those_of_the_document() -> None:
    forms = {column.name: column.cell_format for column in FORMAT.file("users").columns}

    assert forms["student_race"] == Choice(options=("A", "B", "I", "M", "P", "W"))
    assert forms["student_gender"] == Choice(options=("M", "F"))
    assert forms["student_hispanic"] == forms["student_ell_status"] == Choice(options=("True", "False"))
    assert forms["user_role"] == Choice(options=("student", "teacher"), code="unknown_role")


def test_every_grade_is_a_canonical_one() -> None:
    assert set(GRADES.values()) <= set(CEDS_GRADES)
    assert [GRADES[word] for word in ("PreKindergarten", "Kindergarten", "1", "2", "3")] == ["PK", "KG", "01", "02", "03"]


def test_what_must_match_another_feed_is_a_key_column_of_a_canonical_table() -> None:
    matches = {(file.name, c.name): c.matches for file in FORMAT.files for c in file.columns if c.matches}

    assert set(matches) == {("accounts", "account_id"), ("sections", "section_id")}
    assert [m.column in TABLES[m.table].key for m in matches.values() if m] == [True, True]
