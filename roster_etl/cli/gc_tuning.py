"""Tune Python's garbage collector in a process that runs one command: pause it during imports, and resume it for the work.

Belongs here: when it is paused. Loading Dagster and pandas creates half a million objects, none of them garbage; scanning them
again and again took a quarter of a short command. Only ``entry`` pauses it: other processes that call `main` are not changed.
"""

from __future__ import annotations

import gc


class GcTuning:
    """The garbage collector of this process, and whether we paused it."""

    def __init__(self) -> None:
        self._paused = False

    def pause(self) -> None:
        """Disable collection until :meth:`resume`."""
        gc.disable()
        self._paused = True

    def resume(self) -> None:
        """Enable collection again, without the present objects: they live until the process ends."""
        if self._paused:
            gc.freeze()
            gc.enable()
            self._paused = False

    def skip_final_collection(self) -> None:
        """Skip the collection of all objects when the process ends."""
        gc.freeze()


GC_TUNING = GcTuning()
