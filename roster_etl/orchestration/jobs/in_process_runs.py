"""Run an import in this process, as a run that the Dagster UI shows like any other."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import dagster as dg
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.execution.api import execute_run_iterator
from dagster._core.remote_origin import ManagedGrpcPythonEnvCodeLocationOrigin, RemoteJobOrigin, RemoteRepositoryOrigin
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin

from roster_etl.orchestration.assets.asset_keys import UPLOAD_NAME, step_of
from roster_etl.orchestration.assets.early_exit import report_unchanged, unchanged_text
from roster_etl.orchestration.assets.import_selections import vendor_keys
from roster_etl.orchestration.assets.run_resources import RunContext, prepared_context
from roster_etl.orchestration.assets.step_context import IMPORT, district_tags, import_tags
from roster_etl.orchestration.assets.vendor_assets import upload_config
from roster_etl.orchestration.jobs.build import decision_definitions, definitions_for, job_name
from roster_etl.orchestration.jobs.recorded_run import RecordedRun
from roster_etl.orchestration.runtime.current_home import current_home, use_home
from roster_etl.orchestration.runtime.dagster_storage import open_instance, translate_storage_errors
from roster_etl.orchestration.runtime.event_errors import event_errors_unprinted
from roster_etl.orchestration.runtime.event_log_pool import pooled_connections
from roster_etl.orchestration.runtime.home_config import ensure_config
from roster_etl.orchestration.runtime.partitions import add_partitions
from roster_etl.orchestration.runtime.tested_dagster import is_tested_dagster
from roster_etl.pipeline.reporting.import_summary import ImportSummary
from roster_etl.pipeline.reporting.ui_links import STEP_BY_JOB
from roster_etl.pipeline.review.approve import reject_person_ids
from roster_etl.pipeline.steps.receive import require_not_paused
from roster_etl.pipeline.uploads.file_sets import resolve_file_set
from roster_etl.pipeline.uploads.order import Order
from roster_etl.pipeline.workspace import Workspace
from roster_etl.spec.errors import PermanentError
from roster_etl.store.files.urls import has_password

MODULE, LOCATION = "roster_etl.orchestration.definitions", "roster_etl"  # as in every workspace.yaml of ours
LOCATION_VARIABLE = "ROSTER_ETL_CODE_LOCATION"
"""The environment variable with the name that the code location has in a Dagster deployment of someone's own."""
# No compute logs: the standard output of this process belongs to the caller of the import.
_NO_COMPUTE_LOGS = {
    "compute_logs": {"module": "dagster._core.storage.noop_compute_log_manager", "class": "NoOpComputeLogManager"}
}
_SILENT_LOGGERS = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


class PasswordInPath(PermanentError):
    """The run would store the path, and with it the password."""

    code = "password_in_path"
    template = "the path holds a password, which a run would keep; put it into the feed's password_file or password_env"


@dataclass(frozen=True, kw_only=True)
class FinishedRun:
    """A run that has ended, and its import. ``summary``: what the ledger said when a step ended the import; None: no step did."""

    import_id: int
    summary: ImportSummary | None


def run_import(home: Path, order: Order, **watching: Any) -> int:
    """Import one upload as `execute_import` does, and return its import id."""
    return execute_import(home, order, **watching).import_id


def execute_import(
    home: Path,
    order: Order,
    *,
    instance: dg.DagsterInstance | None = None,
    receive_first: bool = False,
    on_step: Callable[[str], None] = lambda _: None,
    on_start: Callable[[str], None] = lambda _: None,
) -> FinishedRun:
    """Import one upload with the partitioned job, in this process; the ledger has the result.

    Args:   instance: where runs are stored; default: that of `home`. receive_first: receive the upload before the run is created,
        so that the run of an unchanged upload executes no step. on_step: called with the name of each finished step.
        on_start: called with the run's id, before its first step.
    Raises: the import's error, as it was raised (the ledger has the import as ``failed``, if it had begun). An import that is
        held or rejected raises nothing. BadDecision: it names renames by person ids, which the run would store. PasswordInPath.
    """
    if order.path and has_password(order.path):
        raise PasswordInPath
    reject_person_ids(order.renames)
    with closing(Workspace.open_to_write(home)) as workspace:
        if workspace.registry.exists(order.district_id):  # the run reports an unregistered one
            require_not_paused(workspace, order)
        order = replace(resolve_file_set(workspace, order), run_id=str(uuid4()))
    with ExitStack() as stack:
        stack.enter_context(translate_storage_errors())  # events that cannot be stored
        stack.enter_context(event_errors_unprinted())
        visit = stack.enter_context(use_home(home))
        here = instance or stack.enter_context(home_instance(home))
        stack.enter_context(pooled_connections(here))
        add_partitions(here, order.district_id, order.source)
        on_start(order.run_id or "")
        if receive_first and is_tested_dagster("runs that execute no step"):
            prepared = stack.enter_context(prepared_context(home, order))
            if prepared.upload is not None and prepared.upload.ended == "unchanged":
                return _record_unchanged_run(here, order, prepared)
        run = _create_run(here, order)
        for event in execute_run_iterator(InMemoryJob(_job(order)), run, here):
            if event.is_step_success:
                on_step(str(event.step_key).replace("__", "/"))
        if visit.error is not None:
            raise visit.error
        return FinishedRun(import_id=_import_id(here, run.run_id), summary=visit.summary)


