"""Findings by cause: those of one kind together, each with what follows from it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from roster_etl.spec.findings import CODES

SEVERITIES = ("upload", "file", "reject", "warning", "info")
"""In the order of their weight."""

SEVERITY_EFFECTS = {
    "upload": "stops the upload",
    "file": "refuses the file",
    "reject": "refuses the row",
    "warning": "applied, with a doubt",
    "info": "to know",
}

_CODE_EFFECTS = {"missing_record": "refuses the rows that name it"}
_DERIVED_CODES = {"quality_gate_failed", "change_threshold_exceeded"}
"""What was found because of other findings, which therefore come first."""

CHECK_COUNT_NOTE = (
    "two for each file of the upload and each table; the run in the UI also counts files that are not there, and the plan"
)
"""What is counted as a check, in the command line and in the report; Dagster counts all that it knows of."""


FOLD = 1000
"""More findings of one kind and cause than this are listed as one."""

_KIND = ("severity", "code", "file", "field", "cause_id")


def fold_findings(findings: Sequence[Mapping[str, Any]], fold: int = FOLD) -> list[dict[str, Any]]:
    """Fold findings as ``Warehouse.findings`` does: more than `fold` of one severity, code, file, field and cause become the first of them.

    Grain: one row a finding, in the order given. A folded row has no ``row`` and no ``key``; its ``count`` is the sum of theirs.
    Findings that are folded already stay as they are.
    """
    kinds = [tuple(finding[name] for name in _KIND) for finding in findings]
    sizes = Counter(kinds)
    totals: Counter[tuple[Any, ...]] = Counter()
    for kind, finding in zip(kinds, findings, strict=True):
        totals[kind] += finding["count"]
    rows, listed = [], set()
    for kind, finding in zip(kinds, findings, strict=True):
        if sizes[kind] <= fold:
            rows.append(dict(finding))
        elif kind not in listed:
            listed.add(kind)
            rows.append({**finding, "row": None, "key": None, "count": totals[kind]})
    return rows


@dataclass(frozen=True, kw_only=True)
class FindingLocation:
    """Where a finding is, in words; ``following``: how many findings follow from it; ``rows``: it is about a row, or several."""

    where: str
    message: str
    following: int
    rows: bool


@dataclass(frozen=True, kw_only=True)
class CauseLocation:
    """Findings of one cause in one column that say the same. ``file`` None: the upload as a whole.

    ``rows``: the numbers of the first rows; ``count``: how many findings, ``following`` what follows from them.
    """

    file: str | None
    field: str | None
    message: str
    count: int
    following: int
    rows: tuple[int, ...]

    @property
    def rows_text(self) -> str:
        """The rows as people search for them: ``2, 5, 9 and 20 more``; empty where no row is named."""
        if not self.rows:
            return f"{self.count:,} rows" if self.count > 1 else ""
        shown = ", ".join(map(str, self.rows))
        return f"{shown} and {self.count - len(self.rows):,} more" if self.count > len(self.rows) else shown


@dataclass(frozen=True, kw_only=True)
class Cause:
    """All findings of one severity and code that follow from no other. ``following``: what follows from them."""

    severity: str
    code: str
    count: int
    following: int
    locations: tuple[FindingLocation, ...]
    places: tuple[CauseLocation, ...] = ()

    @property
    def amount(self) -> str:
        """How many, in words: rows where it is about rows (one record may have several), else places."""
        rows = all(place.rows for place in self.locations)
        return f"{self.count:,}{(' row' if self.count == 1 else ' rows') if rows else ''}"

    @property
    def effect(self) -> str:
        """What findings of this kind do."""
        return _CODE_EFFECTS.get(self.code) or SEVERITY_EFFECTS[self.severity]

    @property
    def meaning(self) -> str:
        """What the code means."""
        return CODES[self.code].meaning

    @property
    def advice(self) -> str:
        """What a district should do about it."""
        return CODES[self.code].advice


def group_by_cause(findings: Sequence[Mapping[str, Any]]) -> list[Cause]:
    """Return the findings of an import (as `outcome` lists them) by cause: the gravest first, of equals that with most effects."""
    first = {finding["id"]: finding["cause_id"] for finding in findings if finding["cause_id"] is not None}
    following: dict[int, int] = {}
    kinds: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for finding in findings:
        if finding["cause_id"] is None:
            kinds.setdefault((finding["severity"], finding["code"]), []).append(finding)
        else:
            root = _root(finding["id"], first)
            following[root] = following.get(root, 0) + finding["count"]
    made = [_cause(severity, code, found, following) for (severity, code), found in kinds.items()]
    return sorted(made, key=_order)


def causes_beside_hold(document: Mapping[str, Any], findings: Sequence[Mapping[str, Any]]) -> list[Cause]:
    """Return `findings` by cause, without those that only repeat which tables and schools of the hold are over a threshold."""
    hold = document["hold"] or {}
    known = "change_threshold_exceeded" if hold.get("tables") or hold.get("schools") else None
    return [cause for cause in group_by_cause(findings) if cause.code != known]


def _root(number: int, cause_of: dict[int, int]) -> int:
    """Return the finding that `number` follows from, by way of others; what was walked is remembered in `cause_of`."""
    walked: list[int] = []
    while number in cause_of and number not in walked:
        walked.append(number)
        number = cause_of[number]
    cause_of.update(dict.fromkeys(walked, number))
    return number


def _order(cause: Cause) -> tuple[float, int]:
    rank = SEVERITIES.index("reject") + 0.5 if cause.code in _DERIVED_CODES else SEVERITIES.index(cause.severity)
    return rank, -(cause.count + cause.following)


def format_location(finding: Mapping[str, Any]) -> str:
    """Return where a finding is, in words: file, row, column."""
    if finding["file"] is None:
        return finding["field"] or "the upload"
    row = f" row {finding['row']}" if finding["row"] is not None else ""
    many = f" {finding['count']:,} rows" if finding["row"] is None and finding["count"] > 1 else ""
    return f"{finding['file']}{row}{many}" + (f" {finding['field']}" if finding["field"] else "")


def _cause(severity: str, code: str, found: Sequence[Mapping[str, Any]], following: Mapping[int, int]) -> Cause:
    places = sorted((_build_location(f, following.get(f["id"], 0)) for f in found), key=lambda place: -place.following)
    return Cause(
        severity=severity,
        code=code,
        count=sum(f["count"] for f in found),
        following=sum(place.following for place in places),
        locations=tuple(places),
        places=_places(found, following),
    )


ROWS = 6
"""Row numbers that are named of one place."""


def _places(found: Sequence[Mapping[str, Any]], following: Mapping[int, int]) -> tuple[CauseLocation, ...]:
    """Return findings of one cause by file, column and message: those with most effects first."""
    same: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {}
    for finding in found:
        same.setdefault((finding["file"], finding["field"], finding["message"]), []).append(finding)
    places = [
        CauseLocation(
            file=file,
            field=field,
            message=message,
            count=sum(one["count"] for one in group),
            following=sum(following.get(one["id"], 0) for one in group),
            rows=tuple(sorted({one["row"] for one in group if one["row"] is not None})[:ROWS]),
        )
        for (file, field, message), group in same.items()
    ]
    return tuple(sorted(places, key=lambda place: (-place.following, -place.count)))


def _build_location(finding: Mapping[str, Any], following: int) -> FindingLocation:
    rows = finding["row"] is not None or finding["count"] > 1
    return FindingLocation(where=format_location(finding), message=finding["message"], following=following, rows=rows)
