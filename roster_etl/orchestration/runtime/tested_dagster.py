"""The version of Dagster with which the shortcuts through its private attributes were tested.

A shortcut is off with any other version, and Dagster's own way does the same work, only slower.
"""

from __future__ import annotations

import logging

import dagster as dg

TESTED_VERSION = "1.13.27"
"""The version in ``requirements.lock``. Change both together, after the tests of the shortcuts passed with the new version."""
_LOG = logging.getLogger(__name__)


def is_tested_dagster(shortcut: str) -> bool:
    """Return whether the installed Dagster is the tested version.

    Args: shortcut: what stays off otherwise, for the debug log line that says so.
    """
    if dg.__version__ == TESTED_VERSION:
        return True
    _LOG.debug("%s: off, tested with Dagster %s, not with %s", shortcut, TESTED_VERSION, dg.__version__)
    return False
