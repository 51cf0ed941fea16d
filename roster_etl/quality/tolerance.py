"""Is a share of failing rows still allowed, and what does that read like?

Belongs here: the arithmetic and the words that the expectation, the gate and the verdict share. No Great Expectations, no pandas.
"""

from __future__ import annotations

from fractions import Fraction


def holds(judged: int, failing: int, mostly: float | None) -> bool:
    """Return whether at most ``1 - mostly`` of `judged` rows fail (None: no row may). Exact: 10 of 100 is 10 %, not a bit more."""
    if mostly is None:
        return failing == 0
    return failing <= judged * (1 - _exact(mostly))


def allowed_text(mostly: float | None) -> str:
    """Return "none may", or "at most 5 % allowed"."""
    return "none may" if mostly is None else f"at most {_percent(1 - _exact(mostly))} % allowed"


def promise_text(mostly: float | None) -> str:
    """Return "every row", or "at least 95 % of rows"."""
    return "every row" if mostly is None else f"at least {_percent(_exact(mostly))} % of rows"


def share_text(judged: int, failing: int) -> str:
    """Return the failing share in percent, with one decimal; a share above none is never written as 0."""
    percent = 100 * failing / judged if judged else 0.0
    return "less than 0.1 %" if 0 < percent < 0.05 else f"{percent:.1f} %"


def _exact(mostly: float) -> Fraction:
    return Fraction(str(mostly))


def _percent(share: Fraction) -> str:
    return f"{float(100 * share):g}"
