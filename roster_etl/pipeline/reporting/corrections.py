"""What a district should correct: the findings of an import by file and column.

Belongs here: grouping for those who export the files. By cause, for those who run this, they are in ``pipeline.reporting.findings_summary``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from roster_etl.pipeline.reporting.findings_summary import SEVERITIES, Cause, CauseLocation, group_by_cause

_ABOUT_THE_PLAN = ("change_threshold_exceeded",)
"""Findings that are no errors of a file: the headline and the numbers of the mail say what they say."""


@dataclass(frozen=True, kw_only=True)
class Correction:
    """One kind of error in one column. ``expected``: what was found, and what the format expects; ``advice``: how to correct it."""

    column: str | None
    amount: str
    rows: str
    effect: str
    expected: str
    advice: str
    following: int


@dataclass(frozen=True, kw_only=True)
class FileCorrections:
    """What to correct in one file. ``file`` None: in the upload as a whole."""

    file: str | None
    corrections: Sequence[Correction]


def corrections_by_file(findings: Sequence[Mapping[str, Any]]) -> list[FileCorrections]:
    """Return what to correct, a file each: the file with the gravest errors first, and in it those that refuse most rows.

    Findings that follow from others are counted with those; notes are left out. Args: findings: as an import's document lists them.
    """
    found: dict[str | None, list[tuple[Cause, CauseLocation]]] = {}
    for cause in group_by_cause(findings):
        if cause.severity != "info" and cause.code not in _ABOUT_THE_PLAN:
            for place in cause.places:
                found.setdefault(place.file, []).append((cause, place))
    ordered = {file: sorted(pairs, key=_order) for file, pairs in found.items()}
    return [
        FileCorrections(file=file, corrections=[_correction(*pair) for pair in pairs])
        for file, pairs in sorted(ordered.items(), key=lambda entry: _order(entry[1][0]))
    ]


def _order(pair: tuple[Cause, CauseLocation]) -> tuple[int, int]:
    cause, place = pair
    return SEVERITIES.index(cause.severity), -(place.count + place.following)


def _correction(cause: Cause, place: CauseLocation) -> Correction:
    many = place.count > 1
    return Correction(
        column=place.field,
        amount=f"{place.count:,} row{'s' if many else ''}" if place.rows or many else "",
        rows=place.rows_text if place.rows else "",
        effect=cause.effect,
        expected=place.message,
        advice=cause.advice,
        following=place.following,
    )
