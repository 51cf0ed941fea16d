"""roster_etl: school rosters from many vendors' CSV uploads, validated, compared with the current roster, and published as versioned tables."""

__version__ = "0.1.0"

from typing import Any

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
