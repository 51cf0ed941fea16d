"""Two commands at the same time: the order of their outputs, the exit code, and that neither waits for the other."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def together(first: str, second: str, folder: Path) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, ROOT / "tools/run_together.py", f"sh -c '{first}'", f"sh -c '{second}'"]
    return subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False, timeout=60)


def test_the_second_output_follows_the_first_though_it_was_there_before(tmp_path):
    done = together("while ! [ -e ended ]; do sleep 0.05; done; echo one", "echo two; echo too >&2; touch ended", tmp_path)

    assert (done.returncode, done.stdout, done.stderr) == (0, "one\ntwo\ntoo\n", "")


def test_what_the_second_writes_after_the_first_has_ended_is_printed_to_the_last_line(tmp_path):
    done = together(
        "echo one; touch ended", "while ! [ -e ended ]; do sleep 0.05; done; sleep 0.5; seq 100000; echo last", tmp_path
    )

    assert done.stdout.splitlines() == ["one", *map(str, range(1, 100_001)), "last"]


@pytest.mark.parametrize(("first", "second", "code"), [(0, 0, 0), (2, 0, 2), (0, 3, 3), (2, 3, 2)])
def test_a_failure_of_either_is_the_exit_code_and_both_run_to_their_ends(tmp_path, first, second, code):
    done = together(f"echo one; exit {first}", f"sleep 0.2; echo two; exit {second}", tmp_path)

    assert (done.returncode, done.stdout) == (code, "one\ntwo\n")


def test_a_command_that_is_killed_by_a_signal_fails(tmp_path):
    assert together("exit 0", "kill -9 $$", tmp_path).returncode != 0
