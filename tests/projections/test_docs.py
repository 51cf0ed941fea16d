"""What the generated documents say."""

from __future__ import annotations

import pytest

from roster_etl.canonical.roster import TABLES
from roster_etl.projections.docs import NOTICE, format_page, generated_files, header_pattern_text, targets_of
from roster_etl.spec import HeaderPattern
from roster_etl.spec.findings import CODES
from roster_etl.vendors import Vendor, discover_vendors, vendor

CLEVER = vendor("clever").format


def test_every_generated_file_says_so() -> None:
    files = generated_files()

    assert {"docs/formats/clever.md", "docs/findings.md", "docs/options.md"} <= set(files)
    assert all(NOTICE in content and content.endswith("\n") for content in files.values())


def test_a_format_page_has_a_row_for_each_column() -> None:
    page = format_page(CLEVER)

    assert all(f"| `{column.name}`" in page for file in CLEVER.files for column in file.columns)
    assert "`Teacher_{n}_id`, n = 2 … 10" in page


def test_a_format_page_can_say_what_a_column_becomes() -> None:
    page = format_page(CLEVER, {("students", "Last_name"): "users.last_name"})

    assert "| `Last_name` | yes | text |  | Last name. | users.last_name |" in page


def test_every_finding_code_is_listed() -> None:
    page = generated_files()["docs/findings.md"]

    assert all(f"| `{code}` |" in page for code in CODES)


def test_every_column_that_is_read_goes_somewhere() -> None:
    page = generated_files()["docs/formats/clever.md"]

    assert [line.split("|")[1].strip() for line in page.splitlines() if line.endswith("| nowhere |")] == ["`Password`"] * 4
    assert "| `users.last_name`, `users.full_name` |" in page


def test_every_canonical_column_is_listed_with_its_meaning() -> None:
    page = generated_files()["docs/tables.md"]

    assert all(f"| `{c.name}` | {c.type} | {c.comment} |" in page for table in TABLES.values() for c in table.columns)


@pytest.mark.parametrize("vendor", discover_vendors().values(), ids=lambda vendor: vendor.format.name)
def test_a_column_goes_somewhere_or_says_why_not(vendor: Vendor) -> None:
    targets = targets_of(vendor)
    strange = [
        f"{file.name}.{name}"
        for file in vendor.format.files
        for name, unmapped in [
            *((column.name, column.unmapped or column.secret) for column in file.columns),
            *((family.pattern, family.unmapped) for family in file.families),
        ]
        if bool(unmapped) == ((file.name, name) in targets)
    ]

    assert strange == []


def test_one_page_lists_every_column_of_every_format() -> None:
    lines = generated_files()["docs/columns.md"].splitlines()

    assert "| students.csv | `Last_name` | `users.last_name`, `users.full_name` |  |" in lines
    assert "| students.csv | `Password` |  | A password: never read, and blanked before anything is stored. |" in lines
    assert len([line for line in lines if line.startswith("| ") and "`" in line]) == sum(
        len(file.columns) + len(file.families) for vendor in discover_vendors().values() for file in vendor.format.files
    )


def test_a_format_page_says_which_rows_need_a_cell_and_which_say_that_their_record_is_gone() -> None:
    page = format_page(vendor("mastery_connect").format)

    assert "| `student_number` | yes, where `user_role` is `student` | digits only, unique |" in page
    assert "| `name` | yes, but a cell may be empty | text |" in page
    assert "| `section_id` | yes | text, which the feed that `match_source` names should have |" in page
    assert "- A row whose `status` is `deleted` says that its record is gone." in page


def test_a_signature_reads_like_a_sentence() -> None:
    signature = HeaderPattern(all_of=("a", "b"), any_of=(("c", "d"),), none_of=("e",))

    assert header_pattern_text(signature) == "`a` and `b` and `c` or `d`, without `e`"


def test_the_page_of_a_format_of_changes_says_how_files_are_known_and_rows_apply() -> None:
    page = generated_files()["docs/formats/canvas.md"]

    assert "The file is known by its headers: `user_id` and `login_id`, without `existing_user_id`" in page
    assert "of several about one record, the last row counts" in page
    assert "One of `role`, `role_id` is required." in page
