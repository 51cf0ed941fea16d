"""Decisions about differences while feeds are compared, by several people at once, or killed: each is made once or not at all."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest
import sqlalchemy as sa

from roster_etl.pipeline.maintenance.purge import PurgeTarget, purge
from roster_etl.pipeline.maintenance.rebuild import rebuild_district
from roster_etl.pipeline.reconciliation import decide as deciding
from roster_etl.pipeline.reconciliation import decisions as journal
from roster_etl.pipeline.reconciliation import reconcile as reconciling
from roster_etl.pipeline.reconciliation.decide import UnknownDifference, Verb, decide
from roster_etl.pipeline.reconciliation.decisions import archive_decisions, decision_moment
from roster_etl.pipeline.reconciliation.reconcile import reconcile
from roster_etl.pipeline.reporting import announce
from roster_etl.pipeline.workspace import Workspace
from roster_etl.store.settings import Settings
from tests.pipeline.reconciliation.conftest import copied, make_two_feeds
from tests.pipeline.reconciliation.feeds import PAIR, Rows, canvas_users, run
from tests.sampling import every
from tests.saved import SavedFolders

pytestmark = pytest.mark.both_databases  # whoever waits for whom is decided by locks, which are others on each


def open_(workspace: Workspace) -> list[dict[str, Any]]:
    with workspace.warehouse.read_reconciliation() as session:
        return [row for row in session.open_differences(PAIR) if row["table_name"] == "users"]


def decided(workspace: Workspace) -> list[dict[str, Any]]:
    """Return the journal of decisions."""
    with workspace.warehouse.read_reconciliation() as session:
        return session.decisions("lincoln")


def decisions_of(workspace: Workspace) -> dict[str, tuple[Any, ...]]:
    """Return what was decided about each difference, open or closed, by what a rebuild does not number anew."""
    with workspace.warehouse.read_reconciliation() as session:
        rows = session.all_differences("lincoln")
    names = ("table_name", "kind", "field", "key_a", "key_b", "import_a", "import_b", "close_reason")
    return {
        str([row[name] for name in names]): (row["decision"], row["decided_by"], row["decided_at"])
        for row in rows
        if row["decided_at"]
    }


def rebuilt(workspace: Workspace, target: Path) -> dict[str, tuple[Any, ...]]:
    rebuild_district(workspace, "lincoln", f"sqlite:///{target}")
    with closing(Workspace(replace(workspace.settings, warehouse=f"sqlite:///{target}"))) as again:
        return decisions_of(again)


@pytest.fixture
def renamed(saved: SavedFolders, clever: Path, database: str, tmp_path: Path) -> Iterator[Workspace]:
    """The district with a user whom both feeds know under another name."""

    def make(folder: Path, url: str) -> None:
        workspace = make_two_feeds(folder, url, clever)
        run(workspace, "canvas", canvas_users(clever, folder / "one", named("Zoe")))
        workspace.close()

    with copied(saved, "a renamed user", make, tmp_path, database) as workspace:
        yield workspace


def named(name: str) -> Any:
    def change(rows: Rows) -> Rows:
        first = next(row for row in rows if not row["email"].startswith(row["login_id"]))
        return [{**row, "first_name": name} if row is first else row for row in rows]

    return change


def publish_without_comparing(workspace: Workspace, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(announce, "try_reconcile_published", lambda *_: [])
        run(workspace, "canvas", path)


@contextmanager
def comparing(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Compare the feeds elsewhere; the block runs while that is written and not committed, which it is a second later."""
    written, go_on = threading.Event(), threading.Event()

    def wait(point: str) -> None:
        if point == "reconcile.commit":
            written.set()
            assert go_on.wait(20)

    monkeypatch.setattr(reconciling, "fault_point", wait)
    with closing(Workspace(workspace.settings)) as other, ThreadPoolExecutor(1) as pool:
        done = pool.submit(reconcile, other, PAIR, full=False)
        assert written.wait(20)
        threading.Timer(1, go_on.set).start()
        yield
        done.result()


