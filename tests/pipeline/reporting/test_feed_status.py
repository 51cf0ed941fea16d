"""How every feed stands: one row a district and feed, what needs a person first."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from roster_etl.pipeline.reporting.feed_status import NOTHING, Change, FeedStatus, known_quarantine, read_status, status_document
from roster_etl.pipeline.reporting.quarantine_age import refused_rows
from roster_etl.pipeline.workspace import Workspace
from roster_etl.store.registry.registry import District, Feed
from tests.ledgers import NOON, ended

NOW = NOON + timedelta(days=2)


def counts(current: int, created: int = 0, deleted: int = 0) -> dict[str, int]:
    return {"current": current, "created": created, "updated": 0, "deleted": deleted}


PLAN: dict[str, Any] = {"plan": {"users": counts(300, 24), "enrollments": counts(900, 10, 4)}}
REFUSED = [{"file": "students.csv", "row": 2, "code": "bad_date", "record": "{}"}]
HALF: dict[str, Any] = {
    "plan": {"users": counts(324, 0, 158), "enrollments": counts(906, 0, 400)},
    "hold": {"tables": {"users": {"deleted": 158, "current": 324, "pct": 48.8}}, "schools": []},
}


def fill(workspace: Workspace) -> None:
    """Enter six districts, each with a feed in another state."""
    for name in ("adams", "east", "grant", "lincoln", "monroe", "north"):
        expected = {"expected_by": "02:30"} if name == "grant" else {}
        workspace.registry.add(District(id=name, name=f"{name.title()} Schools", feeds=(Feed(format="clever", **expected),)))
    for name in ("adams", "grant", "lincoln", "monroe", "east"):
        ended(workspace, "published", district=name, summary=PLAN, rejected=REFUSED if name == "adams" else ())
    later = NOON + timedelta(hours=20)
    ended(workspace, "held", district="lincoln", at=later, summary=HALF)
    ended(workspace, "rejected", district="monroe", at=later)
    ended(workspace, "failed", district="east", at=later, summary={"parked": True})
    ended(workspace, "unchanged", district="adams", at=later)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """A home that tests only read."""
    with closing(Workspace.open(tmp_path_factory.mktemp("filled") / "home")) as workspace:
        fill(workspace)
        yield workspace


@pytest.fixture
def workspace(filled: Workspace, tmp_path: Path) -> Iterator[Workspace]:
    """A copy of that home."""
    filled.close()
    with closing(Workspace.open(shutil.copytree(filled.home, tmp_path / "home"))) as workspace:
        yield workspace


def by_district(workspace: Workspace) -> dict[str, FeedStatus]:
    return {feed.district_id: feed for feed in read_status(workspace, NOW).feeds}


def test_what_needs_a_person_comes_first(warehouse_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROSTER_ETL_WAREHOUSE", warehouse_url)
    with closing(Workspace.open(tmp_path / "home")) as workspace:
        fill(workspace)
        status = read_status(workspace, NOW)

    assert [(feed.district_id, feed.state, feed.needs) for feed in status.feeds] == [
        ("lincoln", "held", ("held",)),
        ("east", "failed", ("parked",)),
        ("monroe", "rejected", ("rejected",)),
        ("grant", "published", ("late",)),
        ("adams", "unchanged", ()),
        ("north", NOTHING, ()),
    ]
    assert (status.feeds[0].people, status.feeds[4].quarantine.rows) == (Change(before=324, after=166), 1)
    assert status.summary == (
        "4 of 6 feeds need a person: 1 held, 1 parked, 1 rejected, 1 late. The others: 1 nothing imported, 1 unchanged."
    )


def test_people_and_enrollments_are_those_of_the_plan_that_is_held_else_of_the_roster(filled: Workspace) -> None:
    found = by_district(filled)

    assert (found["lincoln"].people, found["lincoln"].enrollments) == (
        Change(before=324, after=166),
        Change(before=906, after=506),
    )
    assert (found["grant"].people, found["grant"].enrollments) == (Change(before=300, after=324), Change(before=900, after=906))
    assert found["monroe"].people == Change(before=None, after=324)
    assert found["north"].people is None
    assert [feed.district_id for feed in found.values() if feed.is_planned] == ["lincoln"]


def test_a_hold_says_what_stopped_it_and_how_to_decide(filled: Workspace) -> None:
    hold = by_district(filled)["lincoln"].hold

    assert hold is not None
    assert (hold.headline, hold.others) == ("158 of 324 users would be removed", ())
    assert hold.commands["approve"] == f"roster-etl holds approve {hold.import_id} --by NAME"


def test_a_hold_that_a_later_upload_did_not_close_is_shown_with_its_feed(workspace: Workspace) -> None:
    ended(workspace, "unchanged", district="lincoln", at=NOW)
    first = read_status(workspace, NOW).feeds[0]

    assert (first.district_id, first.state, first.needs) == ("lincoln", "unchanged", ("held",))


def test_the_hold_of_a_removed_district_still_waits(workspace: Workspace) -> None:
    workspace.registry.remove("lincoln")

    assert read_status(workspace, NOW).feeds[0].district_id == "lincoln"


def test_the_quarantine_is_as_the_command_refused_counts_it(workspace: Workspace) -> None:
    row = {"file": "students.csv", "code": "bad_date"}
    ended(workspace, "published", district="north", rejected=[{**row, "row": 2, "record": "a"}])
    newer = [
        {**row, "row": 2, "record": "a"},
        {**row, "row": 3, "record": "b"},
        {**row, "row": 3, "record": "b", "code": "bad_value"},
    ]
    ended(workspace, "published", district="north", at=NOW, rejected=newer)
    found = by_district(workspace)["north"]
    lines = refused_rows(workspace, "north", "clever", NOW)

    assert (found.quarantine.rows, found.quarantine.oldest) == (2, min(line.oldest for line in lines))
    assert sum(sum(line.ages.values()) for line in lines) == 2


def test_of_changes_every_row_that_waits_is_in_quarantine(workspace: Workspace) -> None:
    workspace.registry.add(District(id="delta", feeds=(Feed(format="canvas"),)))
    for days, cells in ((40, "a"), (0, "b")):
        at = NOW - timedelta(days=days)
        ended(
            workspace,
            "published",
            district="delta",
            source="canvas",
            at=at,
            rejected=[{"file": "users.csv", "row": 2, "code": "x", "record": cells}],
        )
    found = by_district(workspace)["delta"]

    assert (found.quarantine.rows, found.quarantine.oldest) == (2, NOW - timedelta(days=40, minutes=2))


MANY = range(1_000_000, 1_040_000)  # imports; more than a statement may have parameters


@pytest.mark.both_databases
def test_what_an_undone_import_rejected_is_not_in_quarantine(
    warehouse_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of uploads of everything, what the import before it rejected is."""
    monkeypatch.setenv("ROSTER_ETL_WAREHOUSE", warehouse_url)
    with closing(Workspace.open(tmp_path / "home")) as workspace:
        _require_quarantine_without_undone_imports(workspace)


