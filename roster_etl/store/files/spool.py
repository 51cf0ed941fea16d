"""Keep large content in a private file without a name, mapped into memory, so that reading it need not hold all of it.

Belongs here: when, and writing the file. Does not belong here: reading it (``engine.csv``).
"""

from __future__ import annotations

import mmap
import os
import tempfile
from collections.abc import Iterable
from itertools import chain
from pathlib import Path

from roster_etl.frames.mapped_bytes import Content
from roster_etl.spec.errors import FolderUnavailable
from roster_etl.store.files.folder import create_private_folder

MIN_BYTES = 16 << 20
"""Smaller content stays in memory."""
_WRITE_BYTES = 1 << 26


def spool_pieces(pieces: Iterable[bytes], scratch: Path, *, min_bytes: int = MIN_BYTES) -> Content:
    """Return `pieces` as one; from `min_bytes` on mapped from a private file below `scratch`, which has no name and ends with the mapping.

    They are in memory until they are `min_bytes` together. Raises FolderUnavailable.
    """
    rest, start, size = iter(pieces), list[bytes](), 0
    while size < max(min_bytes, 1):
        piece = next(rest, None)
        if piece is None:
            return b"".join(start)
        start.append(piece)
        size += len(piece)
    try:
        create_private_folder(scratch)
        with tempfile.TemporaryFile(dir=scratch, buffering=0) as file:
            for piece in chain(start, rest):
                _write(file.fileno(), memoryview(piece))
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except OSError as error:
        raise FolderUnavailable(where=scratch, problem=error.strerror or type(error).__name__) from None


def _write(file: int, rest: memoryview) -> None:
    while rest:
        rest = rest[os.write(file, rest[:_WRITE_BYTES]) :]
