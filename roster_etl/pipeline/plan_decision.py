"""The decision of an import and the numbers that it rests on, without a cell value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from roster_etl.engine.planning.plan import Plan
from roster_etl.spec.errors import PermanentError

Decision = Literal["publish", "unchanged", "held", "rejected"]


PLACE = "_place"
"""The column of row positions in the mapped table, which staging stores instead of the rows that open."""


class PlanChanged(PermanentError):
    """An approved plan is no longer what publishing would do."""

    code = "roster_moved"
    template = (
        "import {import_id} of {district_id}: the roster has changed since its plan was shown; review it again, or import again"
    )


@dataclass(frozen=True, kw_only=True)
class PlanDecision:
    """What becomes of a plan, and the numbers behind it. Holds no cell value.

    Attributes:
        base: the import that the plan was computed against.
        tables: by table, the numbers of its ``TablePlan``.
        hold: reason, tables over a threshold, plan hash.
        renames: the numbers of proposed and approved ID changes, and some of the IDs, masked.
    """

    decision: Decision
    sha256: str
    base: int | None
    tables: Mapping[str, Mapping[str, Any]]
    hold: Mapping[str, Any] | None = None
    renames: Mapping[str, Any] = field(default_factory=dict)

    @property
    def changes(self) -> dict[str, dict[str, int]]:
        """Created, updated and deleted records by table."""
        return {name: {what: table[what] for what in ("created", "updated", "deleted")} for name, table in self.tables.items()}

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> PlanDecision:
        """Return what ``asdict`` wrote."""
        return cls(**document)


def decision_of_plan(plan: Plan, decision: Decision, hold: Mapping[str, Any] | None = None) -> PlanDecision:
    """Return the decision on a plan, with the plan's numbers and no cell."""
    tables = {
        name: {
            "created": t.created,
            "updated": t.updated,
            "deleted": t.deleted,
            "absent": t.absent,
            "current": t.current,
            "counted_updates": t.counted_updates,
            "columns": dict(t.columns),
            "reasons": dict(t.reasons),
            "schools": {school: asdict(part) for school, part in t.schools.items()},
        }
        for name, t in plan.tables.items()
    }
    return PlanDecision(decision=decision, sha256=plan.sha256, base=plan.base, tables=tables, hold=hold)
