"""What a vendor's sample facts are made of.

Belongs here: the shape of sample rows and of a change between two days. The facts live in a vendor's ``sample`` module,
the writing in ``projections.samples``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Row: TypeAlias = dict[str, str]  # header -> cell; a column that is left out is filled by the form that its spec promises
Rows: TypeAlias = dict[str, list[Row]]  # file of the format -> its rows


@dataclass(frozen=True, kw_only=True)
class SampleChange:
    """Something that the next day's upload does to `count` records of `file`. ``refused``: rows that an import will refuse."""

    kind: Literal["created", "updated", "removed", "refused", "doubted"]
    file: str
    count: int
    what: str
