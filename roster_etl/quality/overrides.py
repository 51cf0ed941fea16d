"""A district's own tolerances: which expectation, how else, why, and since when.

Belongs here: reading and applying them. Does not belong here: where the district's file lies (``store.districts``).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from roster_etl.projections.suite_files import RULE_TYPE, Severity, Suite, SuiteError, check_suite, label, nearest
from roster_etl.spec.promises import REFUSED_ROWS

KEYS = ("suite", "expectation", "mostly", "at_least", "severity", "reason", "date")


@dataclass(frozen=True, kw_only=True)
class ToleranceOverride:
    """One expectation of one suite, judged differently for one district.

    ``expectation`` is the rule's name, such as ``Grade: present`` (of any other expectation its type and column, as verdicts
    show it). What is None stays as the suite has it.
    """

    suite: str
    expectation: str
    reason: str
    date: dt.date
    mostly: float | None = None
    at_least: int | None = None
    severity: Severity | None = None

    def __post_init__(self) -> None:
        if not self.reason.strip():
            raise SuiteError(self.place, ("a reason is needed; say why this district differs",))
        if self.mostly is None and self.at_least is None and self.severity is None:
            raise SuiteError(self.place, ("nothing is overridden; give mostly, at_least or severity",))

    @property
    def place(self) -> str:
        """What the override is called in messages."""
        return f'tolerance of "{self.suite}: {self.expectation}"'


def read_overrides(entries: Sequence[Mapping[str, Any]], where: str) -> tuple[ToleranceOverride, ...]:
    """Return the overrides written as `entries` (tables of a TOML file, with the keys KEYS); `where` names the file in messages.

    Raises: SuiteError: a key is unknown or missing, the date is no date, or a value is of the wrong kind.
    """
    problems = tuple(
        f"tolerance {number}: {problem}" for number, entry in enumerate(entries, start=1) for problem in _problems(entry)
    )
    if problems:
        raise SuiteError(where, problems)
    return tuple(ToleranceOverride(**entry) for entry in entries)


def check_overrides(overrides: Sequence[ToleranceOverride], suites: Mapping[str, Suite]) -> None:
    """Refuse overrides that no suite of `suites` (by name) can follow.

    Raises: SuiteError: one names a suite or an expectation that does not exist, and the nearest that does, or a value is out of range.
    """
    for override in overrides:
        if override.suite not in suites:
            raise SuiteError(override.place, (f"no such suite; {nearest(override.suite, tuple(suites))}",))
        with_overrides(suites[override.suite], [override])


def with_overrides(suite: Suite, overrides: Sequence[ToleranceOverride]) -> Suite:
    """Return `suite` with those of `overrides` that name it applied; reason and date go into the expectation's meta.

    Raises: SuiteError: an override names no expectation of the suite (and the nearest that is), or a value is out of range.
    """
    expectations = list(suite["expectations"])
    labels = tuple(label(expectation) for expectation in expectations)
    for override in overrides:
        if override.suite != suite["name"]:
            continue
        if override.expectation not in labels:
            raise SuiteError(override.place, (f"no such expectation; {nearest(override.expectation, labels)}",))
        position = labels.index(override.expectation)
        expectations[position] = _overridden(expectations[position], override)
        check_suite({**suite, "expectations": [expectations[position]]}, override.place)
    return {**suite, "expectations": expectations}


def with_refused_rows(suite: Suite, *, percent: float, least: int) -> Suite:
    """Return `suite` with a district's options ``refused_rows_pct`` (0 … 100) and ``refused_rows_min`` (rows) in force."""
    limits = {"mostly": round(1 - percent / 100, 6), "at_least": least}
    return {
        **suite,
        "expectations": [
            {**expectation, "kwargs": {**expectation["kwargs"], **limits}}
            if expectation["type"] == RULE_TYPE and expectation["kwargs"]["rule"] == REFUSED_ROWS
            else expectation
            for expectation in suite["expectations"]
        ],
    }


def _overridden(expectation: Mapping[str, Any], override: ToleranceOverride) -> dict[str, Any]:
    limits = {"mostly": override.mostly, "at_least": override.at_least}
    note = {"override": {"reason": override.reason, "date": override.date.isoformat()}}
    return {
        **expectation,
        "kwargs": {**expectation["kwargs"], **{name: limit for name, limit in limits.items() if limit is not None}},
        "severity": override.severity or expectation["severity"],
        "meta": {**expectation.get("meta", {}), **note},
    }


def _problems(entry: Mapping[str, Any]) -> list[str]:
    found = [f'"{key}" is missing' for key in ("suite", "expectation", "reason", "date") if key not in entry]
    found += [f'"{key}" is not known; {nearest(key, KEYS)}' for key in entry if key not in KEYS]
    found += [
        f'"{key}" must be text' for key in ("suite", "expectation", "reason") if key in entry and not isinstance(entry[key], str)
    ]
    date = entry.get("date")
    if date is not None and (not isinstance(date, dt.date) or isinstance(date, dt.datetime)):
        found.append('"date" must be a date, written 2026-09-01 without quotes')
    return found
