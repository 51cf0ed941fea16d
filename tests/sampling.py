"""How many cases of an exhaustive or random test run: a part of them by default, all with ``FAULTS=1``, as ``make faults`` sets it.

A test that uses this module has the marker ``sampled``, by which ``make faults`` finds it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from itertools import islice
from typing import TypeVar

ALL = bool(os.environ.get("FAULTS"))
KINDS = ("canvas", "clever", "oneroster")
"""A format of changes, one of whole files, and one whose manifest says which of the two each file is."""
T = TypeVar("T")


def kinds(formats: Iterable[str]) -> list[str]:
    """Return a format of each kind among `formats`; all of them with ``FAULTS=1``. For what shared code does with any format."""
    return [name for name in formats if ALL or name in KINDS]


def every(step: int, cases: Iterable[T]) -> list[T]:
    """Return every `step`-th of `cases`, the first one included; all of them with ``FAULTS=1``.

    Cases that repeat a pattern need a step that has no common factor with the length of the pattern, so that each part of it is taken.
    """
    return list(islice(cases, None, None, 1 if ALL else step))
