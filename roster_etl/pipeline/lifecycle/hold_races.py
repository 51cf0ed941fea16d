"""What became of a hold while somebody else was deciding about it.

Belongs here: who was faster, and how that is said, the same at the prompt, in the UI and in the audit. Deciding is ``pipeline.review.approve``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from roster_etl.pipeline.workspace import Workspace
from roster_etl.spec.errors import RosterError
from roster_etl.store.warehouse import no_hold_error

# How another's decision shows, at one step or another.
_LOST_RACE_CODES = frozenset({"roster_moved", "import_not_running", "no_open_hold"})


def as_lost_race(workspace: Workspace, import_id: int, error: Exception) -> Exception:
    """Return why a decision about a held import failed: `error`, or that somebody else has decided meanwhile (``NoHold``)."""
    if getattr(error, "code", None) in _LOST_RACE_CODES:
        with suppress(RosterError):
            hold = workspace.warehouse.hold(import_id)
            if hold is None or hold["decision"] is not None:
                return no_hold_error(import_id, hold)
    return error


@contextmanager
def lost_race_as_no_hold(workspace: Workspace, import_id: int) -> Iterator[None]:
    """Have the block, which decides about a held import, say so where somebody else was faster. Raises NoHold."""
    try:
        yield
    except RosterError as error:
        found = as_lost_race(workspace, import_id, error)
        if found is error:
            raise
        raise found from None


def open_holds(workspace: Workspace, district_id: str | None = None) -> frozenset[int]:
    """Return the imports about which somebody is to decide: all that belongs to them stays."""
    return frozenset(row["import_id"] for row in workspace.warehouse.holds(district_id))
