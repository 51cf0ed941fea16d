"""A cluster on one machine: a daemon and workers, each in a folder of its own, that share a database, a bucket and a broker, and nothing else.

Belongs here: starting and ending its processes, and looking at what they did. What must hold is said in ``end_to_end/test_cluster.py``.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from roster_etl.cli.demo.processes import free_port
from roster_etl.orchestration.jobs.in_process_runs import MODULE
from roster_etl.orchestration.runtime.dagster_storage import open_instance
from roster_etl.orchestration.runtime.partitions import add_partitions
from roster_etl.pipeline.workspace import Workspace
from tests.conftest import ROOT


@contextmanager
def redis_server(folder: Path) -> Iterator[str]:
    """Start a broker that keeps nothing on disk, and yield its URL; the test is skipped where there is none."""
    command = shutil.which("redis-server") or shutil.which("valkey-server")
    if command is None:
        pytest.skip("no redis-server on this machine (Debian: redis-server)")
    port = free_port()
    words = ("--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", str(folder))
    process = subprocess.Popen((command, *words), stdout=subprocess.DEVNULL)
    try:
        for _ in range(100):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        process.kill()
        process.wait()


@dataclass
class Host:
    """One host: its folder, and the processes on it."""

    name: str
    folder: Path
    environment: Mapping[str, str]
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def home(self) -> Path:
        """The home of this host alone."""
        return self.folder / "home"

    @property
    def log(self) -> str:
        """What its processes said."""
        return (self.folder / "log").read_text(errors="replace")

    def start(self, *words: str) -> None:
        """Run a Python module in the folder, in a process group of its own."""
        with (self.folder / "log").open("ab") as output:
            self.processes.append(
                subprocess.Popen(
                    (sys.executable, "-m", *words),
                    cwd=self.folder,
                    env=dict(self.environment),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            )

    def kill(self) -> None:
        """End all its processes at once, as if its power had failed."""
        for process in self.processes:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        self.processes.clear()

    def files(self) -> set[str]:
        """Return what lies in the home, by its first folder."""
        return {str(path.relative_to(self.home)) for path in self.home.rglob("*") if path.is_file()}


class Cluster:
    """The hosts, and what they share."""

    def __init__(self, folder: Path, shared: Mapping[str, str]) -> None:
        self.folder, self.shared = folder, dict(shared)
        self.control = self._host("control")
        self.workers: list[Host] = []

    def _host(self, name: str) -> Host:
        folder = self.folder / name
        (folder / "home").mkdir(parents=True, mode=0o700)
        settings = (ROOT / "deploy" / "dagster.yaml").read_text()
        (folder / "home" / "dagster.yaml").write_text(settings.replace("poll_interval_seconds: 60", "poll_interval_seconds: 5"))
        own = {"ROSTER_ETL_HOME": str(folder / "home"), "DAGSTER_HOME": str(folder / "home"), "TMPDIR": str(folder)}
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("ROSTER_ETL_", "DAGSTER_", "AWS_"))}
        environment = {**kept, **self.shared, **own, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore"}
        return Host(name, folder, environment)

    @cached_property
    def workspace(self) -> Workspace:
        """The home of the control host, as this process sees it."""
        return Workspace.open(self.control.home)

    def start_worker(self, name: str) -> Host:
        """Start a worker that does one step at a time."""
        worker = self._host(name)
        words = (
            "-A",
            "roster_etl.orchestration.runtime.celery_executor",
            "worker",
            "--concurrency",
            "1",
            "-n",
            name,
            "--without-mingle",
            "--loglevel",
            "INFO",
        )
        worker.start("celery", *words)
        self.workers.append(worker)
        return worker

    def start_daemon(self) -> None:
        """Start the daemon, with the sensors and the queue of runs."""
        with open_instance(
            self.control.home
        ) as instance:  # two processes that create the same storage at once trip over each other
            instance.get_runs_count()
        self.control.start("dagster._daemon", "run", "-m", MODULE)

    def start_run(self, job: str, partition: str, config: Mapping[str, Any]) -> None:
        """Start a run by hand, without daemon and queue; its process hands out the steps."""
        file = self.control.folder / "run.yaml"
        file.write_text(json.dumps(config))
        with open_instance(self.control.home) as instance:
            add_partitions(instance, partition, job.removeprefix("import_"))
        tags = json.dumps({"dagster/partition": partition, "district": partition})
        self.control.start("dagster", "job", "execute", "-m", MODULE, "-j", job, "-c", str(file), "--tags", tags)

    def wait(self, until: Callable[[], Any], what: str, seconds: float = 300) -> Any:
        """Wait until something is true, and return it."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if found := until():
                return found
            time.sleep(0.7)
        logs = "\n".join(f"--- {host.name}\n{host.log[-3000:]}" for host in (self.control, *self.workers))
        raise TimeoutError(f"{what} did not come about\n{logs}\n{self.told()}")

    def told(self) -> str:
        """Return what runs and ledger say, for people."""
        with open_instance(self.control.home) as instance:
            runs = [f"{run.run_id[:8]} {run.status.value} {dict(run.tags)}" for run in instance.get_runs()]
            for run in instance.get_runs(limit=2):
                runs += [f"  {e.timestamp:.1f} {e.step_key} {e.message[:300]}" for e in instance.all_logs(run.run_id)]
        rows = [
            {k: row[k] for k in ("import_id", "status", "run_id", "summary")} for row in self.workspace.warehouse.ledger.imports()
        ]
        return "\n".join([*runs, json.dumps(rows, default=str)])

    def runs(self) -> list[dg.DagsterRun]:
        """Return all runs, the oldest first."""
        with open_instance(self.control.home) as instance:
            return list(reversed(instance.get_runs()))

    def statuses(self) -> list[str]:
        """Return how all imports stand in the ledger, the oldest first."""
        return [row["status"] for row in reversed(self.workspace.warehouse.ledger.imports())]

    def steps_of(self, run_id: str) -> dict[str, str]:
        """Return on which worker each step of a run was done."""
        with open_instance(self.control.home) as instance:
            events = [entry.dagster_event for entry in instance.all_logs(run_id) if entry.dagster_event]
        marked = [(e.step_key, e.engine_event_data.metadata) for e in events if e.is_engine_event]
        return {str(key): str(about["Celery worker"].value) for key, about in marked if key and "Celery worker" in about}

    def errors(self, run_id: str) -> str:
        """Return what a run says of its failure."""
        with open_instance(self.control.home) as instance:
            events = [entry.dagster_event for entry in instance.all_logs(run_id) if entry.dagster_event]
        return "\n".join(event.job_failure_data.error.to_string() for event in events if event.is_job_failure)

    def kill_process_of(self, run_id: str) -> None:
        """Kill the process that hands out the steps of a run, and nothing else."""
        with open_instance(self.control.home) as instance:
            said = [found for entry in instance.all_logs(run_id) if (found := re.search(r"\(pid: (\d+)\)", entry.message))]
        os.kill(int(said[0][1]), signal.SIGKILL)

    def materialized(self, run_id: str) -> dict[str, dg.AssetMaterialization]:
        """Return what a run materialized, by asset."""
        with open_instance(self.control.home) as instance:
            made = [entry.asset_materialization for entry in instance.all_logs(run_id) if entry.asset_materialization]
        return {event.asset_key.to_user_string(): event for event in made}

    def end(self) -> None:
        """End all processes; nothing that they would still do is wanted."""
        with ExitStack() as stack:
            stack.callback(self.workspace.close)
            for host in (self.control, *self.workers):
                stack.callback(host.kill)
