"""Load Great Expectations into the process from which warm runs are forked, so that they need no process of their own for the gates.

Belongs here: loading it, and answering requests in the same process. Forked runs share the library's memory.
"""

from __future__ import annotations

import logging
import os
import warnings
from importlib import import_module

from roster_etl.projections.suite_format import RULE_TYPE
from roster_etl.quality.gx_client import GX_CLIENT
from roster_etl.quality.gx_runner import prepare
from roster_etl.quality.gx_server import handle_request, load_library
from roster_etl.quality.tested_gx import is_tested_gx

_LOG = logging.getLogger(__name__)
_FIRST_REQUEST = {
    "suites": [
        {
            "suite": "preload",
            "expectations": [{"type": RULE_TYPE, "kwargs": {"rule": "a: form"}, "severity": "warning"}],
            "lines": {"rule": ["a: form"], "judged": [1], "failing": [0]},
        }
    ]
}
"""A request, because the library loads some of its modules when it runs its first suite."""


def preload() -> bool:
    """Load the library, and have this process and its forks answer requests. Returns whether it does; else runs start a child."""
    if not is_tested_gx("gates in warm runs"):
        return False
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            load_library()
            import_module("tqdm.std").tqdm.monitor_interval = 0  # its progress bars start a thread, which no fork survives
            handle_request(_FIRST_REQUEST)
            prepare()
    except Exception:  # noqa: BLE001 - runs must start all the same
        _LOG.exception("Great Expectations could not be loaded beforehand; each run loads it")
        return False
    GX_CLIENT.handle_in_process(handle_request)
    return True
