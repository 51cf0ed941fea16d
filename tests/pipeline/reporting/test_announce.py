"""How an import's ending is reported: from facts that are read once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from roster_etl.pipeline import import_upload as steps
from roster_etl.pipeline.import_upload import import_upload
from roster_etl.pipeline.reporting.announce import publish_report
from roster_etl.pipeline.reporting.import_summary import read_import_summary
from roster_etl.pipeline.review.approve import discard_import
from roster_etl.pipeline.uploads.order import Order
from roster_etl.pipeline.workspace import Workspace
from roster_etl.projections.samples import write_sample
from roster_etl.store.registry.district import District, Feed
from roster_etl.vendors import vendor
from tests.ledger_reads import ONCE, counted_reads
from tests.ledgers import ended


class Bug(Exception):
    """Fails an import between its steps."""


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """A home whose imports are reported by page, mail and webhook."""
    home = tmp_path / "home"
    home.mkdir()
    (home / "roster_etl.toml").write_text(
        '[mail]\nhost = "127.0.0.1"\nport = 9\nsecurity = "none"\nsender = "roster@example.org"\n'
        '[alerts]\nwebhook_env = "HOOK"\non = ["held", "rejected", "failed"]\n'
    )
    monkeypatch.setenv("HOOK", "http://127.0.0.1:9/hook")
    workspace = Workspace.open(home)
    contacts = ("data@lincoln.example.org",)
    workspace.registry.add(District(id="lincoln", contacts=contacts, mail="always", feeds=(Feed(format="clever"),)))
    return workspace


def test_an_ending_import_reads_each_fact_once_and_builds_one_report(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload, smaller = tmp_path / "upload", tmp_path / "smaller"
    write_sample(vendor("clever"), upload, students=60, seed=3)
    write_sample(vendor("clever"), smaller, students=10, seed=4)

    def take_in(path: Path) -> dict[str, int]:
        with counted_reads(monkeypatch) as counts:
            import_upload(workspace, Order(district_id="lincoln", source="clever", path=str(path)))
        return dict(counts)

    def broken(*_: Any) -> None:
        raise Bug

    found = {"published": take_in(upload), "unchanged": take_in(upload)}
    (upload / "students.csv").unlink()
    found["rejected"] = take_in(upload)
    found["held"] = take_in(smaller)  # last: whatever ends after it reads it once more, to close its hold
    monkeypatch.setattr(steps, "run_steps", broken)
    with counted_reads(monkeypatch) as counts, pytest.raises(Bug):
        import_upload(workspace, Order(district_id="lincoln", source="clever", path=str(smaller)))
    found["failed"] = dict(counts)

    assert [row["status"] for row in reversed(workspace.warehouse.ledger.imports())] == list(found)
    assert found == dict.fromkeys(found, ONCE)
    assert len(workspace.outbox.counts()) == 2  # mail and webhook


def test_a_hold_that_was_decided_before_its_report_was_written_is_reported_as_decided(workspace: Workspace) -> None:
    summary = read_import_summary(workspace, ended(workspace, "held"))
    discard_import(workspace, summary.import_id, "A. Steward")
    report = publish_report(workspace, summary)

    assert report.summary.status == "discarded"
    assert report.document["hold"]["decided_by"] == "A. Steward"
