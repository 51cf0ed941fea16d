"""IDs that should be those of another feed are compared with its current roster, once it has one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from roster_etl.pipeline.import_upload import import_upload
from roster_etl.pipeline.reporting.import_summary import outcome
from roster_etl.pipeline.uploads.order import Order
from roster_etl.pipeline.workspace import Workspace
from roster_etl.projections.samples import write_sample
from roster_etl.store.registry.registry import District, Feed
from roster_etl.vendors import vendor


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    """A district with a feed of Clever, and one of Mastery Connect whose ids are to be Clever's; nothing was imported yet."""
    opened = Workspace.open(tmp_path / "home")
    feeds = (Feed(format="clever"), Feed(format="mastery_connect", options={"match_source": "clever"}))
    opened.registry.add(District(id="lincoln", feeds=feeds))
    for feed in feeds:
        write_sample(vendor(feed.format), tmp_path / feed.format, students=12, seed=5)
    yield opened
    opened.close()


def unknown(workspace: Workspace, folder: Path) -> list[dict[str, Any]]:
    number = import_upload(workspace, Order(district_id="lincoln", source=folder.name, path=str(folder)))
    found: list[dict[str, Any]] = outcome(workspace, number)["findings"]
    return [finding for finding in found if finding["code"] == "unknown_reference"]


def test_while_the_other_feed_has_no_roster_one_finding_names_what_could_not_be_compared(
    workspace: Workspace, tmp_path: Path
) -> None:
    (finding,) = unknown(workspace, tmp_path / "mastery_connect")

    assert (finding["severity"], finding["file"], finding["row"]) == ("warning", "accounts.csv", None)
    assert "Nothing of clever was published" in finding["message"]
    assert "accounts.csv account_id, sections.csv section_id" in finding["message"]


def test_an_id_that_the_other_feed_does_not_have_is_told_with_its_row(workspace: Workspace, tmp_path: Path) -> None:
    import_upload(workspace, Order(district_id="lincoln", source="clever", path=str(tmp_path / "clever")))
    accounts = tmp_path / "mastery_connect" / "accounts.csv"
    first, *lines = accounts.read_text("utf-8").splitlines()
    fresh = {"account_id": "of-nobody", "name": "New", "status": "active"}
    accounts.write_text("\n".join([first, *lines, ",".join(fresh.get(name, "") for name in first.split(","))]) + "\n", "utf-8")
    known = workspace.warehouse.roster.current("lincoln", "clever", "organizations").column("organization_id").to_pylist()

    told = [finding["row"] for finding in unknown(workspace, tmp_path / "mastery_connect") if finding["file"] == "accounts.csv"]
    ids = [*(line.split(",")[first.split(",").index("account_id")] for line in lines), "of-nobody"]
    assert told == [row for row, one in enumerate(ids, 2) if one not in known]
    assert len(lines) + 2 in told
    assert set(known) & set(ids)
