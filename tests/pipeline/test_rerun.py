"""Running archived uploads again: an older one never overtakes a newer one unasked, and nothing new changes nothing."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from roster_etl.pipeline.import_upload import import_upload
from roster_etl.pipeline.reporting.import_summary import outcome
from roster_etl.pipeline.uploads.archived_uploads import OlderUpload, newest_archived
from roster_etl.pipeline.uploads.order import Order
from roster_etl.pipeline.workspace import Workspace
from roster_etl.projections.samples import write_next_day, write_sample
from roster_etl.store.registry.district import District, Feed
from roster_etl.store.warehouse import RosterChanged
from roster_etl.vendors import vendor

WHO = ("lincoln", "clever")


@pytest.fixture(scope="module")
def two_days(tmp_path_factory) -> Path:
    """A folder with the uploads ``a`` and ``b`` and a home in which they are imports 1 and 2."""
    folder = tmp_path_factory.mktemp("two_days")
    write_sample(vendor("clever"), folder / "a", students=30, seed=5)
    write_next_day(vendor("clever"), folder / "a", folder / "b", seed=6)
    acting(folder / "home", lambda w: w.registry.add(District(id="lincoln", feeds=(Feed(format="clever"),))))
    assert [run(folder / "home", path=str(folder / name))["status"] for name in "ab"] == ["published", "published"]
    return folder


@pytest.fixture
def home(two_days: Path, tmp_path: Path) -> Path:
    return shutil.copytree(two_days / "home", tmp_path / "home")


def acting(home: Path, act: Callable[[Workspace], Any]) -> Any:
    workspace = Workspace.open(home)
    try:
        return act(workspace)
    finally:
        if "warehouse" in vars(workspace):
            workspace.warehouse.close()


def run(home: Path, **order: Any) -> dict[str, Any]:
    given = Order(district_id=WHO[0], source=WHO[1], **order)
    return acting(home, lambda w: outcome(w, import_upload(w, given)))


def roster(home: Path) -> list[dict[str, Any]]:
    return acting(home, lambda w: sorted(w.warehouse.roster.current(*WHO, "users").to_pylist(), key=str))


def approve(home: Path, held: dict[str, Any]) -> dict[str, Any]:
    return run(home, approves=(held["import_id"], held["hold"]["plan_sha256"], "A. Steward"), options=SAME)


SAME: dict[str, str] = {}


def test_an_older_upload_is_refused_and_opens_no_import(home: Path) -> None:
    with pytest.raises(OlderUpload):
        run(home, archived=1)

    assert len(acting(home, lambda w: w.warehouse.ledger.imports())) == 2


def test_going_back_is_planned_and_held_even_where_no_threshold_is_exceeded(home: Path) -> None:
    before = roster(home)

    document = run(home, archived=1, rollback=True, options={"delete_threshold_pct": "100", "update_threshold_pct": "100"})

    assert (document["status"], document["hold"]["reason"]) == ("held", "older_upload")
    assert [f["severity"] for f in document["findings"] if f["code"] == "older_upload"] == ["upload"]
    assert roster(home) == before


def test_an_approved_way_back_is_published_and_is_as_old_as_its_upload(home: Path) -> None:
    held = run(home, archived=1, rollback=True)

    assert approve(home, held)["status"] == "published"
    assert run(home, archived=3)["status"] == "unchanged"
    assert run(home, archived=2)["status"] == "published"  # newer than what is published now
    with pytest.raises(OlderUpload):
        run(home, archived=3)


def test_what_is_published_changes_nothing_when_it_runs_again(home: Path) -> None:
    before = roster(home)

    documents = [run(home, archived=2), run(home, archived=2, rollback=True)]

    assert [(d["status"], d["changes"]) for d in documents] == [("unchanged", {})] * 2
    assert roster(home) == before


def test_the_same_bytes_uploaded_again_make_their_first_import_no_older(home: Path, two_days: Path) -> None:
    assert run(home, path=str(two_days / "a"), options={"delete_threshold_pct": "100"})["status"] == "published"

    assert run(home, archived=1, options={"delete_threshold_pct": "100"})["status"] == "unchanged"
    with pytest.raises(OlderUpload):
        run(home, archived=2)


def test_an_older_upload_that_runs_again_leaves_the_hold_of_a_newer_one(home: Path, two_days: Path) -> None:
    run(home, path=str(two_days / "a"), options={"delete_threshold_pct": "0", "delete_threshold_min": "1"})
    assert [h["import_id"] for h in acting(home, lambda w: w.warehouse.ledger.holds())] == [3]

    run(home, archived=2)

    assert [h["import_id"] for h in acting(home, lambda w: w.warehouse.ledger.holds())] == [3]


def test_the_newest_archived_upload_is_told_by_when_it_came(home: Path) -> None:
    run(home, archived=1, rollback=True)

    assert acting(home, lambda w: newest_archived(w, *WHO)) == 2


def test_an_import_that_a_newer_one_has_overtaken_publishes_nothing(home: Path, two_days: Path, monkeypatch) -> None:
    from roster_etl.pipeline import import_upload as road

    def overtaken(*arguments: Any) -> None:
        monkeypatch.setattr(road, "publish_import", publish)
        assert run(home, path=str(two_days / "a"), options={"delete_threshold_pct": "100"})["status"] == "published"
        publish(*arguments)

    publish = road.publish_import
    monkeypatch.setattr(road, "publish_import", overtaken)

    with pytest.raises(RosterChanged):
        run(home, archived=2, options={"delete_threshold_pct": "99"})

    assert [r["status"] for r in acting(home, lambda w: w.warehouse.ledger.imports())] == [
        "published",
        "failed",
        "published",
        "published",
    ]
