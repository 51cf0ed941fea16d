"""Whatever the format, and however many cells are wrong: no cell stands outside the warehouse, the archive and staging."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from roster_etl.pipeline.workspace import Workspace
from roster_etl.projections.samples import write_sample
from roster_etl.vendors import Vendor, discover_vendors
from tests.cli.calling import call
from tests.direct_imports import execute_directly
from tests.stored import stored_bytes

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("prepared_storage")]
CANARY = "Quillfeather"
WHERE_PEOPLE_REST = ("warehouse.sqlite", "archive", "staging")


@pytest.mark.parametrize("vendor", [pytest.param(vendor, id=name) for name, vendor in discover_vendors().items()])
def test_cells_of_a_broken_upload_stand_in_no_other_file_and_in_no_answer(vendor: Vendor, tmp_path: Path) -> None:
    home, upload, name = tmp_path / "home", tmp_path / "upload", vendor.format.name
    write_sample(vendor, upload, students=25, seed=5)
    with pytest.MonkeyPatch.context() as patch:  # the run that must tell nothing is the next one
        patch.setattr("roster_etl.orchestration.jobs.in_process_runs.execute_import", execute_directly)
        assert call("import", upload, "--district", "lincoln", "--format", name, home=home).code == 0
    for file in sorted(upload.rglob("*.csv")):
        if file.name == "manifest.csv":  # a damaged one rejects the upload before any row is read
            continue
        spoil(file, _schools(home))

    answers = [
        call("check", upload, "--format", name, "--district", "lincoln", home=home),
        call("import", upload, "--district", "lincoln", "--json", home=home),
    ]
    last = max(row["import_id"] for row in call("imports", "--json", home=home).document)
    answers += [call(*words, home=home) for words in (("show", last), ("imports",), ("holds", "list"), ("metrics",), ("doctor",))]

    assert len({finding["code"] for finding in answers[1].document["findings"]}) >= 4
    assert [CANARY.casefold() in (answer.out + answer.err).casefold() for answer in answers] == [False] * len(answers)
    assert [
        str(file.relative_to(home)) for file in _outside(home) if CANARY.casefold().encode() in stored_bytes(file).lower()
    ] == []
    assert any(CANARY.encode() in stored_bytes(file) for file in (home / "archive").rglob("*") if file.is_file())
    assert {f"{last}.html", f"{last}.json", "runs.db"} <= {file.name for file in _outside(home)}


def spoil(path: Path, may_be_said: set[str]) -> None:
    """Put the canary into every cell of one record, and of every second and third column in two others.

    Ids and names of schools stay: plans and reports name schools.
    """
    with path.open(encoding="utf-8", newline="") as file:
        header, *rows = list(csv.reader(file))
    for step, row in zip((1, 2, 3), rows[-3:], strict=False):
        row[::step] = [cell if cell in may_be_said else f"{CANARY} {place}" for place, cell in enumerate(row)][::step]
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *rows])


def _schools(home: Path) -> set[str]:
    with closing(Workspace.open(home)) as workspace:
        (row,) = {(row["district_id"], row["source"]) for row in workspace.warehouse.ledger.imports()}
        schools = workspace.warehouse.roster.as_of(datetime.now(UTC), "organizations", *row)
        return {cell for name in ("organization_id", "name") for cell in schools.column(name).to_pylist()}


def _outside(home: Path) -> Iterator[Path]:
    for file in home.rglob("*"):
        if file.is_file() and not file.relative_to(home).parts[0].startswith(WHERE_PEOPLE_REST):
            yield file
