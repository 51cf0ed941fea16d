"""The import path of a child process, which must import what this process imports."""

from __future__ import annotations

import os
import sys


def child_python_path() -> str:
    """Return a ``PYTHONPATH`` with which a child process imports the same packages as this one, whatever its current folder."""
    return os.pathsep.join(dict.fromkeys(os.path.abspath(entry) for entry in sys.path))
