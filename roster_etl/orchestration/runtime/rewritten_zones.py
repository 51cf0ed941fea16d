"""Landing zones that a run found rewritten, in Dagster's key-value storage, where the sensor of any host reads them.

Belongs here: storing them. Does not belong here: finding them (``jobs.reread_landing``), or importing them (``sensors.rewrite_checks``).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import dagster as dg

_REWRITTEN, _MAX_REWRITTEN = "roster_etl/rewritten", 500


def read_rewritten(instance: dg.DagsterInstance) -> dict[str, list[Any]]:
    """Return the landing zones that were found rewritten: by key, the number of imports requested then, and the listing."""
    text = instance.daemon_cursor_storage.get_cursor_values({_REWRITTEN}).get(_REWRITTEN)
    found: dict[str, list[Any]] = json.loads(text) if text else {}
    return found


def add_rewritten(instance: dg.DagsterInstance, found: Mapping[str, tuple[int, str]]) -> None:
    """Add landing zones that were found rewritten; the last ones are kept, and each counts until its next import."""
    if found:
        kept = {key: value for key, value in read_rewritten(instance).items() if key not in found}
        values = list({**kept, **found}.items())[-_MAX_REWRITTEN:]
        instance.daemon_cursor_storage.set_cursor_values({_REWRITTEN: json.dumps(dict(values))})
