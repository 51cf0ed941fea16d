"""The last tick of each sensor, from Dagster's own storage in a home.

Belongs here: the query, without loading the code location.
"""

from __future__ import annotations

from pathlib import Path

from dagster._core.definitions.run_request import InstigatorType

from roster_etl.orchestration.runtime.dagster_storage import open_instance


def last_ticks(home: Path) -> dict[str, float]:
    """Return the time of each sensor's last tick, in seconds since 1970; empty if Dagster never ran in `home`."""
    if not (home / "dagster.yaml").exists():
        return {}
    found: dict[str, float] = {}
    with open_instance(home) as instance:
        for state in instance.all_instigator_state(instigator_type=InstigatorType.SENSOR):
            ticks = instance.get_ticks(state.instigator_origin_id, state.selector_id, limit=1)
            if ticks:
                found[state.instigator_name] = max(found.get(state.instigator_name, 0.0), ticks[0].timestamp)
    return found
