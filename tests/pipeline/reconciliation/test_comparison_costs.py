"""A comparison reads what changed and what that touches, however large the rosters are: rows read, and steps of SQLite's machine."""

from __future__ import annotations

from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from roster_etl.engine.reconcile.rosters import RULES, DecidedPeople
from roster_etl.pipeline.reconciliation.changes import ComparisonRules, compare_changes
from roster_etl.pipeline.reconciliation.reconcile import compared_columns, reconcile
from roster_etl.pipeline.workspace import Workspace
from roster_etl.store.warehouse import bulk_load
from tests.pipeline.reconciliation.test_changes import BEGAN, EMPTY, World, key_of, publish
from tests.store.warehouse.test_query_costs import Recording, steps_of

FEW, MANY = 60, 300
PAIR = ("lincoln", "canvas", "clever")


def roster(kind: str, size: int) -> World:
    """Return a roster of users, each in one section and at one school; ten a section."""
    world: World = {table: {} for table in EMPTY}

    def add(table: str, **row: Any) -> None:
        world[table][key_of(table, row)] = row

    add("organizations", organization_id="o0", number="1", name="A", type="school")
    add("terms", term_id="t0", name="T", start_at=BEGAN, end_at=BEGAN + timedelta(days=90))
    for number in range(size // 10):
        course = {"course_id": f"c{number}", "organization_id": "o0"}
        add("courses", **course, number=f"n{number}", name="M")
        add("sections", section_id=f"s{number}", **course, term_id="t0", number="1", period="1", name="M")
    for number in range(size):
        user, section = {"user_kind": kind, "user_id": f"{kind}{number}"}, number % (size // 10)
        add("users", **user, first_name="Ann", last_name="Lee", email=f"{number}@x.org", status="active")
        add("user_roles", **user, organization_id="o0", role="student")
        place = {"course_id": f"c{section}", "section_id": f"s{section}", "organization_id": "o0"}
        add("enrollments", **place, **user, role="student", status="active")
    return world


def changed(world: World) -> World:
    """Return a roster in which someone left, changed name, address or section, and a section and a course have other numbers."""
    after = {table: dict(rows) for table, rows in world.items()}
    users, seats = list(after["users"]), list(after["enrollments"])
    del after["users"][users[0]], after["user_roles"][next(iter(after["user_roles"]))], after["enrollments"][seats[0]]
    after["users"][users[1]] = {**after["users"][users[1]], "first_name": "Bo"}
    after["users"][users[2]] = {**after["users"][users[2]], "email": "other@x.org"}
    moved = {**after["enrollments"].pop(seats[3]), "course_id": "c5", "section_id": "s5"}
    after["enrollments"][key_of("enrollments", moved)] = moved
    for table, row_id in (("sections", ("s4",)), ("courses", ("c4",))):
        after[table][row_id] = {**after[table][row_id], "number": "9"}
    return after


@pytest.mark.parametrize("feed", PAIR[1:])
def test_a_comparison_costs_what_changed(feed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps, rows, opened = {}, {}, {}
    for size in (FEW, MANY):
        recording = Recording(monkeypatch)
        with closing(Workspace.open(tmp_path / str(size))) as workspace:
            worlds = {"canvas": roster("user", size), "clever": roster("student", size)}
            for source, world in worlds.items():
                publish(workspace, source, EMPTY, world, BEGAN)
            reconcile(workspace, PAIR, full=True)
            publish(workspace, feed, worlds[feed], changed(worlds[feed]), BEGAN + timedelta(days=1))
            recording.calls.clear()
            rows[size] = _compared_rows(workspace, monkeypatch)
            steps[size] = steps_of(workspace.home / "warehouse.sqlite", recording.calls)
            done = reconcile(workspace, PAIR, full=False)
            opened[size] = (done.is_full, done.opened, done.closed)
            assert reconcile(workspace, PAIR, full=True).opened == 0

    assert opened[FEW] == opened[MANY]
    assert opened[FEW][0] is False
    assert rows[FEW] == rows[MANY] > 20
    assert steps[FEW] > 0
    assert steps[MANY] <= 1.1 * steps[FEW] + 5


def _compared_rows(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> int:
    """Compare what changed; return how many rows were read."""
    count, fetch = [0], bulk_load.fetch

    def counting(*args: Any) -> pa.Table:
        found = fetch(*args)
        count[0] += found.num_rows
        return found

    how = ComparisonRules(pair=PAIR, rules=RULES, compared=compared_columns(PAIR, {}))
    with monkeypatch.context() as patch, workspace.warehouse.read_people() as people:
        patch.setattr(bulk_load, "fetch", counting)
        with workspace.warehouse.read_reconciliation() as session:
            state = session.comparison_state(PAIR) or {}
            newest = [session.base_import(PAIR[0], source) or 0 for source in PAIR[1:]]
            spans = list(zip((state["import_a"], state["import_b"]), newest, strict=True))
            assert compare_changes(session, people, how, DecidedPeople(), spans) is not None
    return count[0]
