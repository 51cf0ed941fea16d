"""Why an import is held, in one line.

Belongs here: the line that people read first, in the run, in lists and in reports. Counts and ids of schools only, never a cell.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from roster_etl.spec.findings import CODES


def hold_headline(reason: str, summary: Mapping[str, Any]) -> str:
    """Return what stopped an import: "158 of 324 users would be removed", else the meaning of the reason's code.

    Args: summary: of the import, as the ledger keeps it: ``hold`` with the exceeded thresholds, and ``plan``.
    """
    stopped = summary.get("hold") or {}
    tables, schools = stopped.get("tables") or {}, stopped.get("schools") or []
    lines = _table_lines(tables, summary.get("plan") or {}) or _school_lines(schools)
    if not lines or reason in _ABOUT_FILES:
        return _meaning(reason)
    more = f", and {len(lines) - 1} more" if len(lines) > 1 else ""
    return f"{lines[0]}{more}"


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
