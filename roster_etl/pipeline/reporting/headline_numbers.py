"""The numbers of an import that a person looks at first: before and after, with shares.

Belongs here: people, enrollments, sections and schools of the plan, and refused rows. Read from the import's document and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

LABELS = {"users": "People", "enrollments": "Enrollments", "sections": "Sections", "organizations": "Schools and offices"}
"""The tables that are shown, in this order. ``organizations`` also holds offices and the district itself."""


@dataclass(frozen=True, kw_only=True)
class Tile:
    """Records of a table before and after an import, or after the plan that is held."""

    label: str
    before: int
    created: int
    updated: int
    removed: int

    @property
    def after(self) -> int:
        """The number of records after the import."""
        return self.before + self.created - self.removed

    @property
    def removed_share(self) -> float | None:
        """The share of the records before that is removed, in percent; None: there were none."""
        return 100 * self.removed / self.before if self.before else None

    @property
    def kept_share(self) -> float:
        """The records after as a share of the larger of before and after, in percent: the length of a bar."""
        most = max(self.before, self.after)
        return 100 * self.after / most if most else 0.0

    @property
    def changes(self) -> str:
        """What changes, in words: ``158 removed (48.8 %), 3 new``."""
        return changes_text(self.before, self.created, self.updated, self.removed)


def headline_tiles(document: Mapping[str, Any]) -> list[Tile]:
    """Return a tile for each table of `LABELS` in the plan; none where there is no plan.

    Args: document: of the import (``pipeline.reporting.import_summary``).
    """
    plan = document["plan"]
    tables = [(label, plan[name]) for name, label in LABELS.items() if plan.get(name, {}).get("current") is not None]
    tiles = [
        Tile(
            label=label,
            before=table["current"],
            created=table.get("created", 0),
            updated=table.get("updated", 0),
            removed=table.get("deleted", 0),
        )
        for label, table in tables
    ]
    return [tile for tile in tiles if tile.before or tile.after]


def share_text(share: float | None) -> str:
    """Return a share as people read it: ``48.8 %``; empty if there is none. What is not nothing never reads as 0, nor what is not all as 100."""
    if share is None:
        return ""
    if 0 < share < 0.1:
        return "< 0.1 %"
    if 99.9 < share < 100:
        return "> 99.9 %"
    return f"{share:.1f} %".replace(".0 %", " %")


def changes_text(before: int, created: int, updated: int, removed: int) -> str:
    """Return what changes, in words: ``158 removed (48.8 %), 3 new``. Args: before: the records that there were."""
    share = f" ({share_text(100 * removed / before)})" if before else ""
    parts = [f"{removed:,} removed{share}"] if removed else []
    parts += [f"{created:,} new"] if created else []
    parts += [f"{updated:,} updated"] if updated else []
    return ", ".join(parts) or "no change"
