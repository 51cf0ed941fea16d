"""Find the home that a process uses if none is named."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

VARIABLE = "ROSTER_ETL_HOME"
FOLDER = "dagster_home"
_MARKER = "dagster.yaml"


def default_home(environ: Mapping[str, str] | None = None) -> Path:
    """Return ``$ROSTER_ETL_HOME``; else the ``dagster_home/`` of the current folder or the nearest above it; else one to create here.

    A folder above counts if its ``dagster_home/`` has a ``dagster.yaml``, so that a command works anywhere in a checkout.
    """
    named = (os.environ if environ is None else environ).get(VARIABLE)
    if named:
        return Path(named)
    here = Path.cwd()
    homes = (folder / FOLDER for folder in (here, *here.parents))
    return next((home for home in homes if (home / _MARKER).is_file()), here / FOLDER)
