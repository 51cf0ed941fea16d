"""Lines beside the records of an export: which are recognized, and which records look like them and are none."""

from __future__ import annotations

import pytest

from roster_etl.engine.csv import non_record_lines
from roster_etl.engine.csv.reader import read_csv
from roster_etl.engine.csv.redact_columns import blank_columns


def codes(*lines: str, header: str = "id,name,grade") -> dict[int, str]:
    """Return the code of each refused record, by its number."""
    result = read_csv("".join(f"{line}\n" for line in (header, *lines)).encode())
    return dict(zip(*(result.findings.column(n).to_pylist() for n in ("row", "code")), strict=True))


@pytest.mark.parametrize(
    "line",
    [
        "---,----,-----",
        "--- ,----,\t---",
        "===,====,=====",
        '"---","----","-----"',
        "-,-,-",
        "---,,---",
        ",---,---",
        "___,___,___",
        "\u2500\u2500,\u2500,\u2500",
        "|---|,|---|,|---|",
        "|,|,|",
        "...,.....,.",
        "####,##,#",
        "+--,+--,:--:",
        "\u2502,\u253c\u2500,\u2502",
        "NULL,NULL,NULL",
        "null,,null",
        "(null),(NULL),(null)",
        "\\N,\\N,\\N",
        "N/A,n/a,#N/A",
        "None,none,",
        "nil,nil,nil",
    ],
)
def test_a_ruler_is_no_record_wherever_it_stands(line: str) -> None:
    assert codes(line, "1,Ada,3") == {2: "not_a_record"}
    assert codes("1,Ada,3", line, *(f"{n},Bo,4" for n in range(2, 30))) == {3: "not_a_record"}


@pytest.mark.parametrize(
    "line",
    [
        "Student ID,First Name,grade",
        "student_id,first_name,grade",
        "StudentId,FirstName,Grade",
        "STUDENT-ID,first.name,\ufeffGrade",
    ],
)
def test_the_header_with_other_signs_between_its_words_is_a_repeated_header(line: str) -> None:
    assert codes("1,Ada,3", line, "2,Bo,4", header="Student_id,First_name,Grade") == {3: "repeated_header"}


@pytest.mark.parametrize(
    "line", ["1,null,.", "#1,-,-", "null,Ada,3", "student,first,grade", "7,Null,", "7,None,N/A", "None,Nil,3", ",Null,3"]
)
def test_a_record_with_one_real_cell_is_one(line: str) -> None:
    assert codes("1,Ada,3", line, "2,Bo,4", header="Student_id,First_name,Grade") == {}


@pytest.mark.parametrize("line", ["ID,Name,Grade", "id,NAME,grade", '" Id ","NAME",grade'])
def test_the_header_in_another_case_is_a_repeated_header(line: str) -> None:
    assert codes("1,Ada,3", line, "2,Bo,4") == {3: "repeated_header"}


@pytest.mark.parametrize(
    "line",
    [
        "(2 rows affected),,",
        "2 rows selected.,,",
        "Total,,2",
        "TOTAL:,2,",
        "Grand total,2,2",
        ",Total: 2,",
        "Record count: 2,,",
        "Total,Total,",
        "Number of records: 2,,",
        "End of file,,",
    ],
)
def test_a_total_or_count_at_the_end_is_no_record(line: str) -> None:
    assert codes("1,Ada,3", "2,Bo,4", line) == {4: "not_a_record"}


def test_a_count_with_fewer_cells_is_ragged() -> None:
    assert codes("1,Ada,3", "", "(1 rows affected)") == {3: "ragged_row"}


@pytest.mark.parametrize(
    "line", ["Total,Ada,3", "1,Total,3", "1,-,3", "-,Ada,-", "Count,Dracula,5", "1,End of file,3", "totally,2,2"]
)
def test_a_record_with_such_a_word_is_a_record(line: str) -> None:
    assert codes("1,Ada,3", line) == {}


def test_a_total_further_up_is_a_record_by_its_columns() -> None:
    assert codes("Total,2,2", *(f"{n},Ada,3" for n in range(20))) == {}


def test_a_repeated_header_in_another_case_stays_one_without_its_secrets() -> None:
    blanked = blank_columns(b"id,Password\n1,x\nID,PASSWORD\n2,password\n", lambda name: name.casefold() == "password")

    assert blanked == b"id,Password\n1,\nID,PASSWORD\n2,\n"


@pytest.mark.parametrize(("after", "told"), [(9, {3: "not_a_record"}), (10, {})])
def test_a_count_is_looked_for_among_the_last_ten_records(after: int, told: dict[int, str]) -> None:
    assert codes("1,Ada,3", "Total,,2", *(f"{number},Bo,4" for number in range(after))) == told


def test_a_ruler_is_found_at_its_place_in_a_later_part_of_a_long_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(non_record_lines, "_ROWS", 4)
    assert codes(*(f"{number},Bo,4" for number in range(6)), "---,--,-", *(f"{n},Bo,4" for n in range(30))) == {8: "not_a_record"}
