"""How a call ends that was interrupted."""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

import pytest

from tests.cli.calling import call


@pytest.mark.parametrize("handled", [KeyboardInterrupt, ValueError])
def test_a_call_is_stopped_also_if_cleaning_up_after_an_interrupt_fails(
    handled: type[BaseException], told: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where the interrupt comes between a connection and its cursor, which keeps the connection from being closed."""

    def fails(*_: object, **__: object) -> NoReturn:
        error = RuntimeError("cannot close while a statement is open")
        error.__context__ = handled()  # as where it is raised while the other one is handled
        raise error

    monkeypatch.setattr("roster_etl.cli.status.read_status", fails)

    answer = call("status", home=told)

    interrupted = handled is KeyboardInterrupt
    assert answer.code == (130 if interrupted else 1)
    assert ("stopped" in answer.err, "this is a bug" in answer.err) == (interrupted, not interrupted)
