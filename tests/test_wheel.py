"""The built wheel works outside the checkout: suites, settings and templates are in it.

Belongs here: building the wheel, and running it in an empty virtual environment. The fast tests share the libraries that are installed
here; the slow one installs every library from the lock.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
import zipfile
from pathlib import Path

import pytest

from roster_etl.cli.demo.processes import free_port

ROOT = Path(__file__).resolve().parent.parent
MODULE = "roster_etl.orchestration.definitions"


def build_wheel(folder: Path) -> Path:
    """Build the wheel in a copy of the sources below `folder`, so that nothing is left in the checkout."""
    copy = folder / "sources"
    for name in ("roster_etl", "expectations"):
        shutil.copytree(ROOT / name, copy / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy / name)
    code = f"from setuptools.build_meta import build_wheel; build_wheel({str(folder)!r})"
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], cwd=copy, capture_output=True, check=True)
    shutil.rmtree(copy)
    (wheel,) = folder.glob("*.whl")
    return wheel


def site_packages(environment: Path) -> Path:
    (found,) = environment.glob("lib/python*/site-packages")
    return found


@pytest.fixture(scope="module")
def python(tmp_path_factory) -> Path:
    """The Python of an empty environment with the unpacked wheel, and a path to the libraries that are installed here."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder / "env")], check=True)
    site = site_packages(folder / "env")
    with zipfile.ZipFile(build_wheel(folder)) as wheel:
        wheel.extractall(site)
    libraries = [path for path in map(Path, sys.path) if path.name == "site-packages"]
    (site / "libraries.pth").write_text("".join(f"{path}\n" for path in libraries))
    return folder / "env" / "bin" / "python"


def environment() -> dict[str, str]:
    return {name: os.environ[name] for name in ("PATH", "HOME", "TZ") if name in os.environ}


def run(python: Path, folder: Path, *words: object, code: int = 0, timeout: float = 120) -> str:
    """Run the command line in `folder`, and return its standard output."""
    command = [python, "-m", "roster_etl.cli", *words]
    done = subprocess.run(
        list(map(str, command)), cwd=folder, env=environment(), capture_output=True, text=True, check=False, timeout=timeout
    )
    assert done.returncode == code, done.stderr[-2000:]
    return done.stdout


def test_the_environment_imports_the_wheel_and_not_the_checkout(python: Path, tmp_path: Path):
    code = "import roster_etl, importlib.metadata as m; print(roster_etl.__path__[0]); print(*m.entry_points(name='roster-etl'))"
    done = subprocess.run([python, "-c", code], cwd=tmp_path, env=environment(), capture_output=True, text=True, check=True)
    place, entry = done.stdout.splitlines()

    assert Path(place).parent == site_packages(python.parents[1])
    assert "roster_etl.cli:entry" in entry


def test_the_wheel_samples_checks_imports_and_reports(python: Path, tmp_path: Path):
    run(python, tmp_path, "sample", "clever", "upload", "--students", "30")
    checked = json.loads(run(python, tmp_path, "check", "upload", "--format", "clever", "--json"))
    imported = json.loads(run(python, tmp_path, "import", "upload", "--district", "lincoln", "--format", "clever", "--json"))
    report = Path(run(python, tmp_path, "report", "1").strip())
    health = json.loads(run(python, tmp_path, "doctor", "--json"))

    assert checked["status"] == "publishable"
    assert imported["status"] == "published"
    assert (tmp_path / "dagster_home" / "dagster.yaml").is_file()
    assert report.is_relative_to(tmp_path / "dagster_home")
    assert all(line["ok"] for line in health)


def test_a_suite_of_the_home_replaces_the_one_in_the_wheel(python: Path, tmp_path: Path):
    run(python, tmp_path, "sample", "clever", "upload", "--students", "30")
    suite = json.loads((site_packages(python.parents[1]) / "roster_etl/expectations/clever/students.json").read_text("utf-8"))
    own = tmp_path / "dagster_home" / "expectations" / "clever" / "students.json"
    own.parent.mkdir(parents=True, mode=0o700)
    own.write_text(json.dumps({**suite, "expectations": "none"}))
    error = json.loads(run(python, tmp_path, "check", "upload", "--format", "clever", "--json", code=1))["error"]

    assert str(own) in error["message"]


@pytest.mark.e2e
@pytest.mark.slow
def test_dagster_dev_serves_the_wheels_definitions(python: Path, tmp_path: Path):
    port = free_port()
    words = ["dev", "-m", MODULE, "-h", "127.0.0.1", "-p", str(port)]
    # Whoever runs the tests may ignore interrupts, and so would all that they start: the server begins with Python's own handler.
    code = (
        "import runpy, signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
        f"sys.argv = ['dagster', *{words!r}]; runpy.run_module('dagster', run_name='__main__', alter_sys=True)"
    )
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [python, "-c", code],
            cwd=tmp_path,
            env={**environment(), "DAGSTER_HOME": str(tmp_path), "ROSTER_ETL_HOME": str(tmp_path / "home")},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        assert "landing_zone" in _sensors(port, time.monotonic() + 120), (tmp_path / "log").read_text()[-2000:]
    finally:
        os.killpg(process.pid, signal.SIGINT)
        try:
            process.wait(60)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def _sensors(port: int, deadline: float) -> list[str]:
    """Return the names of the sensors that the UI's server has loaded, as soon as it answers."""
    query = "{workspaceOrError{... on Workspace{locationEntries{locationOrLoadError{... on RepositoryLocation{repositories{sensors{name}}}}}}}}"
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/graphql", json.dumps({"query": query}).encode(), {"Content-Type": "application/json"}
    )
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                entries = json.load(answer)["data"]["workspaceOrError"]["locationEntries"]
        except OSError:
            time.sleep(0.5)
            continue
        repositories = [r for entry in entries for r in (entry["locationOrLoadError"] or {}).get("repositories", [])]
        if repositories:
            return [sensor["name"] for repository in repositories for sensor in repository["sensors"]]
        time.sleep(0.5)
    return []


@pytest.mark.e2e
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_wheel_runs_the_demo(python: Path, tmp_path: Path):
    document = json.loads(run(python, tmp_path, "demo", "--students", "40", "--json", timeout=400))

    assert {one["status"] for one in document["imports"]} == {"published"}
    assert document["held"]


@pytest.mark.faults
@pytest.mark.timeout(900)
def test_the_wheel_works_with_the_libraries_of_the_lock_alone(tmp_path: Path):
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "env")], check=True)
    python = tmp_path / "env" / "bin" / "python"
    pip = (str(python), "-m", "pip", "install", "-qq", "--disable-pip-version-check", "--no-deps")
    subprocess.run([*pip, "--require-hashes", "-r", str(ROOT / "requirements.lock")], check=True)
    subprocess.run([*pip, "--no-index", str(build_wheel(tmp_path))], check=True)
    run(python, tmp_path, "sample", "clever", "upload", "--students", "30")
    imported = json.loads(run(python, tmp_path, "import", "upload", "--district", "lincoln", "--format", "clever", "--json"))

    assert imported["status"] == "published"
    assert (tmp_path / "env" / "bin" / "roster-etl").is_file()
