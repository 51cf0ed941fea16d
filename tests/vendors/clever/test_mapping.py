"""What Clever's files become: each folder of ``given`` is an upload, the same folder of ``expected`` the roster it makes.

A table of ``expected`` shows some of the table's columns and all accepted rows; ``findings.csv`` all findings. ``options.csv``
among the given files sets options of the feed.
"""

from __future__ import annotations

import csv
from datetime import datetime
from pathlib import Path

import pytest

from roster_etl.canonical.roster import TABLES
from roster_etl.vendors.clever import VENDOR
from tests.walking import accepted, judge_upload, map_upload

HERE = Path(__file__).parent
CASES = sorted(path.name for path in (HERE / "given").iterdir())
Lines = list[tuple[str, ...]]


def _given(case: str) -> tuple[dict[str, str], dict[str, str]]:
    """Return the files of a case by spec name, and its options."""
    texts = {path.stem: path.read_text(encoding="utf-8") for path in (HERE / "given" / case).iterdir()}
    options = {row["option"]: row["value"] for row in csv.DictReader(texts.pop("options", "").splitlines())}
    return texts, options


def _expected(path: Path) -> tuple[tuple[str, ...], Lines]:
    with path.open(encoding="utf-8", newline="") as text:
        header, *rows = map(tuple, csv.reader(text, strict=True))
    return header, sorted(rows)


def _text(value: object) -> str:
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%SZ")
    return "" if value is None else str(value)


def _findings(case: str) -> Lines:
    upload, options = _given(case)
    results = [*judge_upload(VENDOR, upload, **options).values(), *map_upload(VENDOR, upload, **options).values()]
    columns = ("severity", "code", "file", "row", "field", "cause_file", "cause_row", "count")
    return sorted(tuple(_text(f[column]) for column in columns) for result in results for f in result.findings.to_pylist())


TABLE_CASES = [
    (case, path.stem) for case in CASES for path in sorted((HERE / "expected" / case).glob("*.csv")) if path.stem != "findings"
]


@pytest.mark.parametrize(("case", "table"), TABLE_CASES)
def test_an_upload_makes_the_expected_roster(case: str, table: str) -> None:
    upload, options = _given(case)
    header, rows = _expected(HERE / "expected" / case / f"{table}.csv")
    made = accepted(map_upload(VENDOR, upload, **options)[table].table)

    assert sorted(tuple(_text(row[column]) for column in header) for row in made) == rows


@pytest.mark.parametrize("case", CASES)
def test_an_upload_has_the_expected_findings(case: str) -> None:
    assert _findings(case) == _expected(HERE / "expected" / case / "findings.csv")[1]


def test_every_case_expects_something_and_every_table_is_expected_somewhere() -> None:
    assert {case for case, _ in TABLE_CASES} == set(CASES)
    assert {table for _, table in TABLE_CASES} == {mapping.to for mapping in VENDOR.mappings} <= set(TABLES)


def test_no_record_is_made_twice() -> None:
    for case in CASES:
        upload, options = _given(case)

        assert [name for name, made in map_upload(VENDOR, upload, **options).items() if made.collisions] == []


def test_passwords_are_nowhere() -> None:
    for case in CASES:
        upload, options = _given(case)
        results = judge_upload(VENDOR, upload, **options)
        frames = [
            result.frame.to_csv() + str(result.quarantine.to_pylist()) + str(result.findings) for result in results.values()
        ]
        tables = [str(made.table.to_pylist()) for made in map_upload(VENDOR, upload, **options).values()]

        assert "hunter2" not in "".join(frames + tables)
