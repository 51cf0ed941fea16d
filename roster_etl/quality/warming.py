"""Loading Great Expectations: once, late, and if wished in the background.

Belongs here: the import, which takes seconds and 200 MB, and nothing that runs a suite.
"""

from __future__ import annotations

import threading
from types import ModuleType

_STARTED = threading.Lock()
_threads: list[threading.Thread] = []


def great_expectations() -> ModuleType:
    """Return the package, with our expectation registered in it; only the first call takes time."""
    import great_expectations as gx

    from roster_etl.quality import rule_expectation  # noqa: F401 - registers itself

    return gx


def warm() -> threading.Thread:
    """Start loading Great Expectations in the background, once a process, and return the thread that does.

    It overlaps with work that releases the interpreter's lock, such as Arrow reading a file. A failure to import is not
    reported here: the gate imports it again and fails in its own place.
    """
    with _STARTED:
        if not _threads:
            _threads.append(threading.Thread(target=_load, name="warm-great-expectations", daemon=True))
            _threads[0].start()
        return _threads[0]


def _load() -> None:
    try:
        great_expectations()
    except ImportError:
        return
