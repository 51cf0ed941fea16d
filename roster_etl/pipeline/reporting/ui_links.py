"""Links into the Dagster UI: the run of an import, its plan, and the launchpads of the jobs that decide about it.

Belongs here: paths below the UI's address, and run config for launchpads. What the jobs do is in ``orchestration.jobs.decision_jobs``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

from roster_etl.store.settings import UiSettings

APPROVE, DISCARD, UNDO = "approve_hold", "discard_hold", "undo_import"
STEP_BY_JOB = {APPROVE: "approve", DISCARD: "discard", UNDO: "undo"}
"""The one step of each job; jobs and steps of a code location need different names."""


def import_links(ui: UiSettings, document: Mapping[str, Any]) -> dict[str, str]:
    """Return links to what a person needs of an import: its run and, while it is held, its plan and the forms that decide.

    Args:    document: of its report (``pipeline.reporting.report_files``).
    Returns: addresses by ``run``, ``review``, ``approve``, ``discard``; empty where the settings do not say where the UI is.
    """
    base, hold = ui.url.rstrip("/"), document["hold"]
    if not base:
        return {}
    links = {"run": f"/runs/{document['run_id']}"} if document["run_id"] else {}
    if hold and not hold["decision"]:
        at = urlencode({"view": "partitions", "partition": document["district_id"]})
        links["review"] = f"/assets/roster/plan?{at}"
        links |= decision_links(ui.code_location, document["import_id"], hold["plan_sha256"])
    return {name: base + path for name, path in links.items()}


def decision_links(location: str, import_id: int, plan_sha256: str) -> dict[str, str]:
    """Return links to the launchpads of the jobs that decide about a held import, all but the name filled in."""
    approve, discard = decision_configs(import_id, plan_sha256)
    return {"approve": launchpad_url(location, APPROVE, approve), "discard": launchpad_url(location, DISCARD, discard)}


def decision_configs(import_id: int, plan_sha256: str) -> tuple[str, str]:
    """Return the run configs of the jobs that approve and discard. ``by`` is left empty."""
    approve = config_yaml(APPROVE, {"import_id": import_id, "plan": plan_sha256, "by": ""})
    return approve, config_yaml(DISCARD, {"import_id": import_id, "by": ""})


def config_yaml(job: str, config: Mapping[str, Any]) -> str:
    """Return the run config of one of the jobs, as YAML to paste."""
    lines = "".join(f"      {name}: {json.dumps(value)}\n" for name, value in config.items())
    return f"ops:\n  {STEP_BY_JOB[job]}:\n    config:\n{lines}"


def launchpad_url(location: str, job: str, config: str) -> str:
    """Return the link to a job's launchpad with the config filled in."""
    return f"/locations/{quote(location)}/jobs/{job}/playground/setup?{urlencode({'config': config})}"
