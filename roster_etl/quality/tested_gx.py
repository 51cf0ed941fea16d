"""The version of Great Expectations with which the shortcuts at its start were tested.

A shortcut is off with any other version: the library then loads all that it imports, in a process beside each run.
"""

from __future__ import annotations

import logging
from importlib.metadata import version

TESTED_VERSION = "1.24.1"
"""The version in ``requirements.lock``. Change both together, after the tests of the shortcuts passed with the new version."""
_LOG = logging.getLogger(__name__)


def is_tested_gx(shortcut: str) -> bool:
    """Return whether the installed Great Expectations is the tested version.

    Args: shortcut: what stays off otherwise, for the debug log line that says so.
    """
    installed = version("great_expectations")
    if installed == TESTED_VERSION:
        return True
    _LOG.debug("%s: off, tested with Great Expectations %s, not with %s", shortcut, TESTED_VERSION, installed)
    return False
