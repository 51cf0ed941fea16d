"""The events by which an import shows what it made of a district: tables, plan and report, whose partitions are all districts.

A run is of the partitions of one format, so that its steps cannot be those of ``roster/*``, ``warehouse/*`` and ``report``: it logs their
materializations and checks. Belongs here: how. Not here: what is logged (``roster_assets``, ``warehouse_assets``).
"""

from __future__ import annotations

import logging
from collections.abc import Iterable

import dagster as dg
from dagster._core.definitions.asset_checks.asset_check_evaluation import AssetCheckEvaluationPlanned
from dagster._core.definitions.data_version import DATA_VERSION_TAG
from dagster._core.definitions.partitions.subset.default import DefaultPartitionsSubset
from dagster._core.events import (
    AssetMaterializationPlannedData,
    DagsterEvent,
    DagsterEventBatchMetadata,
    DagsterEventType,
    generate_event_batch_id,
)

from roster_etl.orchestration.assets.asset_keys import PLAN, UPLOAD_NAME, district_keys, roster_key, step_of
from roster_etl.orchestration.assets.freshness_checks import RunLog, newest_materialization
from roster_etl.orchestration.assets.gate_checks import PUBLISHABLE, SUITE, TOLERANCES
from roster_etl.orchestration.assets.metadata import Metadata
from roster_etl.vendors import Vendor
from roster_etl.vendors.lineage import tables_of


def log_materialization(log: RunLog, key: dg.AssetKey, metadata: Metadata, version: str | None = None) -> None:
    """Record that `key` is up to date for the run's district although no step of the run is its own. ``version``: of the data."""
    tags = {DATA_VERSION_TAG: version} if version else None
    log.log_event(dg.AssetMaterialization(key, partition=log.partition_key, metadata=metadata, tags=tags))


def log_check(log: RunLog, result: dg.AssetCheckResult) -> None:
    """Record the result of a check of an asset that no step of the run makes."""
    key, name = result.asset_key, result.check_name
    assert key is not None
    assert name is not None
    evaluation = dg.AssetCheckEvaluation(
        asset_key=key,
        check_name=name,
        passed=result.passed,
        metadata=result.metadata,
        severity=result.severity,
        target_materialization_data=newest_materialization(log.instance, key, log.partition_key),
        partition=log.partition_key,
        blocking=name == PUBLISHABLE,
    )
    log.log_event(evaluation)


def log_intentions(context: dg.AssetExecutionContext, vendor: Vendor) -> None:
    """Record what the import of an upload of `vendor` is about to make of the district: if it ends otherwise, that shows as failed there.

    Dagster does so for the steps of a run, when it creates the run.
    """
    step = step_of(vendor.format.name, UPLOAD_NAME)
    tables = [(roster_key(table), check) for table in tables_of(vendor) for check in (SUITE, TOLERANCES)]
    events = [_planned_materialization(context, step, key) for key in district_keys(vendor)]
    events += [_planned_check(context, step, key, check) for key, check in [*tables, (PLAN, PUBLISHABLE)]]
    _report(context, events)


def _planned_materialization(context: dg.AssetExecutionContext, step: str, key: dg.AssetKey) -> DagsterEvent:
    about = AssetMaterializationPlannedData(key, partition=context.partition_key)
    return DagsterEvent.build_asset_materialization_planned_event(context.run.job_name, step, about)


def _planned_check(context: dg.AssetExecutionContext, step: str, key: dg.AssetKey, check: str) -> DagsterEvent:
    partitions = DefaultPartitionsSubset({context.partition_key})
    return DagsterEvent(
        event_type_value=DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED.value,
        job_name=context.run.job_name,
        message=f"{context.run.job_name} intends to execute asset check {check} on asset {key.to_string()}",
        event_specific_data=AssetCheckEvaluationPlanned(asset_key=key, check_name=check, partitions_subset=partitions),
        step_key=step,
    )


def _report(context: dg.AssetExecutionContext, events: Iterable[DagsterEvent]) -> None:
    """Store events together, as Dagster does those of a new run."""
    batch, found = generate_event_batch_id(), list(events)  # type: ignore[no-untyped-call]
    for number, event in enumerate(found, start=1):
        about = DagsterEventBatchMetadata(batch, number == len(found))
        context.instance.report_dagster_event(event, context.run.run_id, logging.DEBUG, batch_metadata=about)
