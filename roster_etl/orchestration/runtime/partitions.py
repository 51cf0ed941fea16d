"""The only partitions definition: one partition per registered district.

Belongs here: the definition, and syncing it with the registry. No district × date grid: history is in the ledger.
"""

from __future__ import annotations

from collections.abc import Iterable

import dagster as dg

from roster_etl.store.registry.registry import check_id

NAME = "districts"
_FEW = 10  # partitions that are looked up one by one
DISTRICTS = dg.DynamicPartitionsDefinition(name=NAME)


def sync_partitions(instance: dg.DagsterInstance, district_ids: Iterable[str]) -> tuple[str, ...]:
    """Add a partition for every district without one, and return those that were added.

    A district that was removed from the registry keeps its partition: its roster and history stay.
    Raises: BadDistrictId: an id that is not safe as a key.
    """
    wanted = {check_id(district_id) for district_id in district_ids}
    new = tuple(sorted(wanted - _known(instance, wanted)))
    if new:
        instance.add_dynamic_partitions(NAME, new)
    return new


def _known(instance: dg.DagsterInstance, wanted: set[str]) -> set[str]:
    """Return those of `wanted` that have a partition; an import, which asks for one, does not read those of all districts."""
    if len(wanted) > _FEW:
        return set(instance.get_dynamic_partitions(NAME))
    return {district_id for district_id in wanted if instance.has_dynamic_partition(NAME, district_id)}
