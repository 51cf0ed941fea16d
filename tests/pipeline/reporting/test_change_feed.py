"""What changed since an import, in pages."""

from __future__ import annotations

from typing import Any

import pytest

from roster_etl.pipeline.import_upload import import_upload
from roster_etl.pipeline.reporting.change_feed import BadCursor, changes_page
from roster_etl.pipeline.uploads.order import Order
from roster_etl.pipeline.workspace import Workspace
from roster_etl.projections.samples import write_next_day, write_sample
from roster_etl.store.registry.registry import District, Feed
from roster_etl.store.warehouse import UnknownImport
from roster_etl.vendors import vendor
from tests.ledgers import ended

WHO = ("lincoln", "clever")


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A home in which two days of lincoln were imported."""
    folder = tmp_path_factory.mktemp("changes")
    write_sample(vendor("clever"), folder / "a", students=30, seed=5)
    write_next_day(vendor("clever"), folder / "a", folder / "b", seed=6)
    workspace = Workspace.open(folder / "home")
    workspace.registry.add(District(id="lincoln", feeds=(Feed(format="clever"),)))
    for day in ("a", "b"):
        import_upload(workspace, Order(district_id="lincoln", source="clever", path=str(folder / day)))
    return workspace


def walk(workspace: Workspace, since: int, limit: int) -> tuple[list[dict[str, Any]], int, int]:
    """Return all changes page by page, the number to begin with the next time, and the number of pages."""
    found, after, pages = [], None, 0
    while True:
        page = changes_page(workspace, *WHO, since=since, after=after, limit=limit)
        found, pages = found + page.changes, pages + 1
        assert len(page.changes) <= limit
        if page.after is None:
            return found, page.since, pages
        after = page.after


def counted(changes: list[dict[str, Any]], number: int) -> dict[str, dict[str, int]]:
    counts: dict[str, dict[str, int]] = {}
    for change in changes:
        if change["import_id"] == number:
            counts.setdefault(change["table"], dict.fromkeys(("created", "updated", "deleted"), 0))[change["change"]] += 1
    return counts


def test_all_that_each_import_did_comes_once_in_the_order_of_publishing(workspace: Workspace) -> None:
    found, since, _ = walk(workspace, 0, 100_000)

    for number in (1, 2):
        summary = workspace.warehouse.ledger.import_(number)["summary"]["changes"]
        assert counted(found, number) == {table: counts for table, counts in summary.items() if any(counts.values())}
    assert [change["import_id"] for change in found] == sorted(change["import_id"] for change in found)
    assert since == 2


@pytest.mark.parametrize("limit", [7, 100, 333])
def test_pages_of_any_size_hold_the_same(workspace: Workspace, limit: int) -> None:
    whole, since, _ = walk(workspace, 1, 100_000)
    paged, again, pages = walk(workspace, 1, limit)

    assert (paged, again) == (whole, since)
    assert pages == max(1, -(-len(whole) // limit))


def test_after_the_last_import_there_is_nothing(workspace: Workspace) -> None:
    page = changes_page(workspace, *WHO, since=2, after=None, limit=10)

    assert (page.changes, page.since, page.after) == ([], 2, None)


def test_a_key_names_its_columns_and_a_change_its_reason(workspace: Workspace) -> None:
    found, _, _ = walk(workspace, 0, 100_000)

    assert {tuple(change["key"]) for change in found if change["table"] == "users"} == {("user_kind", "user_id")}
    assert all(change["reason"] is None for change in found if change["import_id"] == 1)
    assert {change["reason"] for change in found if change["change"] == "updated"} == {"changed"}


def test_what_is_no_place_in_this_feed_is_refused(workspace: Workspace) -> None:
    other = ended(workspace, "published", district="east")
    running = ended(workspace, "running")
    word = changes_page(workspace, *WHO, since=0, after=None, limit=1).after

    for since, after in ((other, None), (running, None), (0, "zzz"), (0, "bnVsbA"), (2, word)):
        with pytest.raises(BadCursor):
            changes_page(workspace, *WHO, since=since, after=after, limit=1)
    with pytest.raises(UnknownImport):
        changes_page(workspace, *WHO, since=10**6, after=None, limit=1)
