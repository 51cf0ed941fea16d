"""Processes that run on this machine, as a test looks for what it left behind."""

from __future__ import annotations

import os
from pathlib import Path


def processes_that_name(home: Path) -> list[str]:
    """Return the numbers of processes that name `home` in their words or their environment."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            told = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
        except OSError:
            continue
        if str(home).encode() in told and int(process.name) != os.getpid():
            found.append(process.name)
    return found
