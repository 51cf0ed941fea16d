"""The partition sets: all districts, and for each format the districts that have a feed of it.

Belongs here: the definitions, and syncing them with the registry. A vendor's assets have the set of their format, so that a missing
partition is a feed of which nothing was imported; ``roster/*``, ``warehouse/*`` and the report have one partition a district.
No district × date grid: history is in the ledger.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import cache

import dagster as dg

from roster_etl.orchestration.runtime.compact_event_log import CompactSqliteEventLog
from roster_etl.store.registry.registry import Scan, check_id
from roster_etl.vendors import discover_vendors

NAME = "districts"
DISTRICTS = dg.DynamicPartitionsDefinition(name=NAME)
NO_PARTITION = dg.SpecificPartitionsPartitionMapping([])
"""How an asset of all districts depends on one of a format: on the asset, and on no partition of it. Dagster refuses the same key, which
not every format has, and all keys would make a district wait for every other."""


def feed_set_name(source: str) -> str:
    """Return the name of the partition set of a format."""
    return f"{source}_{NAME}"


@cache
def feed_partitions(source: str) -> dg.DynamicPartitionsDefinition:
    """Return the partitions of a format's assets: the districts that have a feed of it."""
    return dg.DynamicPartitionsDefinition(name=feed_set_name(source))


def add_partitions(instance: dg.DagsterInstance, district_id: str, *sources: str) -> None:
    """Add a district to the set of all, and to those of the formats `sources`, before a run is about it. Raises BadDistrictId."""
    check_id(district_id)
    for name in (NAME, *map(feed_set_name, sources)):
        if not instance.has_dynamic_partition(name, district_id):
            instance.add_dynamic_partitions(name, [district_id])


def read_partitions(instance: dg.DagsterInstance) -> dict[str, set[str]]:
    """Return the districts of each set, by its name."""
    names, storage = (NAME, *map(feed_set_name, discover_vendors())), instance.event_log_storage
    if isinstance(storage, CompactSqliteEventLog):
        return storage.partitions_of(names)
    return {name: {*instance.get_dynamic_partitions(name)} for name in names}


def sync_partitions(instance: dg.DagsterInstance, known: Mapping[str, Collection[str]], registry: Scan) -> tuple[str, ...]:
    """Make the sets those of the registry, and return the districts that are new.

    A district that was removed from the registry keeps its partition in the set of all: its roster and history stay. From the set of a
    format it is removed with its feed; what the UI showed of it is there again when the feed is.

    The partitions of a district whose file cannot be read stay as they are.

    Args: known: the sets, read before the registry: a feed is registered before an import adds it to them.
    Raises: BadDistrictId: an id that is not safe as a key.
    """
    feeds = {check_id(district.id): {feed.format for feed in district.feeds} for district in registry.districts}
    unreadable = {name.removesuffix(".toml") for name in registry.problems}
    new = tuple(sorted(feeds.keys() - known[NAME]))
    if new:
        instance.add_dynamic_partitions(NAME, new)
    for source in discover_vendors():
        name, wanted = feed_set_name(source), {one for one, formats in feeds.items() if source in formats}
        if added := wanted - {*known[name]}:
            instance.add_dynamic_partitions(name, sorted(added))
        for gone in {*known[name]} - wanted - unreadable:
            instance.delete_dynamic_partition(name, gone)
    return new
