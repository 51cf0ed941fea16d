"""Thresholds: which plans are held for approval, and which growth is reported.

Belongs here: applying limits, by table and by school. Their defaults are in ``spec/options.py``. Updates of people, profiles and
contacts count for each school of the person, by role. Derived columns never count. A first load has nothing to compare with.
Source: docs/operations/holds.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from roster_etl.canonical.roster import TABLES
from roster_etl.engine.planning.plan import Plan, TablePlan

ChangeType = Literal["deleted", "updated", "created"]


@dataclass(frozen=True, kw_only=True)
class Thresholds:
    """The limits above which a plan is held: ``…_pct`` in percent, ``…_min`` in records. ``add_pct`` only reports growth."""

    delete_pct: float
    delete_min: int
    update_pct: float
    add_pct: float


@dataclass(frozen=True, kw_only=True)
class ExceededThreshold:
    """A threshold that a plan exceeds; ``school`` None: the whole table; ``role``: only people with this role in the school."""

    table: str
    what: ChangeType
    school: str | None
    records: int
    current: int
    role: str | None = None

    @property
    def pct(self) -> float:
        """The percentage, with one decimal."""
        return round(100 * self.records / self.current, 1) if self.current else 100.0


def exceeded_thresholds(plan: Plan, thresholds: Thresholds) -> tuple[ExceededThreshold, ...]:
    """Return the thresholds for removals and updates that `plan` exceeds, by table and by school.

    A first load and tables of events exceed none.
    """
    return tuple(item for name, table in _comparable_tables(plan) for item in _table_excess(name, table, thresholds))


def exceeded_additions(plan: Plan, thresholds: Thresholds) -> tuple[ExceededThreshold, ...]:
    """Return the tables, or otherwise their schools, that grow by more than ``add_pct``. A first load does not count."""
    found: list[ExceededThreshold] = []
    for name, table in _comparable_tables(plan):
        if _too_many(table.created, table.current, thresholds.add_pct, thresholds.delete_min):
            found.append(ExceededThreshold(table=name, what="created", school=None, records=table.created, current=table.current))
            continue
        for school, part in table.schools.items():
            if part.current and _too_many(part.created, part.current, thresholds.add_pct, thresholds.delete_min):
                found.append(
                    ExceededThreshold(table=name, what="created", school=school, records=part.created, current=part.current)
                )
    return tuple(found)


def exceeds_removal_limit(records: int, current: int, limits: Thresholds) -> bool:
    """Return whether losing `records` of `current` records of a table exceeds the limit for removals."""
    return _too_many(records, current, limits.delete_pct, limits.delete_min)


def _comparable_tables(plan: Plan) -> Iterator[tuple[str, TablePlan]]:
    """Yield the tables with current records, without tables of events, to which any number of records may be added."""
    yield from ((name, table) for name, table in plan.tables.items() if table.current and not TABLES[name].holds_events)


def _table_excess(name: str, table: TablePlan, limits: Thresholds) -> Iterator[ExceededThreshold]:
    """Yield the exceeded thresholds of one table. Any absent organization exceeds, unless the removal limit is 100 %."""
    no_organization_goes = name == "organizations" and limits.delete_pct < 100
    if _too_many(table.absent, table.current, limits.delete_pct, limits.delete_min) or (no_organization_goes and table.absent):
        yield ExceededThreshold(table=name, what="deleted", school=None, records=table.absent, current=table.current)
    if _too_many(table.counted_updates, table.current, limits.update_pct, limits.delete_min):
        yield ExceededThreshold(table=name, what="updated", school=None, records=table.counted_updates, current=table.current)
    for school, part in table.schools.items():
        if _too_many(part.absent, part.current, limits.delete_pct, limits.delete_min):
            yield ExceededThreshold(table=name, what="deleted", school=school, records=part.absent, current=part.current)
        if part.current and _too_many(part.counted, part.current, limits.update_pct, limits.delete_min):
            yield ExceededThreshold(table=name, what="updated", school=school, records=part.counted, current=part.current)
    yield from _person_excess(name, table, limits)


def _person_excess(name: str, table: TablePlan, limits: Thresholds) -> Iterator[ExceededThreshold]:
    """Yield the exceeded thresholds for updates of people by school and role; of a school as a whole if none of its roles exceeds."""
    over = [p for p in table.person_updates if _too_many(p.counted, p.current, limits.update_pct, limits.delete_min)]
    by_role = {part.school for part in over if part.role is not None}
    for part in sorted(over, key=lambda part: (part.school, part.role or "")):
        if part.role is not None or part.school not in by_role:
            yield ExceededThreshold(
                table=name, what="updated", school=part.school, role=part.role, records=part.counted, current=part.current
            )


def _too_many(records: int, current: int, pct: float, minimum: int) -> bool:
    return pct < 100 and records >= minimum and records * 100 > pct * current
