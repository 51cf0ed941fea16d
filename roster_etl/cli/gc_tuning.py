"""Python's garbage collector in a process that runs one command: it rests while there is nothing but imports, and wakes for the work.

Belongs here: when it rests. Loading Dagster and pandas makes half a million objects, none of them garbage; going through them again and
again took a quarter of a short command. Only ``entry`` lets it rest: a process of somebody else's is left as it is.
"""

from __future__ import annotations

import gc


class GcTuning:
    """The collector of this process, and whether it rests because of us."""

    def __init__(self) -> None:
        self._paused = False

    def pause(self) -> None:
        """Collect nothing until :meth:`resume`."""
        gc.disable()
        self._paused = True

    def resume(self) -> None:
        """Collect again, but never look at what is there by now: it stays for the whole life of the process."""
        if self._paused:
            gc.freeze()
            gc.enable()
            self._paused = False

    def skip_final_collection(self) -> None:
        """Spare the process, which ends, a last look at all that it holds."""
        gc.freeze()


GC_TUNING = GcTuning()
