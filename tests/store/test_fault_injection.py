"""The fault points: inert unless set, exact when set, and never silently wrong."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from roster_etl.store import fault_injection
from roster_etl.store.fault_injection import BadFault, Fault, InjectedFault, configured_fault, fault_point, parse_fault
from tests.cli.calling import call


def test_a_point_does_nothing_unless_a_fault_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(fault_injection.VARIABLE, raising=False)
    began = time.perf_counter()
    for _ in range(1000):
        fault_point("publish.begin")

    assert configured_fault() is None
    assert time.perf_counter() - began < 0.1  # an import comes by a few hundred


def test_a_fault_happens_at_its_point_and_in_its_turn_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fault_injection, "_pass_counts", fault_injection.Counter())
    monkeypatch.setenv(fault_injection.VARIABLE, "publish.begin:raise:2")
    fault_point("publish.commit")
    fault_point("publish.begin")

    with pytest.raises(InjectedFault, match="publish.begin"):
        fault_point("publish.begin")
    fault_point("publish.begin")
    assert fault_injection.pass_counts() == {"publish.commit": 1, "publish.begin": 3}


def test_a_process_that_stands_still_goes_on_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr(fault_injection, "_pass_counts", fault_injection.Counter())
    monkeypatch.setattr(fault_injection.time, "sleep", slept.append)
    monkeypatch.setenv(fault_injection.VARIABLE, "plan.begin:sleep")
    fault_point("plan.begin")

    assert slept == [fault_injection.SLEEP_SECONDS]


def test_a_killed_process_ends_by_the_signal(root: Path) -> None:
    script = "from roster_etl.store.fault_injection import fault_point; fault_point('plan.made'); print('never')"
    environment = {fault_injection.VARIABLE: "plan.made:kill", "PYTHONPATH": str(root)}
    ended = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, check=False)

    assert (ended.returncode, ended.stdout) == (-9, b"")


@pytest.mark.parametrize(
    "told", ["publish.begun:kill", "publish.begin", "publish.begin:die", "publish.begin:kill:0", "publish.begin:kill:x"]
)
def test_what_cannot_be_put_in_is_refused(told: str) -> None:
    with pytest.raises(BadFault, match="Expected POINT:ACTION"):
        parse_fault(told)


def test_a_turn_may_be_left_out() -> None:
    assert parse_fault("plan.begin:sleep") == Fault(point="plan.begin", action="sleep", turn=1)


def test_a_command_refuses_to_start_with_a_fault_that_is_misspelt(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(fault_injection.VARIABLE, "publish.begun:kill")
    answer = call("imports", "--json", home=home)

    assert (answer.code, answer.document["error"]["code"]) == (2, "bad_fault")


def test_doctor_says_that_a_fault_is_put_in(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(fault_injection.VARIABLE, "migrate.done:sleep:100000")
    found = {thing["what"]: thing for thing in call("doctor", "--json", home=home).document}

    assert not found["faults"]["ok"]
    assert "migrate.done will sleep; unset it" in found["faults"]["found"]
