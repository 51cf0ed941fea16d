"""Write and read the audit: one entry per decision, in the transaction that carries it out.

Every attempt is recorded.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from roster_etl.canonical.audit import ACTIONS, AUDIT, Action, Outcome
from roster_etl.store.actor import current_channel, os_user


@dataclass
class Attempt:
    """The audited actions of the current attempt.

    ``pending_actions``: those of the open transaction; ``committed_actions``: those of committed transactions.
    """

    pending_actions: set[Action] = field(default_factory=set)
    committed_actions: set[Action] = field(default_factory=set)


_attempt: ContextVar[Attempt | None] = ContextVar("attempt", default=None)


@dataclass(frozen=True, kw_only=True)
class AuditEntry:
    """One audit entry. ``who``: the given name, if one was asked for; ``about``: details, never a cell value or a person's id."""

    action: Action
    who: str | None = None
    district_id: str | None = None
    source: str | None = None
    import_id: int | None = None
    outcome: Outcome = "done"
    about: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.action not in ACTIONS:
            raise ValueError(f"{self.action!r} is no action that the audit knows")


@contextmanager
def begin_attempt() -> Iterator[Attempt]:
    """Begin an attempt, which gets one audit entry; an attempt within another is part of it."""
    if (found := _attempt.get()) is not None:
        yield found
        return
    token = _attempt.set(Attempt())
    try:
        yield _attempt.get() or Attempt()
    finally:
        _attempt.reset(token)


def record_transaction_end(*, committed: bool) -> None:
    """Record whether the transaction with the pending entries was committed."""
    if (attempt := _attempt.get()) is not None:
        attempt.committed_actions |= attempt.pending_actions if committed else set()
        attempt.pending_actions = set()


def refusal_entry(entry: AuditEntry, error: Exception) -> AuditEntry | None:
    """Return the entry that records a refusal; None if the attempt has an entry already."""
    attempt = _attempt.get()
    if attempt is not None and entry.action in attempt.committed_actions:
        return None
    code = getattr(error, "code", None) or type(error).__name__
    return replace(entry, outcome="refused", about={**entry.about, "code": str(code)})


def write(connection: sa.Connection, entries: Iterable[AuditEntry]) -> None:
    """Insert entries."""
    common = {"at": datetime.now(UTC), "os_user": os_user(), "via": current_channel()}
    for entry in entries:
        if (attempt := _attempt.get()) is not None:
            attempt.pending_actions.add(entry.action)
        connection.execute(sa.insert(AUDIT).values(**common, **{**asdict(entry), "about": dict(entry.about)}))


def read(connection: sa.Connection, district_id: str | None = None, since: datetime | None = None) -> list[dict[str, Any]]:
    """Return the lines, oldest first; of one district, and from a moment on, where given."""
    query = sa.select(AUDIT).order_by(AUDIT.c.entry_id)
    if district_id is not None:
        query = query.where(AUDIT.c.district_id == district_id)
    if since is not None:
        query = query.where(AUDIT.c.at >= since)
    return [dict(row) for row in connection.execute(query).mappings()]
