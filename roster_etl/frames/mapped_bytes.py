"""Bytes that may be too many to stay in memory: plain bytes, or a private file that is mapped into memory.

A page that is given back is read again from its file when it is needed.
"""

from __future__ import annotations

import mmap
from typing import TypeAlias

Content: TypeAlias = bytes | mmap.mmap
"""Slices are bytes; numpy, memoryview, regular expressions and Arrow read it without a copy."""


def release_pages(content: Content, start: int, stop: int) -> None:
    """Give back the memory of a mapped file from `start` to `stop`; nothing happens to plain bytes."""
    if isinstance(content, bytes):
        return
    first = start - start % mmap.PAGESIZE
    if stop > first:
        content.madvise(mmap.MADV_DONTNEED, first, min(stop, len(content)) - first)
