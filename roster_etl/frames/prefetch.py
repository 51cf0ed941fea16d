"""Compute the next items of an iterator in background threads.

Belongs here: these threads. They help where producer and consumer both release the GIL for long: Arrow, files, databases.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

T = TypeVar("T")
Result = TypeVar("Result")
_END = object()
_WORTH_THREADS = 1 << 20  # bytes of the largest file of an upload from which threads save more than they cost
_FITS_TWICE = 64 << 20  # bytes of the largest file of an upload up to which two of its files or tables may be in memory at once


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


def two_at_a_time(function: Callable[[T], Result], items: Iterable[T], *, largest: int) -> Iterator[Result]:
    """Yield what `function` returns of each of `items`, in their order, while threads compute two of the next ones.

    Of a small upload one is computed at a time, in this thread, and so is one of a large upload, which would need the memory of two.
    An exception is raised when its item is requested. Closing waits for the threads.

    Args: items: each is asked for in this thread. largest: bytes of the largest file of the upload.
    """
    if not _WORTH_THREADS <= largest <= _FITS_TWICE:
        yield from map(function, items)
        return
    rest = iter(items)
    with ThreadPoolExecutor(2, thread_name_prefix="side-by-side") as threads:
        coming: deque[Future[Result]] = deque(threads.submit(function, item) for item in islice(rest, 2))
        try:
            while coming:
                made = coming.popleft().result()
                coming.extend(threads.submit(function, item) for item in islice(rest, 1))
                yield made
                del made
        finally:
            for future in coming:
                future.cancel()
