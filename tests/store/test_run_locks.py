"""Whether the process of a run is alive."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from roster_etl.store.run_locks import RunLocks

HOLD = """
import sys, time
from pathlib import Path
from roster_etl.store.run_locks import RunLocks
with RunLocks(Path(sys.argv[1])).hold("a"):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_run_is_dead_when_its_process_was_killed_and_not_before(tmp_path: Path) -> None:
    locks = RunLocks(tmp_path)
    with subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        alive = locks.is_dead("a")
        process.send_signal(signal.SIGKILL)
    dead = locks.is_dead("a")
    locks.discard("a")

    assert (alive, dead, locks.is_dead("a")) == (False, True, False)


def test_a_run_that_ended_or_never_began_is_not_dead(tmp_path: Path) -> None:
    locks = RunLocks(tmp_path)
    with locks.hold("a"):
        pass

    assert (locks.is_dead("a"), locks.is_dead("b"), list(tmp_path.iterdir())) == (False, False, [])
