"""Killed at any point, run again: the same roster, nothing half done, nothing stuck. `make faults` runs all of it, a check a part."""

from __future__ import annotations

import ast
import os
import sys
from pathlib import Path

import pytest

from roster_etl.store.fault_injection import POINTS
from tests.faults.conftest import Bases
from tests.faults.forge import Fresh
from tests.faults.scenarios import SCENARIOS, kill_and_recover, scenario_of

pytestmark = [pytest.mark.faults, pytest.mark.pg]

ALL = bool(os.environ.get("FAULTS"))  # the whole matrix: make faults
DATABASES = ("sqlite", "postgresql")
NAMES = list(POINTS)
SHORT = (
    *("ledger.opened", "file.part", "archive.written", "plan.done", "publish.merged", "publish.commit", "publish.committed"),
    *("hold.record", "ledger.superseded", "decide.recorded", "undo.held", "override.published", "purge.removed", "purge.settled"),
    *("export.opened", "export.write", "export.exchanged", "export.moved", "reconcile.commit", "people.decided"),
    *("migrate.upgraded", "outbox.sent", "arrival.forget", "fold.begin", "backup.note", "restore.warehouse"),
)
"""The points of the short form: each taught something, or guards what cannot be had back."""


def test_every_point_that_the_code_has_is_declared_and_every_declared_one_is_in_the_code(root: Path) -> None:
    calls = [
        node
        for file in (root / "roster_etl").rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.Call)
        and (getattr(node.func, "id", "") == "fault_point" or getattr(node.func, "attr", "") == "_passed")
    ]
    used = [argument.value for call in calls for argument in call.args if isinstance(argument, ast.Constant)]

    assert set(used) == set(POINTS)


@pytest.mark.parametrize("point", NAMES if ALL else SHORT)
def test_killed_anywhere_and_run_again_the_roster_is_that_of_a_clean_run(bases: Bases, point: str) -> None:
    scenario = scenario_of(point)
    database = DATABASES[list(SCENARIOS).index(scenario.name) % 2 if scenario.own else NAMES.index(point) % 2]
    clean = bases.clean(database, scenario)
    place = bases.place(database, scenario.after)

    assert point in clean.passed
    kill_and_recover(place, scenario, f"{point}:kill", clean)
    bases.drop(place)


@pytest.mark.skipif(not ALL, reason="the whole matrix: make faults")
@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("database", DATABASES)
@pytest.mark.parametrize("name", list(SCENARIOS))
def test_every_scenario_is_killed_at_every_point_that_it_passes(bases: Bases, name: str, database: str) -> None:
    scenario = SCENARIOS[name]
    clean = bases.clean(database, scenario)
    problems = []
    for point in clean.passed:
        place = bases.place(database, scenario.after)
        try:
            kill_and_recover(place, scenario, f"{point}:kill", clean)
        except AssertionError as error:
            problems.append(f"{point}: {error}")
            sys.stdout.write(f"{name} on {database}, {problems[-1]}\n")
        bases.drop(place)

    sys.stdout.write(f"{name} on {database}: killed at {len(clean.passed)} points\n")
    assert problems == []


@pytest.mark.skipif(not ALL, reason="processes of their own: make faults")
@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("database", DATABASES)
@pytest.mark.parametrize(
    "point", ["receive.opened", "judge.done", "publish.merged", "publish.commit", "publish.committed", "report.write"]
)
def test_a_command_that_is_killed_as_a_dagster_run_and_said_again_comes_to_the_same(
    bases: Bases, point: str, database: str
) -> None:
    scenario = SCENARIOS["import"]
    place = bases.place(database, scenario.after)
    place.forge = Fresh()

    kill_and_recover(place, scenario, f"{point}:kill", bases.clean(database, scenario))
    bases.drop(place)
