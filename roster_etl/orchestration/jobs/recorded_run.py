"""Record a run whose import ended before the run was created: an unchanged upload.

Belongs here: the run and its events as Dagster's UI, its sensors and its asset catalog read them. No step is executed: planning and
executing the one step that such a run had took ten times the work of the import.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import dagster as dg
from dagster._core.events import DagsterEvent, DagsterEventType, StepMaterializationData
from dagster._core.events.log import EventLogEntry
from dagster._core.remote_origin import RemoteJobOrigin
from dagster._time import get_current_timestamp

_NOT_USED: dict[str, Any] = dict.fromkeys(
    (
        "root_run_id",
        "parent_run_id",
        "step_keys_to_execute",
        "execution_plan_snapshot",  # with it, Dagster plans a materialization of every asset
        "parent_job_snapshot",
        "asset_selection",
        "asset_check_selection",
        "resolved_op_selection",
        "op_selection",
        "job_code_origin",
        "status",
    )
)


class RecordedRun:
    """A run of `job` on one partition, whose events are written by the caller; between `start` and `succeed`, those of `step`."""

    def __init__(
        self,
        instance: dg.DagsterInstance,
        job: dg.JobDefinition,
        step: str,
        *,
        run_id: str,
        partition: str,
        run_config: Mapping[str, Any],
        tags: Mapping[str, str],
        origin: RemoteJobOrigin,
    ) -> None:
        self.instance, self.partition_key = instance, partition
        self._step = step
        self.run = instance.create_run(
            job_name=job.name,
            run_id=run_id,
            run_config=run_config,
            tags={**job.run_tags, **tags},
            job_snapshot=job.get_job_snapshot(),
            remote_job_origin=origin,
            asset_graph=job.asset_layer.asset_graph,
            **_NOT_USED,
        )

    def start(self) -> None:
        """Record that the run began."""
        self._report(DagsterEventType.RUN_START, f'Started execution of run for "{self.run.job_name}".')

    def succeed(self) -> None:
        """Record that the run ended well."""
        self._report(DagsterEventType.RUN_SUCCESS, f'Finished execution of run for "{self.run.job_name}".')

    def log_text(self, text: str) -> None:
        """Write a line to the run's log."""
        entry = EventLogEntry(  # type: ignore[no-untyped-call]
            error_info=None,
            level=logging.INFO,
            user_message=text,
            run_id=self.run.run_id,
            timestamp=get_current_timestamp(),
            step_key=self._step,
            job_name=self.run.job_name,
        )
        self.instance.handle_new_event(entry)

    def log_event(self, event: dg.AssetMaterialization | dg.AssetCheckEvaluation) -> None:
        """Record that an asset is up to date, or the result of a check, as the step's context does."""
        if isinstance(event, dg.AssetMaterialization):
            self._report(
                DagsterEventType.ASSET_MATERIALIZATION, "Materialized value.", StepMaterializationData(event), step=self._step
            )
            return
        result = "passed." if event.passed else "did not pass."
        text = f"Asset check '{event.check_name}' on '{event.asset_key.to_user_string()}' {result}"
        self._report(DagsterEventType.ASSET_CHECK_EVALUATION, text, event, step=self._step)

    def _report(self, kind: DagsterEventType, text: str, about: Any = None, *, step: str | None = None) -> None:
        event = DagsterEvent(
            event_type_value=kind.value, job_name=self.run.job_name, message=text, event_specific_data=about, step_key=step
        )
        self.instance.report_dagster_event(event, run_id=self.run.run_id, log_level=logging.DEBUG)