def _require_quarantine_without_undone_imports(workspace: Workspace) -> None:
    fill(workspace)
    workspace.registry.add(District(id="delta", feeds=(Feed(format="canvas"),)))
    row = {"file": "users.csv", "row": 2, "code": "x"}
    for district, source in (("north", "clever"), ("delta", "canvas")):
        place = {"district": district, "source": source}
        ended(workspace, "published", **place, at=NOW - timedelta(days=40), rejected=[{**row, "record": "a"}])
        wrong = ended(workspace, "published", **place, at=NOW, rejected=[{**row, "row": n, "record": str(n)} for n in range(5)])
        ended(workspace, "published", **place, at=NOW, kind="undo", summary={"undoes": [wrong, *MANY]})
    found = by_district(workspace)

    assert [found[name].quarantine.rows for name in ("north", "delta")] == [1, 1]
    for name, source in (("north", "clever"), ("delta", "canvas")):
        assert [sum(line.ages.values()) for line in refused_rows(workspace, name, source, NOW)] == [1]


def test_the_quarantine_is_counted_again_only_if_something_was_published(workspace: Workspace) -> None:
    first = read_status(workspace, NOW)
    known = known_quarantine(status_document(first))
    told = {**known, ("adams", "clever"): replace(known["adams", "clever"], rows=99)}
    unchanged = read_status(workspace, NOW, told)
    ended(workspace, "published", district="adams", at=NOW, rejected=[])
    published = read_status(workspace, NOW, told)

    rows = [next(f.quarantine.rows for f in status.feeds if f.district_id == "adams") for status in (first, unchanged, published)]
    assert rows == [1, 99, 0]
    assert read_status(workspace, NOW, known_quarantine(status_document(published))) == published


def test_a_broken_registry_file_is_named_and_the_others_are_shown(workspace: Workspace) -> None:
    (workspace.home / "districts" / "adams.toml").write_text("[[feed]\n")
    status = read_status(workspace, NOW)

    assert [*status.problems] == ["adams.toml"]
    assert len(status.feeds) == 5


def test_the_number_of_statements_does_not_depend_on_the_number_of_feeds(tmp_path: Path) -> None:
    workspace = Workspace.open(tmp_path / "other")
    counted: list[int] = []
    for number in range(1, 41):
        workspace.registry.add(District(id=f"d{number}", feeds=(Feed(format="clever"),)))
        if number in (2, 40):
            statements: list[str] = []
            note = lambda _c, _u, sql, *_: statements.append(sql)  # noqa: B023, E731 - used in this round
            sa.event.listen(sa.Engine, "before_cursor_execute", note)
            ended(workspace, "published", district=f"d{number}", summary=PLAN)
            statements.clear()
            read_status(workspace, NOW)
            sa.event.remove(sa.Engine, "before_cursor_execute", note)
            counted.append(sum(sql.lstrip().startswith(("SELECT", "WITH")) for sql in statements))

    assert counted[0] == counted[1] <= 6


def test_the_document_has_one_row_a_feed(filled: Workspace) -> None:
    document = status_document(read_status(filled, NOW))

    assert (document["feeds"], document["needs"]) == (6, {"held": 1, "parked": 1, "rejected": 1, "late": 1})
    row = document["rows"][0]
    assert (row["district_id"], row["source"], row["people"]) == ("lincoln", "clever", {"before": 324, "after": 166})
    assert row["report"] == f"lincoln/{row['last_upload']['import_id']}.html"
    assert document["rows"][3]["lateness"]["state"] == "late"
