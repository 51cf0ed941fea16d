"""Metadata with which a person launches the decision jobs: the config to paste, and the link to the launchpad that has it."""

from __future__ import annotations

from typing import Any

import dagster as dg

from roster_etl.pipeline.reporting.ui_links import (
    APPROVE,
    DISCARD,
    UNDO,
    config_yaml,
    decision_configs,
    decision_links,
    launchpad_url,
)


def decision_metadata(run: dg.DagsterRun, import_id: int, plan_sha256: str) -> dict[str, Any]:
    """Return metadata of a held import: config for the launchpads of its jobs, and links with it. ``by`` is left empty."""
    approve, discard = decision_configs(import_id, plan_sha256)
    location = code_location(run)
    words = (
        f"Say who you are after `by`, then launch the job `{APPROVE}` to publish exactly this plan:\n\n```yaml\n{approve}```\n\n"
        f"or the job `{DISCARD}` to leave the roster as it is:\n\n```yaml\n{discard}```"
    )
    links = {name: dg.MetadataValue.url(url) for name, url in decision_links(location, import_id, plan_sha256).items()}
    return {"how_to_decide": dg.MetadataValue.md(words), **(links if location else {})}


def undo_metadata(run: dg.DagsterRun, import_id: int) -> dict[str, Any]:
    """Return metadata of a published import: the link to the launchpad of its undo."""
    location = code_location(run)
    config = config_yaml(UNDO, {"import_id": import_id, "by": ""})
    return {"undo": dg.MetadataValue.url(launchpad_url(location, UNDO, config))} if location else {}


def code_location(run: dg.DagsterRun) -> str:
    """Return the name of the run's code location; empty: unknown."""
    origin = run.remote_job_origin
    return origin.repository_origin.code_location_origin.location_name if origin else ""
