"""A plan as people read it: by table and by school, what would be created, updated and removed, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from roster_etl.pipeline.reporting.headline_numbers import changes_text

REASONS = {
    "absent": "no longer in the upload",
    "batch_mode": "no longer in the upload (batch mode)",
    "cascade": "went with what they refer to",
    "deleted": "deleted by the upload",
    "diffed": "no longer in the upload (compared with the last one)",
    "renamed": "under a new id now",
    "undo": "undone",
}
"""Close reasons, in words."""


@dataclass(frozen=True, kw_only=True)
class TableLine:
    """One table. ``current``: records before; None: not known. ``columns`` and ``why``: in words, empty if there is nothing to say."""

    table: str
    current: int | None
    created: int
    updated: int
    deleted: int
    columns: str
    why: str


@dataclass(frozen=True, kw_only=True)
class SchoolLine:
    """One school's records of a table; None: not known."""

    table: str
    school: str
    current: int
    created: int | None
    updated: int | None
    deleted: int

    @property
    def changes(self) -> str:
        """What changes, in words."""
        return changes_text(self.current, self.created or 0, self.updated or 0, self.deleted)


def table_lines(document: Mapping[str, Any]) -> list[TableLine]:
    """Return the tables where something changes, in publishing order. Args: document: as ``pipeline.reporting.import_summary`` gives it."""
    plan = document["plan"]
    return [
        TableLine(table=name, **_counts(counts), **_line_texts(plan.get(name, {}), counts))
        for name, counts in document["changes"].items()
        if any(counts.values())
    ]


def school_lines(document: Mapping[str, Any]) -> list[SchoolLine]:
    """Return the schools where something changes; those that lose most come first."""
    lines = [
        _school(table, school, part)
        for table, plan in document["plan"].items()
        for school, part in plan.get("schools", {}).items()
    ]
    found = [line for line in lines if line.created or line.updated or line.deleted]
    return sorted(found, key=lambda line: (-line.deleted, -(line.created or 0) - (line.updated or 0), line.table, line.school))


@dataclass(frozen=True, kw_only=True)
class SchoolRow:
    """One school with the tables where something changes. ``state``: whether the school itself is ``new``, ``removed``, or neither."""

    school: str
    state: str
    lines: Mapping[str, SchoolLine]

    @property
    def deleted(self) -> int:
        """The number of records that are removed, of all tables."""
        return sum(line.deleted for line in self.lines.values())


def school_rows(document: Mapping[str, Any]) -> list[SchoolRow]:
    """Return one row a school where something changes; those that lose most come first."""
    by_school: dict[str, dict[str, SchoolLine]] = {}
    for line in school_lines(document):
        by_school.setdefault(line.school, {})[line.table] = line
    rows = [SchoolRow(school=school, state=_school_state(lines), lines=lines) for school, lines in by_school.items()]
    return sorted(rows, key=lambda row: (-row.deleted, row.school))


def _school_state(lines: Mapping[str, SchoolLine]) -> str:
    own = lines.get("organizations")
    if own is None:
        return ""
    return "new" if own.created else "removed" if own.deleted else ""


def removal_reasons(plan: Mapping[str, Any]) -> str:
    """Return why the records of one table are removed, in words."""
    reasons = plan.get("reasons")
    if reasons is None:
        absent = plan.get("absent", 0)
        reasons = {"absent": absent, "cascade": plan.get("deleted", 0) - absent}
    return ", ".join(f"{count:,} {REASONS.get(reason, reason)}" for reason, count in reasons.items() if count)


def _counts(counts: Mapping[str, int]) -> Any:
    return {what: counts[what] for what in ("created", "updated", "deleted")}


def _line_texts(plan: Mapping[str, Any], counts: Mapping[str, int]) -> Any:
    columns = ", ".join(f"{column} {number:,}" for column, number in plan.get("columns", {}).items())
    return {"current": plan.get("current"), "columns": columns, "why": removal_reasons(plan) if counts["deleted"] else ""}


def _school(table: str, school: str, part: Mapping[str, int] | Sequence[int]) -> SchoolLine:
    if not isinstance(part, Mapping):  # an import of before additions and updates were counted by school
        current, absent = part
        return SchoolLine(table=table, school=school, current=current, created=None, updated=None, deleted=absent)
    return SchoolLine(table=table, school=school, current=part["current"], **_counts(part))
