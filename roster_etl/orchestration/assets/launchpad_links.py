"""Metadata with which a person launches the decision jobs: the config to paste, and the link to the launchpad that has it.

Belongs here: texts and links for metadata. The jobs are in ``decisions``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import dagster as dg

APPROVE, DISCARD, UNDO = "approve_hold", "discard_hold", "undo_import"
STEP_BY_JOB = {APPROVE: "approve", DISCARD: "discard", UNDO: "undo"}
"""The one step of each job; jobs and steps of a code location need different names."""


def decision_metadata(run: dg.DagsterRun, import_id: int, plan_sha256: str) -> dict[str, Any]:
    """Return metadata of a held import: config for the launchpads of its jobs, and links with it. ``by`` is left empty."""
    approve, discard = _decision_configs(import_id, plan_sha256)
    location = code_location(run)
    words = (
        f"Say who you are after `by`, then launch the job `{APPROVE}` to publish exactly this plan:\n\n```yaml\n{approve}```\n\n"
        f"or the job `{DISCARD}` to leave the roster as it is:\n\n```yaml\n{discard}```"
    )
    links = {name: dg.MetadataValue.url(url) for name, url in decision_links(location, import_id, plan_sha256).items()}
    return {"how_to_decide": dg.MetadataValue.md(words), **(links if location else {})}


def decision_links(location: str, import_id: int, plan_sha256: str) -> dict[str, str]:
    """Return links to the launchpads of the jobs that decide about a held import, all but the name filled in."""
    approve, discard = _decision_configs(import_id, plan_sha256)
    return {"approve": launchpad_url(location, APPROVE, approve), "discard": launchpad_url(location, DISCARD, discard)}


def _decision_configs(import_id: int, plan_sha256: str) -> tuple[str, str]:
    """Return the run configs of the two jobs."""
    approve = config_yaml(APPROVE, {"import_id": import_id, "plan": plan_sha256, "by": ""})
    return approve, config_yaml(DISCARD, {"import_id": import_id, "by": ""})


def undo_metadata(run: dg.DagsterRun, import_id: int) -> dict[str, Any]:
    """Return metadata of a published import: the link to the launchpad of its undo."""
    location = code_location(run)
    config = config_yaml(UNDO, {"import_id": import_id, "by": ""})
    return {"undo": dg.MetadataValue.url(launchpad_url(location, UNDO, config))} if location else {}


def config_yaml(job: str, config: Mapping[str, Any]) -> str:
    """Return the run config of one of the jobs, as YAML to paste."""
    lines = "".join(f"      {name}: {json.dumps(value)}\n" for name, value in config.items())
    return f"ops:\n  {STEP_BY_JOB[job]}:\n    config:\n{lines}"


def launchpad_url(location: str, job: str, config: str) -> str:
    """Return the link to a job's launchpad with the config filled in."""
    return f"/locations/{location}/jobs/{job}/playground/setup?{urlencode({'config': config})}"


def code_location(run: dg.DagsterRun) -> str:
    """Return the name of the run's code location; empty: unknown."""
    origin = run.remote_job_origin
    return origin.repository_origin.code_location_origin.location_name if origin else ""
