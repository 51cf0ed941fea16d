"""The built wheel works outside the checkout: suites, settings and templates are in it. That `dagster dev` serves it: ``end_to_end/test_ui.py``."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from roster_etl.cli.demo import story as demo
from roster_etl.vendors import discover_vendors
from tests.processes import processes_that_name
from tests.sampling import ALL
from tests.wheel import ROOT, build_wheel, environment, site_packages

COMMANDS = """
import contextlib, io, json, sys
from roster_etl.cli import main
for words in json.loads(sys.argv[1]):
    with contextlib.redirect_stdout(io.StringIO()) as out:
        code = main(words)
    print(json.dumps([code, out.getvalue()]))
"""


def run(python: Path, folder: Path, *words: object, code: int = 0, timeout: float = 120) -> str:
    """Run the command line in `folder`, and return its standard output."""
    command = [python, "-m", "roster_etl.cli", *words]
    done = subprocess.run(
        list(map(str, command)), cwd=folder, env=environment(), capture_output=True, text=True, check=False, timeout=timeout
    )
    assert done.returncode == code, done.stderr[-2000:]
    return done.stdout


def answers(python: Path, folder: Path, *commands: str) -> list[tuple[int, str]]:
    """Run commands in `folder`, one after the other in one process, and return the exit code and the standard output of each."""
    words = json.dumps([command.split() for command in commands])
    command = [python, "-c", COMMANDS, words]
    done = subprocess.run(command, cwd=folder, env=environment(), capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
    return [(code, out) for code, out in map(json.loads, done.stdout.splitlines())]


def test_the_environment_imports_the_wheel_and_not_the_checkout(wheel_python: Path, tmp_path: Path):
    code = "import roster_etl, importlib.metadata as m; print(roster_etl.__path__[0]); print(*m.entry_points(name='roster-etl'))"
    done = subprocess.run([wheel_python, "-c", code], cwd=tmp_path, env=environment(), capture_output=True, text=True, check=True)
    place, entry = done.stdout.splitlines()

    assert Path(place).parent == site_packages(wheel_python.parents[1])
    assert "roster_etl.cli:entry" in entry
    assert (wheel_python.parent / "roster-etl").is_file()


def test_the_environment_has_no_library_that_only_tests_need(wheel_python: Path, tmp_path: Path):
    code = "import importlib.util as u; print([n for n in ('pytest', 'hypothesis', 'coverage', 'botocore', 'celery') if u.find_spec(n)])"
    done = subprocess.run([wheel_python, "-c", code], cwd=tmp_path, env=environment(), capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


def test_the_wheel_samples_checks_imports_and_reports(wheel_python: Path, tmp_path: Path):
    done = answers(
        wheel_python,
        tmp_path,
        "sample clever upload --students 30",
        "check upload --format clever --json",
        "import upload --district lincoln --format clever --json",
        "report 1",
        "doctor --json",
    )
    (_, _), (_, checked), (_, imported), (_, report), (_, health) = done

    assert [code for code, _ in done] == [0] * len(done)
    assert json.loads(checked)["status"] == "publishable"
    assert json.loads(imported)["status"] == "published"
    assert (tmp_path / "dagster_home" / "dagster.yaml").is_file()
    assert Path(report.strip()).is_relative_to(tmp_path / "dagster_home")
    assert all(line["ok"] for line in json.loads(health))


def test_a_suite_of_the_home_replaces_the_one_in_the_wheel(wheel_python: Path, tmp_path: Path):
    suite = json.loads(
        (site_packages(wheel_python.parents[1]) / "roster_etl/expectations/clever/students.json").read_text("utf-8")
    )
    own = tmp_path / "dagster_home" / "expectations" / "clever" / "students.json"
    own.parent.mkdir(parents=True)
    own.parents[2].chmod(0o700)
    own.write_text(json.dumps({**suite, "expectations": "none"}))
    words = ("sample clever upload --students 30", "check upload --format clever --json")
    (sampled, _), (code, checked) = answers(wheel_python, tmp_path, *words)

    assert (sampled, code) == (0, 1)
    assert str(own) in json.loads(checked)["error"]["message"]


@pytest.mark.e2e
@pytest.mark.slow
@pytest.mark.sftp
@pytest.mark.timeout(500)
def test_the_demo_publishes_two_days_of_a_district_a_format_and_leaves_no_process(wheel_python: Path, tmp_path: Path):
    home = tmp_path / "demo"
    document = json.loads(run(wheel_python, tmp_path, "demo", "--students", "24", "--json", "--home", home, timeout=480))
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
