"""``demo``: the whole story with real processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from roster_etl.cli.context import Call
from roster_etl.cli.demo import story as demo
from roster_etl.vendors import discover_vendors
from tests.cli.calling import call

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.sftp]


def group_members(home: Path) -> list[str]:
    """Return the command lines of processes that name `home` in their words or their environment."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            told = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
        except OSError:
            continue
        if str(home).encode() in told and int(process.name) != os.getpid():
            found.append(process.name)
    return found


@pytest.mark.timeout(500)
def test_the_demo_publishes_two_days_of_a_district_a_format_and_leaves_no_process(tmp_path: Path) -> None:
    home = tmp_path / "demo"
    words = ["demo", "--students", "24", "--json", "--home", str(home)]

    done = subprocess.run(
        [sys.executable, "-m", "roster_etl.cli", *words], capture_output=True, text=True, timeout=480, check=False
    )

    assert done.returncode == 0, done.stderr[-2000:]
    document = json.loads(done.stdout)
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
    assert (compared["matched"], compared["reopened"]) == ({"user_id": compared["matched"]["user_id"]}, False)
    assert compared["matched"]["user_id"] > 10
    assert compared["difference"]["key_a"]["user_id"] == compared["difference"]["key_b"]["user_id"]
    assert (compared["difference"]["field"], compared["difference"]["decision"]) == ("email", "accepted")
    assert "dagster-webserver" in document["ui"]
    assert group_members(home) == []


@pytest.mark.skipif(not Path("/proc").exists(), reason="looks for processes under /proc")
def test_a_demo_that_is_stopped_takes_its_processes_along(tmp_path: Path) -> None:
    home = tmp_path / "demo"
    demo = subprocess.Popen(
        [sys.executable, "-m", "roster_etl.cli", "demo", "--students", "20", "--home", str(home)],
        stderr=subprocess.PIPE,
        text=True,
    )
    assert demo.stderr is not None
    for line in demo.stderr:
        if "The sensor looks" in line:
            break
    deadline = time.monotonic() + 60
    while len(group_members(home)) < 2 and time.monotonic() < deadline:
        time.sleep(0.2)

    demo.send_signal(signal.SIGTERM)

    assert demo.wait(60) == 130
    demo.stderr.close()
    assert group_members(home) == []


def test_commands_are_shown_as_they_can_be_typed(tmp_path: Path, monkeypatch) -> None:
    script = tmp_path / "bin" / "roster-etl"
    script.parent.mkdir()
    monkeypatch.setattr(demo.sys, "executable", str(script.with_name("python")))
    monkeypatch.chdir(tmp_path)

    monkeypatch.setenv("PATH", "/nowhere")
    without = demo._program_command()
    script.touch(0o755)
    beside = demo._program_command()
    monkeypatch.setenv("PATH", str(script.parent))
    activated = demo._program_command()

    assert (without, beside, activated) == ("bin/python -m roster_etl.cli", "bin/roster-etl", "roster-etl")


def test_the_way_to_the_ui_names_its_port(tmp_path: Path) -> None:
    assert demo._ui_command(Call(home=tmp_path), 3001).endswith("-h 127.0.0.1 -p 3001")


def test_a_home_that_is_in_use_is_not_taken_for_a_demo(told: Path) -> None:
    assert call("demo", "--json", home=told).document["error"]["code"] == "bad_words"
