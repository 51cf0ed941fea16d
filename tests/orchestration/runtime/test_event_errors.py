"""What Dagster prints of events that it cannot store is left out; the error that ends the run tells of it."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import sqlalchemy as sa
from dagster._core.instance import types
from dagster._core.instance.methods import event_methods

from roster_etl.orchestration.jobs.in_process_runs import home_instance
from roster_etl.orchestration.runtime.event_errors import BEGINS, event_errors_unprinted


def lose_an_event(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run something with an event log whose disk is full."""

    def full(*_: Any, **__: Any) -> None:
        raise sa.exc.OperationalError("INSERT INTO event_logs", {"id": "Ann"}, Exception("database or disk is full"))

    @dg.op
    def talk() -> None:
        pass

    @dg.job
    def talking() -> None:
        talk()

    with home_instance(home) as instance:
        monkeypatch.setattr(instance, "handle_new_event", full)
        talking.execute_in_process(instance=instance, raise_on_error=False)


def test_the_lines_are_those_of_this_dagster_and_others_stay(capsys: pytest.CaptureFixture[str]) -> None:
    sources = [Path(module.__file__ or "").read_text("utf-8") for module in (types, event_methods)]
    with event_errors_unprinted():
        for line in (*BEGINS, "lincoln/clever: clever/upload", f"an answer to {BEGINS[0]}"):
            sys.stderr.write(f"{line}: and more\n")
        sys.stderr.flush()

    assert [line for line in BEGINS if not any(line in text for text in sources)] == []
    assert capsys.readouterr().err == f"lincoln/clever: clever/upload: and more\nan answer to {BEGINS[0]}: and more\n"


@pytest.mark.parametrize("level", [logging.INFO, logging.DEBUG])
def test_a_lost_event_is_printed_for_debugging_only(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], level: int
) -> None:
    monkeypatch.setattr(logging.getLogger("roster_etl"), "level", level)
    logging.getLogger("roster_etl").manager._clear_cache()
    with event_errors_unprinted():
        sys.stderr.write("on the way\n")
        with pytest.raises(sa.exc.OperationalError):
            lose_an_event(home, monkeypatch)

    said = capsys.readouterr().err
    assert said.startswith("on the way\n")
    assert ("Exception while writing" in said, "INSERT INTO" in said) == (level == logging.DEBUG,) * 2
