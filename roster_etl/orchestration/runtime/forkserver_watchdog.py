"""What is loaded only by the process that warm runs are forked from: its runs end with it.

Belongs here: that bond. Does not belong here: how runs come to be forked (``warm``).
The code server learns from that process how a run ended. If it dies, all its runs count as ended, and are tried again: one that went on
would work beside its own retry. Where the code server has died as well, nobody has counted anything, and the runs go on, as cold ones do.
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
    """Watch over the parent, in a run; what a run forks is its own business."""
    global _is_watching  # noqa: PLW0603 - one process, one bond
    if not _is_watching:
        _is_watching = True
        threading.Thread(target=_watch_parent, name="warm-parent", daemon=True).start()


def _watch_parent() -> None:
    while os.getppid() == _PARENT_PID:
        time.sleep(CHECK_SECONDS)
    if is_alive(_CODE_SERVER_PID):
        os.kill(os.getpid(), signal.SIGKILL)  # as the parent may have been; what a killed run leaves is ended by the next tick


def is_alive(pid: int) -> bool:
    """Return whether there is a process `pid`."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


os.register_at_fork(after_in_child=_start_watchdog)
