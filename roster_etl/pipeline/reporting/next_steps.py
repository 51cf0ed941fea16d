"""What a person should do about an import: in words, and the command that does it.

Belongs here: the steps after each ending. What was found, and what to correct in a file, stands with the findings (``pipeline.reporting.findings_summary``).
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from roster_etl.vendors import vendor


@dataclass(frozen=True, kw_only=True)
class NextStep:
    """One thing to do. ``command``: how, where a command does it."""

    text: str
    command: str = ""


def next_steps(document: Mapping[str, Any]) -> list[NextStep]:
    """Return what to do about the import of `document` (as ``pipeline.reporting.import_summary`` gives it), the first thing first; none if nothing is."""
    steps = _STEPS.get(document["status"])
    return steps(document) if steps else []


def closed_holds_text(document: Mapping[str, Any]) -> str:
    """Return in a sentence or two which holds the import of `document` closed, and why; empty: none."""
    closed = document.get("closed_holds")
    if not closed:
        return ""
    names = [
        f"the undo that waited as import {h['import_id']}" if h["kind"] == "undo" else f"import {h['import_id']}" for h in closed
    ]
    many = len(names) > 1
    what = f"The hold{'s' if many else ''} of {', '.join(names)} {'are' if many else 'is'} closed"
    whose = "their plans" if many else "its plan"
    why = {
        "unchanged": "the roster already has that state",
        "held": "this import waits in its place",
    }.get(document["status"], f"the roster changed with this import, so that {whose} can no longer be published")
    return f"{what}: {why}."


def _held(document: Mapping[str, Any]) -> list[NextStep]:
    number = document["import_id"]
    hold = document["hold"] or {}
    if hold.get("decision"):
        return []
    right = NextStep(
        text="If it is right as it is: publish exactly this plan.", command=f"roster-etl holds approve {number} --by NAME"
    )
    if hold.get("overtaken_by"):
        right = NextStep(text=stale_plan_text(document), command=replan_command(document))
    return [
        NextStep(text="Look at what would change, and why it was stopped.", command=f"roster-etl holds show {number}"),
        NextStep(text=f"If the files are wrong: correct them at their source and upload them again. {_what_replaces(hold)}"),
        right,
        NextStep(text="If it should never be published: discard it.", command=f"roster-etl holds discard {number} --by NAME"),
    ]


def _what_replaces(hold: Mapping[str, Any]) -> str:
    if hold.get("outlasts_uploads"):
        return "Discard this import, too: every upload of changes counts, so that no later one replaces it."
    return "The new upload replaces this one."


def stale_plan_text(document: Mapping[str, Any]) -> str:
    """Return what to do about a held import after which another one was published."""
    what, once = ("the undo", ", once approved,") if document.get("undoes") else ("the same files", "")
    return (
        f"If it is right: import {document['hold']['overtaken_by']} was published since, so this plan can no longer be published. Plan "
        f"{what} anew, on top of the roster of now: as a new import, which is held for you to look at and to approve, and{once} takes the "
        "place of this hold."
    )


def replan_command(import_details: Mapping[str, Any]) -> str:
    """Return the command that plans a held import anew: an undo of the same import, or the same files."""
    if undoes := import_details.get("undoes"):
        return f"roster-etl undo {undoes[0]} --by NAME"
    feed = f"--district {import_details['district_id']} --format {import_details['source']}"
    return f"roster-etl rerun {feed} --import {import_details['import_id']} --rollback"


def _rejected(document: Mapping[str, Any]) -> list[NextStep]:
    return [
        NextStep(text="Correct the errors in the findings, and upload all files again. Until then the roster does not change.")
    ]


def _failed(document: Mapping[str, Any]) -> list[NextStep]:
    district, source = document["district_id"], document["source"]
    look = NextStep(text="Find the cause.", command=f"roster-etl doctor --district {district}")
    if not any(file["kind"] for file in document["files"]):
        if document.get("parked"):
            again = f"roster-etl backfill --district {district} --format {source}"
            return [look, NextStep(text="It is not retried automatically. Fix the cause, then retry.", command=again)]
        return [
            look,
            _next_import(document),
        ]
    again = f"roster-etl rerun --district {district} --format {source} --import {document['import_id']}"
    return [look, NextStep(text="Fix the cause, then rerun this upload, or wait for a newer one.", command=again)]


def _next_import(document: Mapping[str, Any]) -> NextStep:
    """Return what to do about an upload that could not be received. ``given_path``: where it is, if a command named it."""
    if path := document.get("given_path"):
        again = f"roster-etl import {shlex.quote(path)} --district {document['district_id']} --format {document['source']}"
        return NextStep(text="Nothing of the upload was stored. Fix the cause, then import it again.", command=again)
    return NextStep(
        text="An upload in the landing zone is imported once the cause is fixed; one that a command named must be imported again."
    )


def _published(document: Mapping[str, Any]) -> list[NextStep]:
    rows = sum(file["rows_rejected"] or 0 for file in document["files"])
    if not rows:
        return []
    what = "1 row that was" if rows == 1 else f"{rows:,} rows that were"
    text = f"Correct the {what} rejected, at their source; {document['import_id']}.csv lists each with its place."
    if vendor(document["source"]).format.mode == "changes":
        text += " Each later upload retries them, until they are accepted or a newer row about the same record arrives."
    return [NextStep(text=text)]


_STEPS = {"held": _held, "rejected": _rejected, "failed": _failed, "published": _published}
