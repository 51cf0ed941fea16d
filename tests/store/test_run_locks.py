"""Whether the process of a run is alive, and work that one process does at a time."""

from __future__ import annotations

import fcntl
import os
import select
import signal
import subprocess
import sys
from pathlib import Path

from roster_etl.store.run_locks import RunLocks

WAIT = """
import sys
from pathlib import Path
from roster_etl.store.run_locks import RunLocks
print("waits", flush=True)
with RunLocks(Path(sys.argv[1])).one_at_a_time("sftp://a"):
    print("works", flush=True)
"""
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


def test_work_is_done_by_one_process_at_a_time_and_other_work_beside_it(tmp_path: Path) -> None:
    locks = RunLocks(tmp_path)
    with locks.one_at_a_time("sftp://a"), locks.one_at_a_time("sftp://b"):
        process = subprocess.Popen([sys.executable, "-c", WAIT, str(tmp_path)], stdout=subprocess.PIPE)
        assert process.stdout is not None
        assert process.stdout.readline() == b"waits\n"
        waited = not select.select([process.stdout], [], [], 0.3)[0]
    rest = process.stdout.read()
    process.stdout.close()

    assert (waited, rest, process.wait()) == (True, b"works\n", 0)
    assert list(tmp_path.iterdir()) == []


def test_a_lock_that_was_removed_while_somebody_waited_for_it_is_nobodys(tmp_path: Path) -> None:
    locks = RunLocks(tmp_path)
    with locks.one_at_a_time("sftp://a"):
        (file,) = tmp_path.iterdir()
    removed = os.open(file, os.O_RDWR | os.O_CREAT)
    fcntl.flock(removed, fcntl.LOCK_EX)
    process = subprocess.Popen([sys.executable, "-c", WAIT, str(tmp_path)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"waits\n"
    assert not select.select([process.stdout], [], [], 0.3)[0]
    file.unlink()
    with locks.one_at_a_time("sftp://a"):
        os.close(removed)
        waited = not select.select([process.stdout], [], [], 0.3)[0]
    rest = process.stdout.read()
    process.stdout.close()

    assert (waited, rest, process.wait()) == (True, b"works\n", 0)
