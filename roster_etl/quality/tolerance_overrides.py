"""A district's own tolerances: which expectation of a suite is overridden, the values, the reason, and since when."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from roster_etl.projections.suite_format import RULE_TYPE, Severity, Suite, SuiteError, check_suite, label, nearest_name_hint
from roster_etl.spec.rule_catalog import REFUSED_ROWS

if TYPE_CHECKING:
    from roster_etl.store.registry.district import Gate

SEVERITIES: Mapping[str | None, Severity | None] = {None: None, "error": "critical", "warning": "warning"}


@dataclass(frozen=True, kw_only=True)
class ToleranceOverride:
    """One expectation of one suite with other values for one district.

    ``expectation`` is the rule's name, such as ``Grade: present`` (for any other expectation its type and column, as verdicts
    show it). Values that are None stay as in the suite.
    """

    suite: str
    expectation: str
    reason: str
    date: dt.date
    mostly: float | None = None
    severity: Severity | None = None

    def __post_init__(self) -> None:
        if not self.reason.strip():
            raise SuiteError(self.display_name, ("a reason is needed; say why this district differs",))
        if self.mostly is None and self.severity is None:
            raise SuiteError(self.display_name, ("nothing is overridden; give mostly or severity",))

    @property
    def display_name(self) -> str:
        """The override's name in messages."""
        return f'tolerance of "{self.suite}: {self.expectation}"'


def registry_overrides(gates: Iterable[Gate]) -> tuple[ToleranceOverride, ...]:
    """Return the tolerances of a district's registry file.

    There, the name of an expectation is that of reports: suite and rule, such as ``clever/students: Grade: present``.

    Raises: SuiteError: a name lacks its suite, a reason is empty, or nothing is overridden.
    """
    return tuple(_registry_override(gate) for gate in gates)


def check_overrides(overrides: Sequence[ToleranceOverride], suites: Mapping[str, Suite]) -> None:
    """Check that every override matches an expectation in `suites` (by name).

    Raises: SuiteError: a suite or an expectation does not exist (with the nearest that does), or a value is out of range.
    """
    for override in overrides:
        if override.suite not in suites:
            raise SuiteError(override.display_name, (f"no such suite; {nearest_name_hint(override.suite, tuple(suites))}",))
        apply_overrides(suites[override.suite], [override])


def apply_overrides(suite: Suite, overrides: Sequence[ToleranceOverride]) -> Suite:
    """Return `suite` with its overrides from `overrides` applied; reason and date go into the expectation's meta.

    Raises: SuiteError: an override matches no expectation of the suite (with the nearest that does), or a value is out of range.
    """
    expectations = list(suite["expectations"])
    labels = tuple(label(expectation) for expectation in expectations)
    for override in overrides:
        if override.suite != suite["name"]:
            continue
        if override.expectation not in labels:
            raise SuiteError(override.display_name, (f"no such expectation; {nearest_name_hint(override.expectation, labels)}",))
        position = labels.index(override.expectation)
        expectations[position] = _override_expectation(expectations[position], override)
        check_suite({**suite, "expectations": [expectations[position]]}, override.display_name)
    return {**suite, "expectations": expectations}


def apply_refused_rows_limits(suite: Suite, *, percent: float, min_rows: int) -> Suite:
    """Return `suite` with a district's options ``refused_rows_pct`` (0 … 100) and ``refused_rows_min`` (rows) applied."""
    limits = {"mostly": round(1 - percent / 100, 6), "at_least": min_rows}
    return {
        **suite,
        "expectations": [
            {**expectation, "kwargs": {**expectation["kwargs"], **limits}}
            if expectation["type"] == RULE_TYPE and expectation["kwargs"]["rule"] == REFUSED_ROWS
            else expectation
            for expectation in suite["expectations"]
        ],
    }


def _registry_override(gate: Gate) -> ToleranceOverride:
    suite, found, expectation = gate.expectation.partition(": ")
    if not found:
        place = f'tolerance of "{gate.expectation}"'
        raise SuiteError(place, ("name suite and rule as reports do, such as clever/students: Grade: present",))
    return ToleranceOverride(
        suite=suite,
        expectation=expectation,
        reason=gate.reason,
        date=gate.date,
        mostly=gate.mostly,
        severity=SEVERITIES[gate.severity],
    )


def _override_expectation(expectation: Mapping[str, Any], override: ToleranceOverride) -> dict[str, Any]:
    kwargs = expectation["kwargs"] if override.mostly is None else {**expectation["kwargs"], "mostly": override.mostly}
    note = {"override": {"reason": override.reason, "date": override.date.isoformat()}}
    return {
        **expectation,
        "kwargs": kwargs,
        "severity": override.severity or expectation["severity"],
        "meta": {**expectation.get("meta", {}), **note},
    }
