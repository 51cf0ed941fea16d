"""The file of a new run's events: its tables are made once in a process, and copied for each further run.

Belongs here: this one measured optimization. Dagster makes 10 tables with their indexes for each run, and looks up its newest migration: 50 ms.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

_MODE = 0o644  # as SQLite creates its files; only the owner can read the folder


@cache
def content_of_new_log(make: Callable[[Path], None]) -> bytes:
    """Return the bytes of the file that `make` creates at a path."""
    with TemporaryDirectory(prefix="roster-etl-") as folder:
        file = Path(folder) / "new.db"
        make(file)
        return file.read_bytes()


def place_new_log(file: Path, content: bytes) -> bool:
    """Create `file` with `content`, whole or not at all; False: it exists already, or the file system cannot do it so."""
    draft = file.with_name(f"{file.name}.{uuid4().hex}")
    try:
        draft.touch(_MODE, exist_ok=False)
        draft.write_bytes(content)
        os.link(draft, file)  # fails if another process was first
    except OSError:
        return False
    else:
        return True
    finally:
        draft.unlink(missing_ok=True)
