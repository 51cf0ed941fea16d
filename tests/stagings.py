"""Losing what a step left: for tests of what comes of it."""

from __future__ import annotations

from pathlib import Path


def lose(staging: Path, container: str, name: str) -> None:
    """Rename the entry `name` of the only container of that name below `staging`, so that nothing finds it."""
    (path,) = staging.rglob(f"{container}.arrows")
    content, key = path.read_bytes(), name.encode()
    assert key in content
    beginning = content[:8] + bytes(8)  # other random bytes: it is another file to whoever knows this one
    path.write_bytes(beginning + content[16:].replace(key, b"?" * len(key)))
