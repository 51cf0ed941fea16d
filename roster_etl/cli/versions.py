"""The versions that a report of a bug needs.

Belongs here: reading them from the installed packages, without importing those. Only commands that print them import this module.
"""

from __future__ import annotations

import platform
from importlib import metadata

_PROGRAM = "roster-etl"
_PACKAGES = ("dagster", "great-expectations", "pandas", "pyarrow", "sqlalchemy")


def version() -> str:
    """Return the version of the program."""
    return _version(_PROGRAM)


def version_text() -> str:
    """Return the version as ``--version`` prints it."""
    return f"{_PROGRAM} {version()}"


def versions() -> dict[str, str]:
    """Return the versions of the program, of Python, of the system and of the libraries that matter, by name."""
    found = {"roster-etl": version(), "python": platform.python_version(), "system": platform.system()}
    return found | {name: _version(name) for name in _PACKAGES}


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:  # a folder of sources that was never installed
        return "unknown"


def issues_url() -> str:
    """Return where bugs are reported, as the package's metadata names it; empty: it names nothing."""
    try:
        urls = metadata.metadata("roster-etl").get_all("Project-URL") or []
    except metadata.PackageNotFoundError:
        return ""
    found = (url.partition(",") for url in urls)
    return next((address.strip() for label, _, address in found if label.strip().casefold() in ("issues", "bug tracker")), "")
