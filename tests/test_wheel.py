"""The built wheel works outside the checkout: suites, settings and templates are in it.

Belongs here: building the wheel, and running it in an environment that has the libraries of ``requirements.lock`` and no others. They are
links to those that are installed here, which `make setup` installed from the lock, with its hashes; ``make faults`` installs them anew.
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
from collections.abc import Iterator
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from roster_etl.cli.demo import story as demo
from roster_etl.cli.demo.processes import free_port
from roster_etl.vendors import discover_vendors
from tests.processes import processes_that_name
from tests.sampling import ALL

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


def locked() -> Iterator[str]:
    """Yield the libraries that the lock names for this machine."""
    for line in (ROOT / "requirements.lock").read_text("utf-8").splitlines():
        if line[:1].isalnum():
            requirement = Requirement(line.rstrip("\\"))
            if requirement.marker is None or requirement.marker.evaluate():
                yield requirement.name


def link_libraries(site: Path) -> None:
    """Link what the libraries of the lock have installed here, and nothing else, into an empty ``site-packages``."""
    for name in locked():
        found = distribution(name)
        for top in {file.parts[0] for file in found.files or ()} - {"..", "__pycache__"}:
            if not (site / top).exists():
                (site / top).symlink_to(Path(str(found.locate_file(top))))


@pytest.fixture(scope="module")
def python(tmp_path_factory) -> Path:
    """The Python of an environment with the wheel and the libraries of the lock."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder / "env")], check=True)
    link_libraries(site_packages(folder / "env"))
    python = folder / "env" / "bin" / "python"
    pip = (sys.executable, "-m", "pip", "--python", str(python), "install", "-qq", "--disable-pip-version-check")
    subprocess.run([*pip, "--no-deps", "--no-index", str(build_wheel(folder))], check=True)
    return python


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
    assert (python.parent / "roster-etl").is_file()


def test_the_environment_has_no_library_that_only_tests_need(python: Path, tmp_path: Path):
    code = "import importlib.util as u; print([n for n in ('pytest', 'hypothesis', 'coverage', 'botocore', 'celery') if u.find_spec(n)])"
    done = subprocess.run([python, "-c", code], cwd=tmp_path, env=environment(), capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


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
@pytest.mark.sftp
@pytest.mark.timeout(500)
def test_the_demo_publishes_two_days_of_a_district_a_format_and_leaves_no_process(python: Path, tmp_path: Path):
    home = tmp_path / "demo"
    document = json.loads(run(python, tmp_path, "demo", "--students", "24", "--json", "--home", home, timeout=480))
    second = document["imports"][len(document["imports"]) // 2 :]
    rosters = [d for d in second if d["file_set"] in (None, "roster")]

    assert len(second) > len(rosters)  # absences come in a rhythm of their own
    assert [d["source"] for d in rosters] == sorted(discover_vendors(), key=lambda name: name != demo.DETAILED_FORMAT)
    assert {d["status"] for d in document["imports"]} == {"published"}
    assert len({d["district_id"] for d in second}) == len(discover_vendors())
    assert all(d["run_id"] and Path(d["report"]).is_file() for d in document["imports"])
    assert all(any(f["severity"] == "reject" for f in d["findings"]) for d in rosters)
    assert all(sum(table["created"] + table["updated"] for table in d["changes"].values()) for d in second)
    assert {"missing_required", "unknown_reference"} <= {f["code"] for f in second[0]["findings"]}
    assert second[0]["changes"]["users"]["created"]
    assert second[0]["changes"]["users"]["deleted"]
    held = document["held"]
    assert (held["status"], held["hold"]["reason"]) == ("held", "change_threshold_exceeded")
    assert held["district_id"] == second[0]["district_id"]
    assert [(row["destination_name"], row["status"]) for row in document["exports"]] == [("reading-app", "written")] * 2
    assert document["exports"][0]["files"] != document["exports"][1]["files"]
    there = {path.name for path in (home / "sftp" / "reading-app" / "rosters").iterdir()}
    assert there == {file["file"] for file in document["exports"][1]["files"]}
    compared = document["reconciliation"]
    assert (set(compared["matched"]), compared["matched"]["user_id"] > 10, compared["reopened"]) == ({"user_id"}, True, False)
    assert compared["difference"]["key_a"]["user_id"] == compared["difference"]["key_b"]["user_id"]
    assert (compared["difference"]["field"], compared["difference"]["decision"]) == ("email", "accepted")
    assert "dagster-webserver" in document["ui"]
    assert processes_that_name(home) == []


@pytest.mark.faults
@pytest.mark.skipif(not ALL, reason="minutes: installs every library of the lock; make faults")
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