def test_a_decision_waits_for_a_comparison_and_holds_for_what_it_left_open(
    renamed: Workspace, clever: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = open_(renamed)
    (name,) = (row["difference_id"] for row in before if row["field"] == "first_name")
    stays = next(row["difference_id"] for row in before if row["kind"] == "missing_in_a")
    publish_without_comparing(renamed, canvas_users(clever, tmp_path / "two", named("Zoey")), monkeypatch)

    with comparing(renamed, monkeypatch):
        decide(renamed, "accept", [stays], by="A. Steward")
    assert {row["difference_id"]: row["decision"] for row in open_(renamed)}[stays] == "accepted"

    with pytest.raises(UnknownDifference):  # the comparison closed it: another name supersedes it
        decide(renamed, "accept", [name, stays], by="B. Steward")
    assert [row["decided_by"] for row in decided(renamed)] == ["A. Steward"]
    (other,) = (row for row in open_(renamed) if row["field"] == "first_name")
    assert other["decision"] is None


def test_a_difference_that_a_comparison_is_closing_cannot_be_decided(
    renamed: Workspace, clever: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (name,) = (row["difference_id"] for row in open_(renamed) if row["field"] == "first_name")
    publish_without_comparing(renamed, canvas_users(clever, tmp_path / "two"), monkeypatch)

    with comparing(renamed, monkeypatch), pytest.raises(UnknownDifference):
        decide(renamed, "accept", [name], by="A. Steward")

    assert decided(renamed) == []
    with renamed.warehouse.read_reconciliation() as session:
        (closed,) = session.differences([name])
    assert (closed["close_reason"], closed["decision"]) == ("agrees", None)


def test_a_decision_between_a_publish_and_its_comparison_is_the_same_after_a_rebuild(
    renamed: Workspace, clever: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The difference is closed as of the publish, which was before the decision."""
    (name,) = (row["difference_id"] for row in open_(renamed) if row["field"] == "first_name")
    publish_without_comparing(renamed, canvas_users(clever, tmp_path / "two", named("Zoey")), monkeypatch)
    decide(renamed, "accept", [name], by="A. Steward")
    reconcile(renamed, PAIR, full=False)

    (other,) = (row for row in open_(renamed) if row["field"] == "first_name")
    before = decisions_of(renamed)
    assert (other["value_a"], other["decision"], len(before)) == ("Zoey", None, 1)
    assert rebuilt(renamed, tmp_path / "again.sqlite") == before


def test_people_who_decide_at_once_decide_one_after_the_other(renamed: Workspace, tmp_path: Path) -> None:
    numbers = [row["difference_id"] for row in open_(renamed)][:4]
    verbs: Sequence[Verb] = ("accept", "ignore", "reopen")

    def one(at: int) -> None:
        with closing(Workspace(renamed.settings)) as workspace:
            for number in (numbers, numbers[::-1])[at % 2]:
                decide(workspace, verbs[at % 3], [number, numbers[0]], by=f"Steward {at}", reason=f"{number}")

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(one, range(6)))

    rows = decided(renamed)
    assert [row["decided_at"] for row in rows] == sorted(row["decided_at"] for row in rows)
    assert len(rows) == 24  # each call once
    last = {key: row for row in rows for key in map(str, row["about"])}
    found = {row["decided_by"] for row in open_(renamed) if row["difference_id"] in numbers}
    assert found == {row["decided_by"] for row in last.values()}
    assert renamed.archive.decisions("lincoln") == tuple(row["decision_id"] for row in rows)
    assert rebuilt(renamed, tmp_path / "again.sqlite") == decisions_of(renamed)


def test_a_decision_that_is_repeated_is_made_once(renamed: Workspace) -> None:
    number = open_(renamed)[0]["difference_id"]
    for _ in range(2):
        decide(renamed, "accept", [number], by="A. Steward", reason="known")
    assert len(decided(renamed)) == 1

    decide(renamed, "accept", [number], by="A. Steward", reason="known since May")
    assert [row["reason"] for row in decided(renamed)] == ["known", "known since May"]


def _decide_and_die(settings: Settings, point: str, number: int) -> int:
    """Decide in a child, which is killed at a fault point. Returns how it ended."""
    child = os.fork()
    if not child:
        vars(deciding)["fault_point"] = lambda name: os.kill(os.getpid(), signal.SIGKILL) if name == point else None
        decide(Workspace(settings), "ignore", [number], by="A. Steward")
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_a_decision_that_is_killed_is_made_once_or_not_at_all(renamed: Workspace) -> None:
    numbers = [row["difference_id"] for row in open_(renamed)]
    points = {"people.decide": 0, "people.decided": 1, "people.archived": 1}
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        for before, ((point, made), number) in enumerate(zip(points.items(), numbers, strict=False)):
            renamed.warehouse.close()
            assert pool.submit(_decide_and_die, renamed.settings, point, number).result(60) == -signal.SIGKILL

            found = {row["difference_id"]: row["decision"] for row in open_(renamed)}
            assert found[number] == ("ignored" if made else None), point
            assert len(decided(renamed)) == before + made, point
            decide(renamed, "ignore", [number], by="A. Steward")  # as whoever saw it die does
            assert len(decided(renamed)) == before + 1, point
            assert renamed.archive.decisions("lincoln") == tuple(row["decision_id"] for row in decided(renamed)), point


def _decide_and_die_at(settings: Settings, statement: int, number: int) -> None:
    """Decide, and be killed before the statement with this number (from 0), commits included."""
    count = [0]

    def step(*_: Any) -> None:
        if count[0] == statement:
            os.kill(os.getpid(), signal.SIGKILL)
        count[0] += 1

    for event in ("before_cursor_execute", "commit"):
        sa.event.listen(sa.Engine, event, step)
    decide(Workspace(settings), "ignore", [number], by=f"Steward {statement}")


def _compare(settings: Settings) -> None:
    reconcile(Workspace(settings), PAIR, full=True)


@pytest.mark.sampled
def test_a_decision_that_is_killed_at_any_statement_while_feeds_are_compared_is_whole(renamed: Workspace, tmp_path: Path) -> None:
    numbers = [row["difference_id"] for row in open_(renamed)]
    codes = []
    for statement in every(4, range(40)):
        number = numbers[statement % len(numbers)]
        renamed.warehouse.close()
        fork = multiprocessing.get_context("fork")
        calls = ((_compare, (renamed.settings,)), (_decide_and_die_at, (renamed.settings, statement, number)))
        comparison, decision = (fork.Process(target=target, args=args) for target, args in calls)
        for process in (comparison, decision):
            process.start()
        for process in (comparison, decision):
            process.join(60)
        assert comparison.exitcode == 0
        codes.append(decision.exitcode)

        made = [row["decision_id"] for row in decided(renamed) if row["decided_by"] == f"Steward {statement}"]
        (row,) = (row for row in open_(renamed) if row["difference_id"] == number)
        assert (row["decided_by"] == f"Steward {statement}") is bool(made)
        assert len(made) <= 1
        archive_decisions(renamed, "lincoln")
        assert set(made) <= set(renamed.archive.decisions("lincoln"))
        if not codes[-1]:
            break
    assert set(codes[:-1]) == {-signal.SIGKILL}
    assert codes[-1] == 0
    assert rebuilt(renamed, tmp_path / "again.sqlite") == decisions_of(renamed)


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_decisions_that_the_archive_missed_are_written_however_many(renamed: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    number = open_(renamed)[0]["difference_id"]
    with monkeypatch.context() as patch:
        patch.setattr(deciding, "archive_decisions", lambda *_: None)
        for at in range(7):
            decide(renamed, "accept", [number], by="A. Steward", reason=str(at))
    monkeypatch.setattr(journal, "_AT_ONCE", 3)

    archive_decisions(renamed, "lincoln")

    assert renamed.archive.decisions("lincoln") == tuple(row["decision_id"] for row in decided(renamed))


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_decision_that_is_archived_while_the_person_is_purged_leaves_nothing(
    renamed: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = next(row for row in open_(renamed) if row["kind"] == "missing_in_a" and row["key_b"]["user_kind"] == "teacher")
    with monkeypatch.context() as patch:
        patch.setattr(deciding, "archive_decisions", lambda *_: None)
        decide(renamed, "ignore", [row["difference_id"]], by="A. Steward")
    has_decision, who = renamed.archive.has_decision, row["key_b"]

    def purging(district_id: str, number: int) -> bool:
        """Purge between reading the decision and writing it."""
        monkeypatch.setattr(renamed.archive, "has_decision", has_decision)
        target = PurgeTarget(district_id=district_id, person=(who["user_kind"], who["user_id"]))
        with closing(Workspace(renamed.settings)) as other:
            purge(other, target, by="A. Steward")
        return has_decision(district_id, number)

    monkeypatch.setattr(renamed.archive, "has_decision", purging)
    archive_decisions(renamed, "lincoln")

    assert decided(renamed) == []
    assert renamed.archive.decisions("lincoln") == ()


class _Decided:
    """A journal whose newest decision was made by a clock that was ahead."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def decisions(self, district_id: str, newest: int) -> list[dict[str, Any]]:
        return [{"district_id": district_id, "decided_at": self.at}][:newest]


def test_a_decision_is_not_earlier_than_the_one_before_it() -> None:
    ahead, behind = (datetime.now(UTC) + timedelta(hours=hours) for hours in (1, -1))

    assert decision_moment(cast("Any", _Decided(ahead)), "lincoln") == ahead
    assert decision_moment(cast("Any", _Decided(behind)), "lincoln") > behind
