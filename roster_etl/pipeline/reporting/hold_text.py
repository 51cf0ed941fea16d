"""Why an import is held or rejected, in one line, and what to do.

Belongs here: the line that people read first, in the run, in lists and in reports. Counts and ids of schools only, never a cell.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from roster_etl.pipeline.reporting.import_summary import ImportSummary
from roster_etl.spec.findings import CODES


def decision_commands(import_id: int) -> dict[str, str]:
    """Return what a person can do about a held import, as commands."""
    return {
        "review": f"roster-etl holds show {import_id}",
        "approve": f"roster-etl holds approve {import_id} --by NAME",
        "discard": f"roster-etl holds discard {import_id} --by NAME",
    }


def stopped_text(summary: ImportSummary) -> str:
    """Return the text about an import that is held or rejected: the first line says why, the others what to do."""
    number = summary.import_id
    if summary.status == "held" and summary.hold:
        head = f"HELD: {hold_headline(summary.hold['reason'], summary.details)}"
        commands, end = (
            decision_commands(number),
            "Nothing was published. In the UI, the links below open the form to approve or discard it.",
        )
    else:
        head, end = (
            f"{summary.status.upper()}: {_findings_line(summary)}",
            "Nothing was published. Correct the files, and upload all of them again.",
        )
        commands = {"review": f"roster-etl show {number}"}
    lines = [f"{name.capitalize():<8} {command}" for name, command in commands.items()]
    return "\n".join([head, *lines, end])


def _findings_line(summary: ImportSummary) -> str:
    """Return the findings because of which nothing was processed, the first ones in words."""
    found = [finding for finding in summary.folded_findings if finding["severity"] in ("upload", "file")]
    texts = [f"{f['file']}: {f['message']}" if f["file"] else str(f["message"]) for f in found[:_MAX_FINDINGS]]
    more = f" And {len(found) - _MAX_FINDINGS} more." if len(found) > _MAX_FINDINGS else ""
    return (" ".join(texts) or "see the import's findings.") + more


_MAX_FINDINGS = 3


def hold_headline(reason: str, summary: Mapping[str, Any]) -> str:
    """Return what stopped an import: "158 of 324 users would be removed", else the meaning of the reason's code.

    Args: summary: of the import, as the ledger keeps it: ``hold`` with the exceeded thresholds, and ``plan``.
    """
    stopped = summary.get("hold") or {}
    if stopped.get("replaced"):
        return replaced_text(stopped["replaced"])
    tables, schools = stopped.get("tables") or {}, stopped.get("schools") or []
    lines = _table_lines(tables, summary.get("plan") or {}) or _school_lines(schools)
    if not lines or reason in _ABOUT_FILES:
        return _meaning(reason)
    further = len(lines) - 1
    more = f"; {further:,} more threshold{'s are' if further > 1 else ' is'} exceeded" if further else ""
    return f"{'an undo was requested: ' if reason == 'undo' else ''}{lines[0]}{more}"


def replaced_text(replaced: Mapping[str, int]) -> str:
    """Return how many people would be replaced: ``replaced`` of a hold."""
    return f"{replaced['people']:,} of {replaced['current']:,} people would be replaced by others under their ids"


_ABOUT_FILES = ("quality_gate_failed", "missing_column", "older_upload")
"""Reasons that are not numbers of records, even where a threshold is exceeded too."""


def _table_lines(tables: Mapping[str, Mapping[str, Any]], plan: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return a line for each table over a threshold: people first, then by the share of records."""
    over = [(name, "removed", t["deleted"], t["current"]) for name, t in tables.items() if t.get("deleted")]
    over += [(name, "updated", t["updated"], t["current"]) for name, t in tables.items() if t.get("updated")]
    users = plan.get("users") or {}
    if over and users.get("deleted") and "users" not in tables:
        over.append(("users", "removed", users["deleted"], users["current"]))
    over.sort(key=lambda one: (one[0] != "users", -(one[2] / one[3] if one[3] else 0.0), one[0]))
    return [f"{count:,} of {current:,} {name} would be {what}" for name, what, count, current in over]


def _school_lines(schools: list[Mapping[str, Any]]) -> list[str]:
    """Return a line for each school's part of a table over a threshold: the largest part first."""
    lines = []
    for part in sorted(schools, key=lambda part: -(part.get("deleted") or part.get("updated") or 0)):
        count = part.get("deleted") or part.get("updated") or 0
        what = "removed" if part.get("deleted") else "updated"
        lines.append(f"{count:,} of {part['current']:,} {part['table']} of school {part['school']} would be {what}")
    return lines


def _meaning(reason: str) -> str:
    return CODES[reason].meaning.removesuffix(".") if reason in CODES else reason.replace("_", " ")
