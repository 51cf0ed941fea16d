"""What one expectation found, and a suite that could not be evaluated: all that the gates' process may tell.

Belongs here: what crosses the pipe. No Great Expectations, no pandas.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from roster_etl.spec.errors import PermanentError


class SuiteBroken(PermanentError):
    """An expectation could not be evaluated: the suite is at fault, or this program, but not the data."""

    code = "suite_broken"

    def __init__(self, suite: str, problems: tuple[str, ...]) -> None:
        super().__init__(f"suite {suite} is broken: {'; '.join(problems)}", suite=suite, problems=problems)
        self.suite = suite
        self.problems = problems

    def __reduce__(self) -> tuple[Any, ...]:
        """Survive a trip between processes."""
        return (type(self), (self.suite, self.problems))


@dataclass(frozen=True, kw_only=True)
class ExpectationResult:
    """What one expectation found. ``judged`` and ``failing`` are None where it does not count rows, or was not judged."""

    passed: bool
    judged: int | None
    failing: int | None
