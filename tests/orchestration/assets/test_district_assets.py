"""The assets of a district: what the UI says of them after an import."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dagster as dg
from dagster._core.definitions.data_version import CachingStaleStatusResolver, StaleStatus
from dagster._core.loader import LoadingContextForTest

from roster_etl.orchestration.assets.asset_keys import PLAN, REPORT, warehouse_key
from roster_etl.orchestration.assets.freshness_checks import newest_materialization
from roster_etl.orchestration.assets.gate_checks import PUBLISHABLE
from roster_etl.orchestration.definitions import VENDORS, defs
from roster_etl.orchestration.jobs.in_process_runs import home_instance
from roster_etl.vendors import vendor
from roster_etl.vendors.lineage import tables_of

if TYPE_CHECKING:
    from tests.orchestration.conftest import Home


def test_nothing_is_unsynced_after_an_import_though_other_formats_fill_further_tables(published: Home) -> None:
    graph, filled = defs.resolve_asset_graph(), tables_of(vendor("clever"))
    assert {table for one in VENDORS for table in tables_of(one)} > set(filled)

    with home_instance(published.path) as instance:
        resolver = CachingStaleStatusResolver(instance, graph, LoadingContextForTest(instance))
        keys = [
            PLAN,
            REPORT,
            *map(warehouse_key, filled),
            *(key for key in graph.get_all_asset_keys() if key.path[0] == "clever"),
        ]
        found = {key.to_user_string(): resolver.get_status(key, "lincoln") for key in keys}

    assert found == dict.fromkeys(found, StaleStatus.FRESH)


def test_the_check_of_the_plan_is_about_its_newest_materialization_and_stops_publishing(published: Home) -> None:
    key = dg.AssetCheckKey(PLAN, PUBLISHABLE)
    with home_instance(published.path) as instance:
        record = instance.event_log_storage.get_latest_asset_check_execution_by_key([key])[key]
        newest = newest_materialization(instance, PLAN, "lincoln")

    assert record.event is not None
    assert record.event.dagster_event is not None
    found = record.event.dagster_event.asset_check_evaluation_data
    assert (found.passed, found.blocking, found.partition) == (True, True, "lincoln")
    assert found.target_materialization_data == newest is not None
