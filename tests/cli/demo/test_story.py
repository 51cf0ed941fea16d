"""``demo``: how it ends early, and what it says. The whole story is told by the wheel: ``tests/test_wheel.py``."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from roster_etl.cli.context import Call
from roster_etl.cli.demo import story as demo
from tests.cli.calling import call
from tests.processes import processes_that_name

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.sftp]


@pytest.mark.skipif(not Path("/proc").exists(), reason="looks for processes under /proc")
def test_a_demo_that_is_stopped_takes_its_processes_along(tmp_path: Path) -> None:
    home = tmp_path / "demo"
    demo = subprocess.Popen(
        [sys.executable, "-m", "roster_etl.cli", "demo", "--students", "20", "--home", str(home)],
        stderr=subprocess.PIPE,
        text=True,
    )
    assert demo.stderr is not None
    for line in demo.stderr:
        if "The sensor looks" in line:
            break
    deadline = time.monotonic() + 60
    while len(processes_that_name(home)) < 2 and time.monotonic() < deadline:
        time.sleep(0.2)

    demo.send_signal(signal.SIGTERM)

    _, said = demo.communicate(timeout=60)
    assert demo.returncode == 130, said
    assert processes_that_name(home) == []


def test_commands_are_shown_as_they_can_be_typed(tmp_path: Path, monkeypatch) -> None:
    script = tmp_path / "bin" / "roster-etl"
    script.parent.mkdir()
    monkeypatch.setattr(demo.sys, "executable", str(script.with_name("python")))
    monkeypatch.chdir(tmp_path)

    monkeypatch.setenv("PATH", "/nowhere")
    without = demo._program_command()
    script.touch(0o755)
    beside = demo._program_command()
    monkeypatch.setenv("PATH", str(script.parent))
    activated = demo._program_command()

    assert (without, beside, activated) == ("bin/python -m roster_etl.cli", "bin/roster-etl", "roster-etl")


def test_the_way_to_the_ui_names_its_port(tmp_path: Path) -> None:
    assert demo._ui_command(Call(home=tmp_path), 3001).endswith("-h 127.0.0.1 -p 3001")


def test_a_home_that_is_in_use_is_not_taken_for_a_demo(told: Path) -> None:
    assert call("demo", "--json", home=told).document["error"]["code"] == "bad_words"
