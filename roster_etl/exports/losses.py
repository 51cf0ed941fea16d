"""Losses: what an export does not say as the roster has it, counted by kind, table, column, file and reason.

Belongs here: the words of kinds and reasons, the counter, and the document. An entry is a count: never an id, never a value.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, Final, Literal, NamedTuple, get_args

LossKind = Literal[
    "table_left_out", "column_left_out", "row_left_out", "value_changed", "value_made_up", "rows_joined", "rows_split"
]
Reason = Literal[
    "no_home", "left_out", "missing_required", "coarser_code", "not_in_code_list", "too_long", "line_break", "comma_in_list",
    "formula", "id_not_allowed", "time_of_day", "several_values", "parent_left_out", "synthetic", "name_split",
]  # fmt: skip
KINDS: Final[tuple[str, ...]] = get_args(LossKind)
STRICT_KINDS: Final = frozenset({"row_left_out", "value_changed", "value_made_up"})
"""The kinds that refuse a strict export."""


class LossPlace(NamedTuple):
    """What a count is of."""

    kind: str
    table: str | None
    column: str | None
    file: str | None
    reason: str


class Losses:
    """Counts of losses."""

    def __init__(self) -> None:
        self._counts: Counter[LossPlace] = Counter()

    def add(
        self, kind: LossKind, reason: Reason, count: int, *, table: str | None, column: str | None = None, file: str | None = None
    ) -> None:
        """Count `count` more; nothing happens for 0."""
        if count:
            self._counts[LossPlace(kind, table, column, file, reason)] += int(count)

    def count(self, *, table: str | None = None, column: str | None = None, kinds: frozenset[str] | None = None) -> int:
        """Return the sum of what is counted for a table and column, of these kinds."""
        return sum(
            n
            for place, n in self._counts.items()
            if (table is None or place.table == table)
            and (column is None or place.column == column)
            and (kinds is None or place.kind in kinds)
        )

    def strict_count(self) -> int:
        """Return how many of them refuse a strict export: what ``--leave-out`` and its like ask for does not."""
        return sum(n for place, n in self._counts.items() if place.kind in STRICT_KINDS and place.reason != "left_out")

    def document(self) -> list[dict[str, Any]]:
        """Return the entries, ordered by kind, table, column, file and reason."""
        ordered = sorted(
            self._counts.items(),
            key=lambda item: (
                KINDS.index(item[0].kind),
                *(text or "" for text in (item[0].table, item[0].column, item[0].file)),
                item[0].reason,
            ),
        )
        names = ("kind", "table", "column", "file")
        return [{**{name: getattr(place, name) for name in names}, "count": n, "reason": place.reason} for place, n in ordered]
