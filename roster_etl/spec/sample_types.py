"""Types for a vendor's sample data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Row: TypeAlias = dict[str, str]  # header -> cell; an omitted column is filled according to its cell format
Rows: TypeAlias = dict[str, list[Row]]  # file of the format -> its rows
Kind: TypeAlias = Literal["created", "updated", "removed", "refused", "doubted"]


@dataclass(frozen=True, kw_only=True)
class SampleChange:
    """A change that the next day's upload makes to `count` records of `file`. ``refused``: rows that an import will reject."""

    kind: Kind
    file: str
    count: int
    what: str
