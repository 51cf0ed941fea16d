"""What a format's files become: each folder of a vendor's ``given`` is an upload, the same one of ``expected`` the roster it makes.

A table of ``expected`` shows some of the table's columns and all accepted rows; ``findings.csv`` all findings. Among the given
files, ``options.csv`` sets options of the feed, and ``replacements.csv`` its replace rules. A vendor's folder is found by its name.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path

import pytest

from roster_etl.canonical.roster import TABLES
from roster_etl.engine.transform.mapper import MappedTable
from roster_etl.engine.validation.validate import ValidatedFile
from roster_etl.projections.samples import PASSWORD
from roster_etl.vendors import Vendor, discover_vendors
from tests.walking import accepted, judge_upload, map_judged

HERE = Path(__file__).parent
Lines = list[tuple[str, ...]]


@dataclass(frozen=True)
class Case:
    """One pair of folders."""

    vendor: Vendor
    name: str

    @property
    def given(self) -> Path:
        """The folder of the upload."""
        return HERE / self.vendor.format.name / "given" / self.name

    @property
    def expected(self) -> Path:
        """The folder of what comes of it."""
        return HERE / self.vendor.format.name / "expected" / self.name

    def judged(self) -> dict[str, ValidatedFile]:
        """Return the judged files of the upload."""
        return _walked(self.vendor.format.name, self.name)[0]

    def mapped(self) -> dict[str, MappedTable]:
        """Return the tables that the upload makes."""
        return _walked(self.vendor.format.name, self.name)[1]

    def settings(self) -> tuple[dict[str, str], dict[str, str], dict[str, dict[str, str]]]:
        """Return the files by spec name, the options, and the replace rules."""
        names = {file.file_name: file.name for file in self.vendor.format.files}
        texts = {names.get(path.name, path.stem): path.read_text(encoding="utf-8") for path in self.given.iterdir()}
        options = {row["option"]: row["value"] for row in _lines(texts.pop("options", ""))}
        rules: dict[str, dict[str, str]] = {}
        for row in _lines(texts.pop("replacements", "")):
            rules.setdefault(row["column"], {})[row["value"]] = row["instead"]
        return texts, options, rules


@cache
def _walked(format_name: str, name: str) -> tuple[dict[str, ValidatedFile], dict[str, MappedTable]]:
    """Walk an upload through the engine, once for all tests that look at it."""
    case = Case(discover_vendors()[format_name], name)
    upload, options, rules = case.settings()
    judged = judge_upload(case.vendor, upload, rules, **options)
    return judged, map_judged(case.vendor, judged, **options)


def _lines(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(text.splitlines()))


def _cases() -> list[Case]:
    return [
        Case(vendor, path.name)
        for name, vendor in discover_vendors().items()
        if vendor.change_plan is None and (HERE / name / "given").exists()  # series of changes: test_given_expected_changes.py
        for path in sorted((HERE / name / "given").iterdir())
    ]


def _id(value: object) -> str:
    return f"{value.vendor.format.name}-{value.name}" if isinstance(value, Case) else str(value)


def _expected(path: Path) -> tuple[tuple[str, ...], Lines]:
    with path.open(encoding="utf-8", newline="") as text:
        header, *rows = map(tuple, csv.reader(text, strict=True))
    return header, sorted(rows)


def _text(value: object) -> str:
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%SZ")
    return "" if value is None else str(value)


CASES = _cases()
TABLE_CASES = [(case, path.stem) for case in CASES for path in sorted(case.expected.glob("*.csv")) if path.stem != "findings"]
VENDORS = [pytest.param(vendor, id=name) for name, vendor in discover_vendors().items() if vendor.change_plan is None]


@pytest.mark.parametrize(("case", "table"), TABLE_CASES, ids=_id)
def test_an_upload_makes_the_expected_roster(case: Case, table: str) -> None:
    header, rows = _expected(case.expected / f"{table}.csv")
    made = accepted(case.mapped()[table].table)

    assert sorted(tuple(_text(row[column]) for column in header) for row in made) == rows


@pytest.mark.parametrize("case", CASES, ids=_id)
def test_an_upload_has_the_expected_findings(case: Case) -> None:
    judged, mapped = case.judged(), case.mapped()
    columns = ("severity", "code", "file", "row", "field", "cause_file", "cause_row", "count")
    found = [f for result in (*judged.values(), *mapped.values()) for f in result.findings.to_pylist()]

    assert sorted(tuple(_text(f[column]) for column in columns) for f in found) == _expected(case.expected / "findings.csv")[1]


@pytest.mark.parametrize("vendor", VENDORS)
def test_every_vendor_has_cases_and_every_table_is_expected_somewhere(vendor: Vendor) -> None:
    shown = {(case.name, table) for case, table in TABLE_CASES if case.vendor is vendor}

    assert {case for case, _ in shown} == {case.name for case in CASES if case.vendor is vendor} != set()
    assert {table for _, table in shown} == {mapping.to for mapping in vendor.mappings} <= set(TABLES)


@pytest.mark.parametrize("case", CASES, ids=_id)
def test_no_record_is_made_twice(case: Case) -> None:
    assert [name for name, made in case.mapped().items() if made.collisions] == []


@pytest.mark.parametrize("case", CASES, ids=_id)
def test_passwords_are_nowhere(case: Case) -> None:
    files = case.judged().values()
    frames = [str(result.rows.to_pylist()) + str(result.quarantine.to_pylist()) + str(result.findings) for result in files]
    tables = [str(made.table.to_pylist()) for made in case.mapped().values()]

    assert not [secret for secret in ("hunter2", PASSWORD) if secret in "".join(frames + tables)]
