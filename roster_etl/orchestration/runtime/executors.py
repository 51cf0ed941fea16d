"""Where the steps of a run are done: in the run's own process, or each on some worker of a cluster.

Belongs here: the one answer to that question, from the environment: the same code runs either way. Dagster's packages for clusters are
imported when they are chosen, not before. Does not belong here: what Celery needs (``celery_steps``).
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
    """Return the executor that the environment names. Raises SettingsError: there is none of that name."""
    name = os.environ.get(VARIABLE) or IN_PROCESS
    if name not in CHOICES:
        raise SettingsError(where=VARIABLE, problem=f"{name!r} is none of {', '.join(CHOICES)}")
    return name


def steps_run_separately() -> bool:
    """Return whether each step of a run has a process, maybe a host, of its own. An import by command is done where it was asked for."""
    return executor_name() != IN_PROCESS and not is_home_overridden()


def executor() -> dg.ExecutorDefinition:
    """Return the executor that the environment names. Raises SettingsError: its package is not installed."""
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
        """Each step on a worker that listens to the broker which the environment names; nothing of that stands in a run's config."""
        from roster_etl.orchestration.runtime.celery_executor import (
            CeleryStepExecutor,  # half a second, for the process that hands out steps
        )

        return CeleryStepExecutor()

    return celery
