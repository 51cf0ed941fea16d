"""The suites of an upload: all of them in one request, whatever the format."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from roster_etl.pipeline.import_upload import import_upload
from roster_etl.pipeline.reporting.import_summary import outcome
from roster_etl.pipeline.uploads.order import Order
from roster_etl.pipeline.workspace import Workspace
from roster_etl.projections.samples import write_sample
from roster_etl.quality.gx_client import GX_CLIENT
from roster_etl.store.registry.district import District, Feed
from roster_etl.vendors import discover_vendors, vendor
from roster_etl.vendors.lineage import tables_of
from tests.csv_files import put_in_every_row
from tests.sampling import kinds

WHO = "lincoln"


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the gates' process was asked, one entry a request."""
    names: list[str] = []
    ask = GX_CLIENT._request

    def counted(name: str, *rest: Any) -> Any:
        names.append(name)
        return ask(name, *rest)

    monkeypatch.setattr(GX_CLIENT, "_request", counted)
    return names


def run(home: Path, source: str, upload: Path) -> dict[str, Any]:
    """Import `upload`, and return the outcome."""
    workspace = Workspace.open(home)
    try:
        if not workspace.registry.exists(WHO):
            workspace.registry.add(District(id=WHO, feeds=(Feed(format=source),)))
        return outcome(workspace, import_upload(workspace, Order(district_id=WHO, source=source, path=str(upload))))
    finally:
        workspace.warehouse.close()


@pytest.mark.sampled
@pytest.mark.parametrize("source", kinds(sorted(discover_vendors())))
def test_an_import_with_a_failing_rule_is_one_request_and_any_other_none(
    home: Path, tmp_path: Path, real_gates: None, asked: list[str], source: str
) -> None:
    write_sample(vendor(source), tmp_path / "upload", students=12, seed=3)
    has_failing_rules = source == "clever"
    if has_failing_rules:
        put_in_every_row(tmp_path / "upload" / "students.csv", "Grade", "thirteenth")

    first = run(home, source, tmp_path / "upload")
    requests = len(asked)
    again = run(home, source, tmp_path / "upload")

    assert (first["status"], requests) == ("published", int(has_failing_rules))
    assert [check["name"] for check in first["checks"] if not check["passed"]] == has_failing_rules * [
        "clever/students: tolerances"
    ]
    assert (again["status"], len(asked)) == ("unchanged", requests)
    of_set = (
        vendor(source).for_file_set(vendor(source).format.file_sets[0].name)
        if vendor(source).format.file_sets
        else vendor(source)
    )
    suites = {check["name"].partition(":")[0] for check in first["checks"]}
    assert {f"canonical/{table}" for table in tables_of(of_set)} <= suites
    assert {suite for suite in suites if suite.startswith(f"{source}/")}


def test_an_upload_that_is_rejected_at_the_door_asks_nothing(home: Path, tmp_path: Path, asked: list[str]) -> None:
    write_sample(vendor("clever"), tmp_path / "upload", students=12, seed=3)
    (tmp_path / "upload" / "sections.csv").unlink()

    assert run(home, "clever", tmp_path / "upload")["status"] == "rejected"
    assert asked == []
