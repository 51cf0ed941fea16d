"""The files of a report."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pyarrow as pa
import pytest

from roster_etl.pipeline.reporting.import_summary import read_import_summary
from roster_etl.pipeline.reporting.report_files import CSV_COLUMNS, findings_csv, write_report
from roster_etl.pipeline.workspace import Workspace
from tests.ledgers import ended, refused
from tests.pipeline.reporting.findings import finding


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace.open(tmp_path / "home")


@pytest.mark.parametrize(
    ("name", "written"),
    [
        *((f"{sign}1+1.csv", f"'{sign}1+1.csv") for sign in "=+-@\t\r＝＋－＠"),
        ("fine.csv", "fine.csv"),
        ("a-b=c@d+e.csv", "a-b=c@d+e.csv"),
        ("a;=1+1.csv", "a;'=1+1.csv"),  # where cells end at semicolons
        ("a\n=1+1.csv", "a\n'=1+1.csv"),
        ("a\t@1.csv", "a\t'@1.csv"),
    ],
)
def test_no_cell_of_the_list_is_a_formula(name: str, written: str) -> None:
    text = findings_csv([finding(2, file=name)])

    (row,) = csv.DictReader(io.StringIO(text, newline=""))
    assert list(row) == list(CSV_COLUMNS)
    assert row["file"] == written


@pytest.mark.parametrize(
    ("status", "says"),
    [
        ("published", "No record is different."),
        ("unchanged", "is published already"),
        ("held", "roster-etl holds approve 1 --by NAME"),
        ("rejected", "upload all files again"),
        ("failed", "roster-etl rerun --district lincoln --format clever --import 1"),
    ],
)
def test_every_ending_has_a_report_that_says_what_to_do(workspace: Workspace, status: str, says: str) -> None:
    page = write_report(workspace, read_import_summary(workspace, ended(workspace, status))).page

    assert says in page.read_text("utf-8")


def test_a_failed_import_that_took_nothing_cannot_be_run_again(workspace: Workspace) -> None:
    page = write_report(workspace, read_import_summary(workspace, ended(workspace, "failed", files=()))).page.read_text("utf-8")

    assert "roster-etl doctor --district lincoln" in page
    assert "rerun" not in page


def test_a_report_is_kept_with_the_import_and_the_same_each_time(workspace: Workspace) -> None:
    number = ended(workspace, "held", findings=refused(3))
    page = write_report(workspace, read_import_summary(workspace, number)).page
    kinds = ("html", "json", "csv")
    first = {kind: page.with_suffix(f".{kind}").read_bytes() for kind in kinds}
    ended(workspace, "published")
    write_report(workspace, read_import_summary(workspace, number))

    reports = workspace.home / "archive" / "reports" / "lincoln"
    archived = {kind: pa.input_stream(reports / f"1.{kind}.zst").read() for kind in kinds}  # decompressed, by its name
    assert {kind: page.with_suffix(f".{kind}").read_bytes() for kind in kinds} == first == archived


def test_the_charts_are_of_this_feed_up_to_this_import(workspace: Workspace) -> None:
    numbers = [ended(workspace, "published", district=who) for who in ("lincoln", "east", "lincoln", "lincoln")]
    page = write_report(workspace, read_import_summary(workspace, numbers[2])).page.read_text("utf-8")

    assert "Rows, imports 1 to 3: at most 100, in the last 100" in page
    assert "import 2," not in page
