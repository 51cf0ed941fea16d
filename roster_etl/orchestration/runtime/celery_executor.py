"""Run steps on Celery workers: the workers' app, the executor that submits steps, and the detection of dead workers.

Start a worker with ``celery -A roster_etl.orchestration.runtime.celery_executor worker``. Worker and submitting process read the
same variables, so that they use the same broker.
Belongs here: what Dagster and Celery need beside ``dagster_celery``. Workers, and runs on them, import this module; loading the
code location does not.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from dagster._core.execution.retries import RetryMode
from dagster_celery.config import DEFAULT_CONFIG
from dagster_celery.core_execution_loop import core_celery_execution_loop
from dagster_celery.executor import CeleryExecutor, _submit_task
from dagster_celery.make_app import make_app
from dagster_celery.tasks import create_execute_job_task, create_resume_job_task, create_task

from roster_etl.spec.errors import RetryableError, SettingsError
from roster_etl.store.files.secrets import read_secret
from roster_etl.store.files.urls import redact

BROKER, BACKEND = "ROSTER_ETL_CELERY_BROKER", "ROSTER_ETL_CELERY_BACKEND"
PING_SECONDS, MAX_MISSED_PINGS = 10.0, 3  # seconds between pings of a worker, and missed ones after which it counts as dead
_PING_TIMEOUT_SECONDS = 2.0
_RPC_BACKEND = "rpc://"
_TLS_SCHEMES = {"redis": "rediss", "amqp": "amqps", "pyamqp": "amqps"}
_LOCAL_HOSTS = ("localhost", "127.0.0.1", "::1", None)
CONFIG: dict[str, Any] = {
    **DEFAULT_CONFIG,  # queue name and retries as in dagster_celery's own executor and workers
    "task_track_started": True,  # reports which worker runs a step
    "worker_prefetch_multiplier": 1,
    "broker_connection_retry_on_startup": True,
    "result_expires": 24 * 3600,
    "worker_send_task_events": False,
}


class WorkerLost(RetryableError):
    """The worker that ran a step no longer responds."""

    code = "worker_lost"
    template = "the worker {worker} took this step and no longer responds; run it again"


def celery_app() -> Any:
    """Return the app of workers and executor. Raises SettingsError: no broker is configured, or its URL is invalid."""
    broker, backend = connection_urls()
    app = make_app(  # type: ignore[no-untyped-call]
        {"broker": broker, "backend": backend, "include": [], "config_source": dict(CONFIG)}
    )
    # Redis workers do not prefetch, so no step waits behind another; RabbitMQ cannot do that: one step at most waits.
    app.conf.worker_disable_prefetch = broker.startswith("redis")
    return app


def connection_urls() -> tuple[str, str]:
    """Return the URLs of broker and result backend, which may contain passwords.

    The result backend defaults to the broker for Redis, else results are sent back as messages. Raises SettingsError.
    """
    broker = _read_url(BROKER)
    if os.environ.get(BACKEND) or os.environ.get(f"{BACKEND}_FILE"):
        return broker, _read_url(BACKEND)
    return broker, broker if broker.startswith("redis") else _RPC_BACKEND


def _read_url(variable: str) -> str:
    file = os.environ.get(f"{variable}_FILE", "")
    url = read_secret(variable, file=str(Path(file).expanduser()) if file else "", variable=variable)
    if "://" not in url:
        raise SettingsError(where=variable, problem="it is no URL such as rediss://HOST:6379/0 or amqps://HOST//")
    return url


class CeleryStepExecutor(CeleryExecutor):
    """Dagster's own executor for Celery, with detection of dead workers."""

    def __init__(self) -> None:
        super().__init__(retries=RetryMode.ENABLED)  # type: ignore[no-untyped-call]

    def execute(self, plan_context: Any, execution_plan: Any) -> Any:
        """Submit steps as those before them end, and yield the workers' events."""
        return core_celery_execution_loop(  # type: ignore[no-untyped-call]
            plan_context, execution_plan, step_execution_fn=_submit_step
        )

    def app_args(self) -> dict[str, Any]:
        """Return the connection settings of the broker."""
        broker, backend = connection_urls()
        return {"broker": broker, "backend": backend, "include": [], "config_source": dict(CONFIG)}


def _submit_step(app: Any, *task_arguments: Any) -> MonitoredResult:
    return MonitoredResult(app, _submit_task(app, *task_arguments))  # type: ignore[no-untyped-call]


class MonitoredResult:
    """The result of a step on a worker; ready when it arrived, or when its worker is dead: Celery would wait forever."""

    def __init__(self, app: Any, result: Any) -> None:
        self._app, self._result = app, result
        self._next_ping, self._missed_pings, self._worker = time.monotonic() + PING_SECONDS, 0, ""

    def ready(self) -> bool:
        """Return whether `get` would return without waiting: the result has arrived, or the worker is dead."""
        return bool(self._result.ready()) or self._missed_pings >= MAX_MISSED_PINGS or self._is_lost()

    def get(self) -> Any:
        """Return the events of the step. Raises WorkerLost, and what the worker raised."""
        if self._result.ready():
            return self._result.get()
        self.revoke()
        raise WorkerLost(worker=self._worker)

    def revoke(self) -> None:
        """Revoke the step, so that no worker begins it."""
        self._result.revoke()

    def _is_lost(self) -> bool:
        now = time.monotonic()
        if now < self._next_ping:
            return False
        self._next_ping = now + PING_SECONDS
        about = self._result.info if self._result.state == "STARTED" else None
        self._worker = str(about.get("hostname", "")) if isinstance(about, dict) else ""
        if not self._worker:
            return False  # it waits for a free worker
        self._missed_pings = 0 if self._ping_worker() else self._missed_pings + 1
        return self._missed_pings >= MAX_MISSED_PINGS

    def _ping_worker(self) -> bool:
        control = self._app.control
        return bool(control.broadcast("ping", reply=True, destination=[self._worker], timeout=_PING_TIMEOUT_SECONDS, limit=1))


def __getattr__(name: str) -> Any:
    """Create the app when ``celery -A`` requests it: it reads the environment, which importing this module must not do."""
    if name not in ("app", "celery"):
        raise AttributeError(name)
    made = celery_app()
    for create in (create_task, create_execute_job_task, create_resume_job_task):
        create(made)
    globals()[name] = made
    return made


class BrokerUnavailable(RetryableError):
    """The broker does not respond."""

    code = "broker_unavailable"
    template = "the broker {where} does not respond ({problem}); check {variable}"


def ping_workers(seconds: float = _PING_TIMEOUT_SECONDS) -> tuple[tuple[str, ...], str]:
    """Return the names of the workers that respond, and the broker's URL without password.

    Raises: BrokerUnavailable. SettingsError: no broker is configured, or a remote one without TLS.
    """
    broker, _ = connection_urls()
    where = redact(broker)
    url = urlsplit(broker)
    if url.scheme in _TLS_SCHEMES and url.hostname not in _LOCAL_HOSTS:
        problem = f"{where} is another machine, and the URL does not require TLS: use {_TLS_SCHEMES[url.scheme]}://"
        raise SettingsError(where=BROKER, problem=problem)
    app = celery_app()
    try:
        app.connection().ensure_connection(max_retries=1, timeout=seconds)
        found = app.control.ping(timeout=seconds)
    except Exception as error:  # noqa: BLE001 - each kind of broker has errors of its own, and their texts name the URL
        raise BrokerUnavailable(where=where, problem=type(error).__name__, variable=BROKER) from None
    return tuple(sorted(name for answer in found for name in answer)), where
