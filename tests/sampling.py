"""How many cases of an exhaustive or random test run: a part of them by default, all with ``FAULTS=1``, as ``make faults`` sets it.

A test that uses this module has the marker ``sampled``, by which ``make faults`` finds it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from itertools import islice
from typing import TypeVar

ALL = bool(os.environ.get("FAULTS"))
T = TypeVar("T")


def every(step: int, cases: Iterable[T]) -> list[T]:
    """Return every `step`-th of `cases`, the first one included; all of them with ``FAULTS=1``.

    Cases that repeat a pattern need a step that has no common factor with the length of the pattern, so that each part of it is taken.
    """
    return list(islice(cases, None, None, 1 if ALL else step))
