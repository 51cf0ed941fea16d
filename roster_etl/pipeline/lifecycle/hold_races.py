"""Turn a lost race between two deciders of one hold into ``NoHold``, which names who decided.

Belongs here: which errors mean a lost race; the command line, the UI and the audit log report it alike. Also which imports have an open
hold. Does not belong here: decisions (``pipeline.review.approve``).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from roster_etl.pipeline.workspace import Workspace
from roster_etl.spec.errors import RosterError
from roster_etl.store.warehouse import no_hold_error

# Errors of the steps after another decision.
_LOST_RACE_CODES = frozenset({"roster_moved", "import_not_running", "no_open_hold"})


def as_lost_race(workspace: Workspace, import_id: int, error: Exception) -> Exception:
    """Return why a decision about a held import failed: ``NoHold`` if another decision came first, otherwise `error`."""
    if getattr(error, "code", None) in _LOST_RACE_CODES:
        with suppress(RosterError):
            hold = workspace.warehouse.ledger.hold(import_id)
            if hold is None or hold["decision"] is not None:
                return no_hold_error(import_id, hold)
    return error


@contextmanager
def lost_race_as_no_hold(workspace: Workspace, import_id: int) -> Iterator[None]:
    """Run a block that decides about a held import. Raises NoHold if another decision came first."""
    try:
        yield
    except RosterError as error:
        found = as_lost_race(workspace, import_id, error)
        if found is error:
            raise
        raise found from None


def open_holds(workspace: Workspace, district_id: str | None = None) -> frozenset[int]:
    """Return the held imports: their data is not deleted by any cleanup."""
    return frozenset(row["import_id"] for row in workspace.warehouse.ledger.holds(district_id))
