"""The result of a gate: one verdict per suite, one result per expectation. Numbers and rule names only, never a cell.

Belongs here: the data classes, their JSON form, their texts. Does not belong here: evaluating suites (``gate``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from fractions import Fraction
from typing import Any

from roster_etl.projections.suite_format import Severity
from roster_etl.spec.rule_catalog import ANY_ROW


@dataclass(frozen=True, kw_only=True)
class CheckResult:
    """The result of one expectation.

    ``severity``: the effective one: a critical percentage that fails on fewer rows than ``at_least`` is a warning.
    ``judged``, ``failing``: numbers of rows; None: not evaluated, because the upload does not have the column, or rows are not
    counted.
    ``mostly``: the required share; None: every row.
    """

    rule: str
    check: str
    severity: Severity
    passed: bool
    judged: int | None
    failing: int | None
    mostly: float | None

    @property
    def share(self) -> float | None:
        """The failing share, 0 … 1; None if nothing was evaluated."""
        if self.judged is None or self.failing is None:
            return None
        return self.failing / self.judged if self.judged else 0.0

    @property
    def text(self) -> str:
        """One line for people: "Grade: present — 12.0 % of 1,000 rows fail, at most 5 % allowed (critical)"."""
        return f"{self.rule} — {self._outcome()} ({self.severity})"

    def _outcome(self) -> str:
        if self.judged is None or self.failing is None:
            return "holds, or was not evaluated" if self.passed else "does not hold"
        if self.check == "header":
            return "fits the format" if self.passed else "does not fit the format"
        if self.check == "rows":
            return self._rows_outcome(self.judged, self.failing)
        what = "are refused" if self.check == "refused" else "fail"
        return f"{share_text(self.judged, self.failing)} of {self.judged:,} rows {what}, {allowed_text(self.mostly)}"

    def _rows_outcome(self, judged: int, failing: int) -> str:
        if self.rule == ANY_ROW:
            return f"none of {judged:,} rows is accepted" if failing else "holds"
        share = share_text(judged, failing)
        return f"{failing:,} of {judged:,} current records ({share}) would be missing, {allowed_text(self.mostly)}"


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The result of a suite. ``name``: the suite's, such as ``clever/students``; ``results`` in the suite's order."""

    name: str
    results: tuple[CheckResult, ...]

    @property
    def passed_critical(self) -> bool:
        """Whether no failure blocks publishing."""
        return not self.failures("critical")

    @property
    def passed_warning(self) -> bool:
        """Whether there are no warnings."""
        return not self.failures("warning")

    def failures(self, *severities: Severity) -> tuple[CheckResult, ...]:
        """Return the failed results of `severities`, or all of them."""
        return tuple(r for r in self.results if not r.passed and (not severities or r.severity in severities))

    def failure_lines(self, *severities: Severity) -> tuple[str, ...]:
        """Return one line for each failed result of `severities`, or of all: the suite's name and the result's text."""
        return tuple(f"{self.name}: {result.text}" for result in self.failures(*severities))

    def to_dict(self) -> dict[str, Any]:
        """Return the verdict as JSON types; ``share`` and ``text`` are included for readers."""
        return {
            "name": self.name,
            "passed_critical": self.passed_critical,
            "passed_warning": self.passed_warning,
            "results": [{**vars(result), "share": result.share, "text": result.text} for result in self.results],
        }

    @classmethod
    def from_dict(cls, verdict: Mapping[str, Any]) -> Verdict:
        """Return the verdict from the output of :meth:`to_dict`."""
        names = [field.name for field in fields(CheckResult)]
        return cls(name=verdict["name"], results=tuple(CheckResult(**{n: r[n] for n in names}) for r in verdict["results"]))


def is_within_tolerance(judged: int, failing: int, mostly: float | None) -> bool:
    """Return whether at most ``1 - mostly`` of `judged` rows fail (None: no row may), exactly: 10 of 100 is 10 %."""
    if mostly is None or not failing:
        return failing == 0
    return failing <= judged * (1 - _exact(mostly))


def allowed_text(mostly: float | None) -> str:
    """Return "none may", or "at most 5 % allowed"."""
    return "none may" if mostly is None else f"at most {_percent(1 - _exact(mostly))} % allowed"


def requirement_text(mostly: float | None) -> str:
    """Return "every row", or "at least 95 % of rows"."""
    return "every row" if mostly is None else f"at least {_percent(_exact(mostly))} % of rows"


def share_text(judged: int, failing: int) -> str:
    """Return the failing share in percent, with one decimal; a share above zero is never shown as 0."""
    percent = 100 * failing / judged if judged else 0.0
    return "less than 0.1 %" if 0 < percent < 0.05 else f"{percent:.1f} %"


def _exact(mostly: float) -> Fraction:
    return Fraction(str(mostly))


def _percent(share: Fraction) -> str:
    return f"{float(100 * share):g}"
