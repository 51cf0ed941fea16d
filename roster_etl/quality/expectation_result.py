"""The result of one expectation, and the error of a suite that could not be evaluated: all that the child process may return.

Belongs here: what is sent through the pipe. No Great Expectations, no pandas.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from roster_etl.spec.errors import PermanentError


class SuiteBroken(PermanentError):
    """An expectation could not be evaluated: the error is in the suite or in this program, not in the data."""

    code = "suite_broken"

    def __init__(self, suite: str, problems: tuple[str, ...]) -> None:
        super().__init__(f"suite {suite} is broken: {'; '.join(problems)}", suite=suite, problems=problems)
        self.suite = suite
        self.problems = problems

    def __reduce__(self) -> tuple[Any, ...]:
        """Support pickling, so that the error can be passed between processes."""
        return (type(self), (self.suite, self.problems))


@dataclass(frozen=True, kw_only=True)
class ExpectationResult:
    """The result of one expectation. ``judged`` and ``failing`` are None if it does not count rows, or was not evaluated."""

    passed: bool
    judged: int | None
    failing: int | None
