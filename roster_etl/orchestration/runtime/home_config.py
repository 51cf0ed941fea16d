"""Write the files with which Dagster's own programs begin: ``dagster.yaml`` and ``workspace.yaml`` of a home."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from roster_etl.orchestration import runtime
from roster_etl.store.files.folder import create_private_folder

_DEFAULTS = {"dagster.yaml": "default_dagster.yaml", "workspace.yaml": "default_workspace.yaml"}


def ensure_config(home: Path) -> Path:
    """Return the ``dagster.yaml`` of `home`; it and ``workspace.yaml`` are copied from the package where missing."""
    create_private_folder(home)
    for name, default in _DEFAULTS.items():
        path = home / name
        if not path.exists():
            path.write_bytes(files(runtime).joinpath(default).read_bytes())
            path.chmod(0o600)
    return home / "dagster.yaml"
