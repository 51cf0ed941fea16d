"""The garbage collector rests while modules load, and wakes with the first step of a long piece of work."""

from __future__ import annotations

import gc
import subprocess
import sys
from collections.abc import Iterator

import pytest

from roster_etl.cli.context import Progress
from roster_etl.cli.gc_tuning import GC_TUNING, GcTuning


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    yield
    gc.enable()
    gc.unfreeze()


def test_it_wakes_once_and_looks_no_more_at_what_was_there() -> None:
    collector = GcTuning()
    collector.pause()
    assert not gc.isenabled()

    collector.resume()
    assert gc.isenabled()
    frozen = gc.get_freeze_count()
    collector.resume()

    assert frozen > 0
    assert abs(gc.get_freeze_count() - frozen) < 100  # some were freed, none were added


def test_one_that_somebody_else_has_switched_off_stays_off() -> None:
    gc.disable()
    GcTuning().resume()

    assert not gc.isenabled()


def test_the_first_step_wakes_it() -> None:
    GC_TUNING.pause()
    Progress(lambda _: None)("received")

    assert gc.isenabled()


def test_only_the_program_itself_lets_it_rest() -> None:
    code = "import gc; from roster_etl.cli import main; main(['nonsense']); print(gc.isenabled(), gc.get_freeze_count())"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert said.stdout.split() == ["True", "0"]
