"""Choose where the steps of a run execute: in the run's own process, or each on a worker of a cluster.

Dagster's packages for clusters are imported only when chosen.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from roster_etl.orchestration.runtime.current_home import is_home_overridden
from roster_etl.spec.errors import SettingsError

if TYPE_CHECKING:
    import dagster as dg

VARIABLE = "ROSTER_ETL_EXECUTOR"
IN_PROCESS = "in_process"
CHOICES = (IN_PROCESS, "celery", "k8s")


def executor_name() -> str:
    """Return the name of the executor from the environment. Raises SettingsError: it is unknown."""
    name = os.environ.get(VARIABLE) or IN_PROCESS
    if name not in CHOICES:
        raise SettingsError(where=VARIABLE, problem=f"{name!r} is none of {', '.join(CHOICES)}")
    return name


def steps_run_separately() -> bool:
    """Return whether each step of a run has its own process, possibly on another host; imports by command never do."""
    return executor_name() != IN_PROCESS and not is_home_overridden()


def executor() -> dg.ExecutorDefinition:
    """Return the executor from the environment. Raises SettingsError: its package is not installed."""
    import dagster as dg

    name = executor_name()
    if name == IN_PROCESS:
        return dg.in_process_executor
    try:
        if name == "k8s":
            from dagster_k8s import k8s_job_executor

            return k8s_job_executor
        return _celery_executor()
    except ImportError:
        raise SettingsError(where=VARIABLE, problem=f"{name} is not installed; `pip install 'roster-etl[{name}]'`") from None


def _celery_executor() -> dg.ExecutorDefinition:
    import importlib.util

    import dagster as dg

    if importlib.util.find_spec("dagster_celery") is None:
        raise ImportError

    @dg.executor(name="celery", requirements=dg.multiple_process_executor_requirements())
    def celery(context: dg.InitExecutorContext) -> dg.Executor:
        """Run each step on a Celery worker; the broker comes from the environment, never from a run's config."""
        from roster_etl.orchestration.runtime.celery_executor import (
            CeleryStepExecutor,  # half a second to import, for the process that submits steps
        )

        return CeleryStepExecutor()

    return celery
