"""Python's garbage collector in a process that runs one command: it rests while there is nothing but imports, and wakes for the work.

Belongs here: when it rests. Loading Dagster and pandas makes half a million objects, none of them garbage; going through them again and
again took a quarter of a short command. Only ``entry`` lets it rest: a process of somebody else's is left as it is.
"""

from __future__ import annotations

import gc


class Collector:
    """The collector of this process, and whether it rests because of us."""

    def __init__(self) -> None:
        self._resting = False

    def rest(self) -> None:
        """Collect nothing until :meth:`wake`."""
        gc.disable()
        self._resting = True

    def wake(self) -> None:
        """Collect again, but never look at what is there by now: it stays for the whole life of the process."""
        if self._resting:
            gc.freeze()
            gc.enable()
            self._resting = False

    def leave(self) -> None:
        """Spare the process, which ends, a last look at all that it holds."""
        gc.freeze()


COLLECTOR = Collector()
