"""Secrets that settings refer to: the content of a private file, or an environment variable.

Belongs here: reading a secret, and rejecting a file that others can read. No message contains a secret.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from roster_etl.spec.errors import SettingsError


def read_secret(where: str, *, file: str, variable: str, environ: Mapping[str, str] | None = None) -> str:
    """Return the secret in `file`, else in the environment `variable`. ``where``: the settings' table, for messages.

    Raises: SettingsError: neither is named, the file cannot be read or is readable by others, or the variable is not set.
    """
    if file:
        return _content(where, Path(file))
    if variable:
        found = (os.environ if environ is None else environ).get(variable, "")
        if not found:
            raise SettingsError(where=where, problem=f"the variable {variable} is not set")
        return found
    raise SettingsError(where=where, problem="it names neither a file nor a variable with the secret")


def _content(what: str, path: Path) -> str:
    try:
        if path.stat().st_mode & 0o077:
            raise SettingsError(where=what, problem=f"others can read {path}; run `chmod go= {path}`")
        content = path.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError):
        raise SettingsError(where=what, problem=f"{path} cannot be read") from None
    if not content:
        raise SettingsError(where=what, problem=f"{path} is empty")
    return content
