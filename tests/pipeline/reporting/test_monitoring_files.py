"""Prometheus rules, Grafana dashboard and systemd units."""

from __future__ import annotations

import itertools
import os
import re
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from roster_etl.pipeline.reporting.monitoring_files import PANELS, RULES, UNITS, dashboard, generated_files, unit_text
from roster_etl.pipeline.reporting.prometheus import collect_metrics, exposition
from roster_etl.pipeline.workspace import Workspace
from roster_etl.store.settings import Settings
from tests.conftest import ROOT

PROMTOOL = os.environ.get("PROMTOOL") or shutil.which("promtool")
needs_promtool = pytest.mark.skipif(PROMTOOL is None, reason="promtool (of Prometheus) is not installed; $PROMTOOL may name it")


def test_rules_panels_and_the_page_use_metrics_and_labels_that_there_are(home: Path) -> None:
    with Workspace(Settings.load(home)).warehouse as warehouse:
        warehouse.migrate()
    workspace = Workspace(Settings.load(home))
    names = {metric.name for metric in collect_metrics(workspace, datetime.now(UTC))} | {"roster_etl_up"}
    workspace.warehouse.close()
    queries = [rule.when for rule in RULES] + [panel.query for panel in PANELS]

    page = (ROOT / "docs/operations/metrics.md").read_text("utf-8")
    assert set(re.findall(r"`(roster_etl_\w+)", page)) == names

    used = {name for query in queries for name in re.findall(r"roster_etl_\w+", query)}
    assert used <= names
    labels = {"district", "format", "status", "kind", "state", "sensor", "format_a", "format_b"}
    texts = [rule.says + rule.do for rule in RULES] + [panel.legend for panel in PANELS]
    assert {name for text in texts for name in re.findall(r"\{\{ ?(?:\$labels\.)?(\w+) ?\}\}", text)} <= labels


def test_the_rules_are_a_file_that_prometheus_reads() -> None:
    groups: dict[str, Any] = yaml.safe_load(generated_files()["deploy/monitoring/rules.yml"])
    (group,) = groups["groups"]

    assert set(group) == {"name", "rules"}
    for rule in group["rules"]:
        assert set(rule) == {"alert", "expr", "for", "labels", "annotations"}
        assert re.fullmatch(r"\d+[smhd]", rule["for"])
        assert re.fullmatch(r"[A-Za-z_]\w*", rule["alert"])
        assert rule["expr"].count("(") == rule["expr"].count(")")
        assert rule["labels"]["severity"] in ("warning", "critical")
    assert len({rule["alert"] for rule in group["rules"]}) == len(RULES)


@needs_promtool
def test_prometheus_accepts_the_rules() -> None:
    done = _promtool("check", "rules", str(ROOT / "deploy" / "monitoring" / "rules.yml"))

    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(RULES)} rules found" in done.stdout


@needs_promtool
def test_prometheus_accepts_the_queries_of_the_panels(tmp_path: Path) -> None:
    rules = [{"record": f"panel:{number}", "expr": panel.query} for number, panel in enumerate(PANELS)]
    file = tmp_path / "panels.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))

    done = _promtool("check", "rules", str(file))

    assert done.returncode == 0, done.stdout + done.stderr


@needs_promtool
def test_prometheus_accepts_the_page_of_metrics(home: Path) -> None:
    with Workspace(Settings.load(home)).warehouse as warehouse:
        warehouse.migrate()
    workspace = Workspace(Settings.load(home))
    page = exposition(collect_metrics(workspace, datetime.now(UTC), {"landing": 1.0}))
    workspace.warehouse.close()

    done = _promtool("check", "metrics", page=page)

    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""


def _promtool(*words: str, page: str | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(PROMTOOL), *words], input=page, capture_output=True, text=True, check=False, timeout=60)


def test_commands_in_the_rules_can_be_called() -> None:
    from tests.cli.test_app import _wrong

    assert [rule.do for rule in RULES if _wrong(re.sub(r"\{\{.*?\}\}", "lincoln", rule.do))] == []


def test_no_two_panels_of_the_dashboard_lie_on_each_other() -> None:
    panels = dashboard()["panels"]
    places = [{(panel["gridPos"]["x"] + x, panel["gridPos"]["y"] + y) for x in range(8) for y in range(8)} for panel in panels]

    assert not any(one & other for one, other in itertools.combinations(places, 2))
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert all(panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24 for panel in panels)


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_systemd_accepts_each_unit(unit: Any, tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    file = tmp_path / f"{unit.name}.service"
    text = unit_text(unit, programs=str(Path(sys.executable).parent))
    file.write_text(text)

    done = subprocess.run(["systemd-analyze", "verify", str(file)], capture_output=True, text=True, check=False, timeout=60)

    ours = [line for line in done.stderr.splitlines() if unit.name in line]
    assert ours == [], done.stderr
