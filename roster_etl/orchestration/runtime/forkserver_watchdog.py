"""A watchdog in every warm run: it kills the run if the forkserver dies. Loaded only by the forkserver.

The forkserver reports to the code server how a run ended. If it dies, all its runs count as ended and are retried: one that
continued would run beside its own retry. If the code server is dead as well, no run was retried, and the runs continue, as cold
ones do.
"""

from __future__ import annotations

import os
import signal
import threading
import time

CHECK_SECONDS = 0.5
_CODE_SERVER_PID, _PARENT_PID = os.getppid(), os.getpid()
_is_watching = False


def _start_watchdog() -> None:
    """Start the watchdog thread in a run; processes that a run forks have none."""
    global _is_watching  # noqa: PLW0603 - one process, one bond
    if not _is_watching:
        _is_watching = True
        threading.Thread(target=_watch_parent, name="warm-parent", daemon=True).start()


def _watch_parent() -> None:
    while os.getppid() == _PARENT_PID:
        time.sleep(CHECK_SECONDS)
    if is_alive(_CODE_SERVER_PID):
        os.kill(os.getpid(), signal.SIGKILL)  # as the forkserver may have been; the next tick fails the orphaned import


def is_alive(pid: int) -> bool:
    """Return whether the process `pid` exists."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


os.register_at_fork(after_in_child=_start_watchdog)
