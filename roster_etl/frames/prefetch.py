"""Getting the next item ready while the present one is used.

Belongs here: the one thread that does so. Worth it where both sides leave the interpreter for long: Arrow, files, databases.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
_END = object()


def prefetch(items: Iterable[T]) -> Iterator[T]:
    """Yield `items` in their order, the next one made in a thread while the caller has the present one.

    No more than one item waits. What making an item raises is raised when it is asked for; closing waits for the thread.
    """
    source = iter(items)
    with ThreadPoolExecutor(1, thread_name_prefix="one_ahead") as thread:
        coming = thread.submit(next, source, _END)
        while (item := coming.result()) is not _END:
            coming = thread.submit(next, source, _END)
            yield item  # type: ignore[misc]  # the sentinel is no T
            del item