def count_run_steps(order: Order) -> int:
    """Return the largest number of steps of the import of `order`."""
    return len(vendor_keys(order.source, order.file_set or ""))


def run_decision(home: Path, job: str, config: Mapping[str, Any], *, instance: dg.DagsterInstance | None = None) -> int:
    """Run a decision job (``orchestration.jobs.decision_jobs``) in this process, and return the id of its import.

    Raises: the job's error, as it was raised.
    """
    with ExitStack() as stack:
        stack.enter_context(translate_storage_errors())  # events that cannot be stored
        stack.enter_context(event_errors_unprinted())
        visit = stack.enter_context(use_home(home))
        here = instance or stack.enter_context(home_instance(home))
        stack.enter_context(pooled_connections(here))
        definition = decision_definitions().resolve_job_def(job)
        run = here.create_run_for_job(
            job_def=definition,
            run_config={"ops": {STEP_BY_JOB[job]: {"config": dict(config)}}, **_SILENT_LOGGERS},
            tags=definition.run_tags,
            remote_job_origin=_job_origin(job),
        )
        for _ in execute_run_iterator(InMemoryJob(definition), run, here):
            pass
        if visit.error is not None:
            raise visit.error
        return _import_id(here, run.run_id)


@dg.resource(
    description="Imports an upload in a run of its own, executed in this process: (order, instance, on_start) to its import id."
)
def import_runner(_: dg.InitResourceContext) -> Callable[[Order, dg.DagsterInstance, Callable[[str], None]], int]:
    """Return the function that imports one upload within a step of another run. It raises as `execute_import`."""

    def run(order: Order, instance: dg.DagsterInstance, on_start: Callable[[str], None]) -> int:
        return execute_import(current_home(), order, instance=instance, receive_first=True, on_start=on_start).import_id

    return run


@contextmanager
def home_instance(home: Path) -> Iterator[dg.DagsterInstance]:
    """Open the Dagster instance of `home`, adding a ``dagster.yaml`` if missing. Raises as ``dagster_storage.open_instance``."""
    ensure_config(home)
    with open_instance(home, _NO_COMPUTE_LOGS) as instance:
        yield instance


def _job(order: Order) -> dg.JobDefinition:
    return definitions_for(order.source).resolve_job_def(job_name(order.source, order.file_set or ""))


def _create_run(instance: dg.DagsterInstance, order: Order) -> dg.DagsterRun:
    job = _job(order)
    return instance.create_run_for_job(
        job_def=job,
        run_id=order.run_id,
        run_config={**upload_config(order), **_SILENT_LOGGERS},
        tags={**job.run_tags, **district_tags(order.district_id, order.source)},
        remote_job_origin=_job_origin(job.name),
    )


def _record_unchanged_run(instance: dg.DagsterInstance, order: Order, prepared: RunContext) -> FinishedRun:
    """Record the run of an import that receiving has ended as unchanged, with its report."""
    job, upload, summary = _job(order), prepared.upload, prepared.import_summary()
    assert upload is not None
    run = RecordedRun(
        instance,
        job,
        step_of(order.source, UPLOAD_NAME),
        run_id=upload.run_id or "",
        partition=order.district_id,
        run_config={**upload_config(order), **_SILENT_LOGGERS},
        tags={**district_tags(order.district_id, order.source), **import_tags(upload, "unchanged")},
        origin=_job_origin(job.name),
    )
    run.start()
    run.log_text(unchanged_text(summary))
    prepared.summary = report_unchanged(run, prepared.workspace, summary)
    run.succeed()
    return FinishedRun(import_id=upload.import_id, summary=prepared.summary)


def _job_origin(name: str) -> RemoteJobOrigin:
    """Return the code location of the run, so that the UI can re-execute it."""
    target = LoadableTargetOrigin(module_name=MODULE)
    location = ManagedGrpcPythonEnvCodeLocationOrigin(
        loadable_target_origin=target, location_name=os.environ.get(LOCATION_VARIABLE) or LOCATION
    )
    return RemoteJobOrigin(RemoteRepositoryOrigin(location, "__repository__"), name)


def _import_id(instance: dg.DagsterInstance, run_id: str) -> int:
    run = instance.get_run_by_id(run_id)
    assert run is not None
    return int(run.tags[IMPORT])
