"""Where steps are done, by one variable."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

from roster_etl.orchestration.jobs.build import definitions_for
from roster_etl.orchestration.runtime.current_home import use_home
from roster_etl.orchestration.runtime.executors import VARIABLE, executor, executor_name, steps_run_separately
from roster_etl.spec.errors import SettingsError

LOADED = """
import sys
from roster_etl.orchestration.definitions import defs
job = defs.resolve_job_def("import_clever")
print(job.executor_def.name, sorted({name.partition(".")[0] for name in sys.modules} & {"celery", "kombu", "kubernetes", "redis", "dagster_celery"}))
"""


def test_steps_are_done_in_the_process_of_their_run_unless_said_otherwise() -> None:
    assert executor() is dg.in_process_executor
    assert not steps_run_separately()


def test_a_name_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "celerey")
    with pytest.raises(SettingsError, match="'celerey' is none of in_process, celery, k8s"):
        executor_name()


def test_what_is_not_installed_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "celery")
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(SettingsError, match=r"pip install 'roster-etl\[celery\]'"):
        executor()


def test_an_import_by_command_is_done_where_it_was_asked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(VARIABLE, "celery")
    with use_home(tmp_path):
        assert not steps_run_separately()

    assert steps_run_separately()
    assert definitions_for("clever").resolve_job_def("import_clever").executor_def is dg.in_process_executor


def test_choosing_celery_loads_nothing_of_it_with_the_code_location() -> None:
    pytest.importorskip("dagster_celery")
    environment = {"PATH": "/usr/bin:/bin", VARIABLE: "celery", "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(
        (sys.executable, "-W", "ignore", "-c", LOADED), env=environment, capture_output=True, text=True, check=True
    )

    assert done.stdout.split("\n")[0] == "celery []"
