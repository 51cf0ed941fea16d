"""Prefetch: compute the next item of an iterator in a background thread.

Belongs here: this one thread. It helps where producer and consumer both release the GIL for long: Arrow, files, databases.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
_END = object()


def prefetch(items: Iterable[T]) -> Iterator[T]:
    """Yield `items` in order, while a thread computes the next one.

    At most one item is prefetched. An exception of `items` is raised when its item is requested. Closing waits for the thread.
    """
    source = iter(items)
    with ThreadPoolExecutor(1, thread_name_prefix="prefetch") as thread:
        coming = thread.submit(next, source, _END)
        while (item := coming.result()) is not _END:
            coming = thread.submit(next, source, _END)
            yield item  # type: ignore[misc]  # the sentinel is no T
            del item
