"""A comparison that breaks off, meets another one, a decision or an older warehouse: nothing is half written, and the next one puts it right."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from roster_etl.engine.reconcile.person_groups import PersonRecord
from roster_etl.pipeline.maintenance.backup import back_up, restore
from roster_etl.pipeline.reconciliation import changes
from roster_etl.pipeline.reconciliation import reconcile as reconciling
from roster_etl.pipeline.reconciliation.decide_people import PersonDecision, write_decision
from roster_etl.pipeline.reconciliation.people import as_link
from roster_etl.pipeline.reconciliation.reconcile import reconcile
from roster_etl.pipeline.reporting import announce
from roster_etl.pipeline.workspace import Workspace
from roster_etl.store.warehouse import bulk_load
from tests.pipeline.reconciliation.feeds import PAIR, Rows, canvas_users, run, with_a_name
from tests.sampling import every

_MOST = 400  # statements of a comparison, at most


class Killed(Exception):
    """Raised where a process might have been killed."""


def everything(workspace: Workspace) -> dict[str, Any]:
    """Return all differences and links, and up to where feeds were compared."""
    with workspace.warehouse.read_people() as people, workspace.warehouse.read_reconciliation() as session:
        return {
            "differences": session.all_differences("lincoln"),
            "links": people.links("lincoln", past=True),
            "state": session.comparison_state(PAIR),
        }


def without_numbers(found: dict[str, Any]) -> list[str]:
    rows = [*found["differences"], *found["links"]]
    return sorted(str({name: value for name, value in row.items() if name not in ("difference_id", "link_id")}) for row in rows)


@pytest.fixture
def behind(lincoln: Workspace, clever: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """The district after an import of Canvas that changed names, addresses and people, and was not compared."""

    def changed(rows: Rows) -> Rows:
        for row in rows[:3]:
            row["email"] = f"new-{row['email']}"
        for row in rows[3:6]:
            row["first_name"] = "Zoe"
        rows[6]["status"] = "deleted"
        return rows

    with monkeypatch.context() as patch:
        patch.setattr(announce, "try_reconcile_published", lambda *_: [])
        run(lincoln, "canvas", canvas_users(clever, tmp_path / "changed", changed))
    return lincoln


@contextmanager
def killed_at(number: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Raise Killed before the statement with this number (from 0); yield a list with the number of statements so far."""
    count = [0]

    def step(*_: Any) -> None:
        if count[0] == number:
            raise Killed
        count[0] += 1

    def stepping(function: Any) -> Any:
        def call(*args: Any) -> Any:
            step()
            return function(*args)

        return call

    sa.event.listen(sa.Engine, "before_cursor_execute", step)
    with monkeypatch.context() as patch:
        for name in ("stage", "fetch"):
            patch.setattr(bulk_load, name, stepping(getattr(bulk_load, name)))
        try:
            yield count
        finally:
            sa.event.remove(sa.Engine, "before_cursor_execute", step)


@pytest.mark.sampled
def test_broken_off_at_any_statement_nothing_is_written_and_the_next_one_comes_to_the_same(
    behind: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = everything(behind)
    broken = 0
    for number in every(19, range(_MOST)):
        with killed_at(number, monkeypatch) as count:
            try:
                result = reconcile(behind, PAIR, full=False)
            except Killed:
                broken += 1
            else:
                break
        assert everything(behind) == before, f"killed before statement {number}"
    assert broken >= 3
    assert count[0] < _MOST
    assert (result.is_full, result.opened > 0, result.closed > 0) == (False, True, True)

    whole = reconcile(behind, PAIR, full=True)
    assert (whole.opened, whole.closed) == (0, 0)


@pytest.mark.both_databases
def test_two_comparisons_at_once_come_to_the_same_as_one(behind: Workspace) -> None:
    with closing(Workspace(behind.settings)) as other, ThreadPoolExecutor(2) as pool:
        done = list(pool.map(lambda workspace: reconcile(workspace, PAIR, full=False), (behind, other)))
    assert sorted(one.opened > 0 for one in done) == [False, True]  # one of them found what there was

    found = without_numbers(everything(behind))
    assert len(found) == len(set(found))
    whole = reconcile(behind, PAIR, full=True)
    assert (whole.opened, whole.closed, without_numbers(everything(behind))) == (0, 0, found)


@pytest.mark.both_databases
def test_a_decision_that_is_made_meanwhile_is_heeded(behind: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    with behind.warehouse.read_people() as people:
        link = as_link(people.links("lincoln")[-1])
    decision = PersonDecision(district_id="lincoln", verb="unlink", one=link.a, other=link.b, by="A. Steward")
    compare, decided = changes.compare_changes, list[PersonRecord]()

    def deciding(*args: Any) -> Any:
        found = compare(*args)
        if not decided:
            decided.append(link.a)
            with ThreadPoolExecutor(1) as elsewhere:
                elsewhere.submit(decide, Workspace(behind.settings)).result()
        return found

    def decide(workspace: Workspace) -> None:
        with closing(workspace), workspace.warehouse.write(directly=True) as tx:
            write_decision(tx, decision, datetime.now(UTC))

    monkeypatch.setattr(reconciling, "compare_changes", deciding)
    reconcile(behind, PAIR, full=False)

    with behind.warehouse.read_people() as people:
        verdicts = {(row["verdict"], row["rule"]) for row in people.links("lincoln") if as_link(row).pair == link.pair}
    assert verdicts == {("apart", "decision")}
    whole = reconcile(behind, PAIR, full=True)
    assert (whole.opened, whole.closed) == (0, 0)


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_restored_home_compares_all_once_more(lincoln: Workspace, clever: Path, tmp_path: Path) -> None:
    """The next import of a restored home has a number that another one had."""
    back_up(lincoln, str(tmp_path / "backup"))
    run(lincoln, "canvas", canvas_users(clever, tmp_path / "lost", with_a_name))
    assert "Zoe" in str(everything(lincoln)["differences"])
    lincoln.close()
    for file in tmp_path.glob("warehouse.sqlite*"):
        file.unlink()
    restore(str(tmp_path / "backup"), lincoln.home, replace_contents=True)

    with closing(Workspace.open(lincoln.home)) as restored:
        found = everything(restored)
        assert found["state"] is None
        assert "Zoe" not in str(found["differences"])
        again = reconcile(restored, PAIR, full=False)
        assert (again.is_full, again.opened, again.closed) == (True, 0, 0)
        assert not reconcile(restored, PAIR, full=False).is_full
