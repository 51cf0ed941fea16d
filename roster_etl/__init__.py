"""roster_etl: school rosters from many vendors' CSV uploads, validated, compared with the current roster, and published as versioned tables."""

__version__ = "0.1.0"

import os
from typing import Any

# Arrow's allocator reads this when pyarrow is loaded, and never again: freed memory goes back to the system at once. Set later
# (pyarrow.jemalloc_set_decay_ms), it does not apply to what the main thread allocates, and a large file takes twice the memory.
os.environ.setdefault("JE_ARROW_MALLOC_CONF", "dirty_decay_ms:0,muzzy_decay_ms:0")
# numpy's library for linear algebra, of which nothing here is used, starts a thread a core, which spin for a while: 0.06 CPU seconds a process.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

__all__ = ["Destination", "Feed"]


def __getattr__(name: str) -> Any:
    """Return a Dagster component, which YAML names as ``roster_etl.Feed``; importing the package alone does not import Dagster."""
    if name in __all__:
        from roster_etl.orchestration import components

        return getattr(components, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """Return the names that the package offers, with the components: Dagster's `dg` lists them by it."""
    return sorted([*globals(), *__all__])
