"""A clock for waiting that never leaps: the machine's monotonic clock, continued from tick to tick and across restarts.

A monotonic clock counts from the boot of its machine. Time between the last tick before a reboot and the first one after it, or on
a machine not seen before, therefore counts as no time: it may only make a wait longer.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

_CURSOR_KEY = "clock"
_MAX_BOOTS = 4  # machines whose readings are remembered, for code servers that take turns
_PROCESS = f"process-{uuid.uuid4().hex}"


class SteadyClock:
    """Seconds that only grow. They begin with the wall clock's of the first tick, and differ from it after each leap."""

    def __init__(
        self,
        cursor: str | None,
        *,
        boot: str | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """Continue from the last tick's `cursor`. ``boot``: names the run of the machine whose `monotonic` clock it is."""
        saved = (json.loads(cursor) if cursor else {}).get(_CURSOR_KEY)
        self._monotonic, self._boot = monotonic, boot or boot_id()
        self._last: float = saved["last"] if saved else wall()
        self._offsets: dict[str, float] = dict(saved["offsets"]) if saved else {}
        self._offsets[self._boot] = self._offsets.pop(self._boot, self._last - monotonic())

    def __call__(self) -> float:
        """Return the time in seconds, never less than before."""
        self._last = max(self._last, self._monotonic() + self._offsets[self._boot])
        return self._last

    def add_to_cursor(self, cursor: str) -> str:
        """Return `cursor` with what the next tick needs to continue."""
        offsets = dict(list(self._offsets.items())[-_MAX_BOOTS:])
        return json.dumps({**json.loads(cursor), _CURSOR_KEY: {"last": self(), "offsets": offsets}}, separators=(",", ":"))


def boot_id() -> str:
    """Return a name of the machine's present boot; where the system has none, one of this process."""
    with suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
        with suppress(OSError):
            boot += " " + str(Path("/proc/self/ns/time").readlink())  # a container may have a monotonic clock of its own
        return boot
    return _PROCESS
