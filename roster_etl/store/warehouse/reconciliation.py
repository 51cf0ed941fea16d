"""Queries on the differences between the feeds of a district.

Belongs here: SQL on ``canonical.reconciliation``. How differences are found is in ``engine.reconcile``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from roster_etl.canonical.ledger import IMPORTS
from roster_etl.canonical.reconciliation import (
    FEED_DECISIONS,
    RECONCILIATION,
    RECONCILIATION_STATE,
    CloseReason,
    DifferenceDecision,
)

_AT_ONCE = 500
Pair = tuple[str, str, str]
"""District, feed A, feed B."""


def open_differences(connection: sa.Connection, pair: Pair, table: str | None = None) -> list[dict[str, Any]]:
    """Return the open differences of two feeds, or those of one table, in the order of their numbers."""
    chosen = (*_pair(pair), RECONCILIATION.c.closed_at.is_(None))
    query = sa.select(RECONCILIATION).where(*chosen).order_by(RECONCILIATION.c.difference_id)
    return _dicts(connection, query if table is None else query.where(RECONCILIATION.c.table_name == table))


def open_identities(connection: sa.Connection, pair: Pair) -> list[tuple[Any, ...]]:
    """Return what identifies each open difference of two feeds: number, table, key_a and key_b (compact JSON), kind, field, both values."""
    of = RECONCILIATION.c
    keys = (_as_text(of.key_a), _as_text(of.key_b))
    query = sa.select(of.difference_id, of.table_name, *keys, of.kind, of.field, of.value_a, of.value_b)
    return [tuple(row) for row in connection.execute(query.where(*_pair(pair), of.closed_at.is_(None)))]


def open_identities_of(
    connection: sa.Connection, pair: Pair, table: str, keys_a: Sequence[str], keys_b: Sequence[str]
) -> list[tuple[Any, ...]]:
    """Return what identifies each open difference of records of a table (compact JSON keys), as `open_identities` has it."""
    of, found = RECONCILIATION.c, dict[int, tuple[Any, ...]]()
    query = sa.select(
        of.difference_id, of.table_name, _as_text(of.key_a), _as_text(of.key_b), of.kind, of.field, of.value_a, of.value_b
    )
    query = query.where(*_pair(pair), of.closed_at.is_(None), of.table_name == table)
    for column, keys in ((of.key_a, keys_a), (of.key_b, keys_b)):
        for start in range(0, len(keys), _AT_ONCE):
            some = _as_text(column).in_(keys[start : start + _AT_ONCE])
            found |= {row[0]: tuple(row) for row in connection.execute(query.where(some))}
    return [found[number] for number in sorted(found)]


def open_counts(connection: sa.Connection, district_id: str) -> list[dict[str, Any]]:
    """Return the number of open differences of a district by feeds, table, kind, field, school and decision (``differences``)."""
    of = RECONCILIATION.c
    by = (of.source_a, of.source_b, of.table_name, of.kind, of.field, of.organization_id, of.decision)
    query = sa.select(*by, sa.func.count().label("differences"), sa.func.min(of.first_seen).label("oldest"))
    return _dicts(connection, query.where(of.district_id == district_id, of.closed_at.is_(None)).group_by(*by).order_by(*by))


def counts_at(connection: sa.Connection, district_id: str, moment: datetime) -> list[dict[str, Any]]:
    """Return the number of a district's differences that were open at a moment, as `open_counts` has them.

    ``differences``, ``new`` (found at that moment), ``decided`` (by then), ``oldest``.
    """
    of = RECONCILIATION.c
    by = (of.source_a, of.source_b, of.table_name, of.kind, of.field, of.organization_id)
    decided = sa.and_(of.decision.is_not(None), of.decided_at <= moment)
    counts = (
        sa.func.count().label("differences"),
        sa.func.sum(sa.case((of.first_seen >= moment, 1), else_=0)).label("new"),
        sa.func.sum(sa.case((decided, 1), else_=0)).label("decided"),
        sa.func.min(of.first_seen).label("oldest"),
    )
    known = (of.district_id == district_id, of.first_seen <= moment)
    rows: list[dict[str, Any]] = []
    for when in (of.closed_at.is_(None), sa.and_(of.closed_at.is_not(None), of.closed_at > moment)):
        rows += _dicts(connection, sa.select(*by, *counts).where(*known, when).group_by(*by))
    return rows


def undecided_counts(connection: sa.Connection) -> list[dict[str, Any]]:
    """Return, for each district and two feeds, the number of open differences that nobody has decided about (``differences``)."""
    by = (RECONCILIATION.c.district_id, RECONCILIATION.c.source_a, RECONCILIATION.c.source_b)
    waiting = (RECONCILIATION.c.closed_at.is_(None), RECONCILIATION.c.decision.is_(None))
    return _dicts(connection, sa.select(*by, sa.func.count().label("differences")).where(*waiting).group_by(*by))


def all_differences(connection: sa.Connection, district_id: str) -> list[dict[str, Any]]:
    """Return all differences of a district, open and closed, in the order of their numbers."""
    query = sa.select(RECONCILIATION).where(RECONCILIATION.c.district_id == district_id)
    return _dicts(connection, query.order_by(RECONCILIATION.c.difference_id))


def restore_differences(connection: sa.Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert differences as they were elsewhere, with all columns but the number."""
    for start in range(0, len(rows), _AT_ONCE):
        connection.execute(sa.insert(RECONCILIATION), list(rows[start : start + _AT_ONCE]))


def open_differences_of(connection: sa.Connection, pair: Pair, identity: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the open differences of two feeds with this ``table_name``, ``kind``, ``field``, ``key_a`` and ``key_b``."""
    of = RECONCILIATION.c
    same = [of[name].is_(None) if value is None else of[name] == value for name, value in identity.items()]
    return _dicts(connection, sa.select(RECONCILIATION).where(*_pair(pair), of.closed_at.is_(None), *same))


def differences(connection: sa.Connection, numbers: Sequence[int]) -> list[dict[str, Any]]:
    """Return differences by number."""
    found: list[dict[str, Any]] = []
    for start in range(0, len(numbers), _AT_ONCE):
        found += _dicts(
            connection, sa.select(RECONCILIATION).where(RECONCILIATION.c.difference_id.in_(numbers[start : start + _AT_ONCE]))
        )
    return found


def add_differences(connection: sa.Connection, pair: Pair, rows: Iterable[Mapping[str, Any]], at: datetime) -> None:
    """Insert new differences, found at a moment. Grain: one row per difference, with the columns of the table from ``table_name`` on."""
    feeds = dict(zip(("district_id", "source_a", "source_b"), pair, strict=True))
    values = [{**feeds, **row, "first_seen": at} for row in rows]
    for start in range(0, len(values), _AT_ONCE):
        connection.execute(sa.insert(RECONCILIATION), values[start : start + _AT_ONCE])


def close_differences(connection: sa.Connection, numbers: Sequence[int], reason: CloseReason, at: datetime) -> None:
    """Close differences that are found no more."""
    for start in range(0, len(numbers), _AT_ONCE):
        these = RECONCILIATION.c.difference_id.in_(numbers[start : start + _AT_ONCE])
        connection.execute(sa.update(RECONCILIATION).where(these).values(closed_at=at, close_reason=reason))


def decide_differences(
    connection: sa.Connection,
    numbers: Sequence[int],
    decision: DifferenceDecision | None,
    by: str,
    at: datetime,
    reason: str | None,
) -> None:
    """Write what a person decided about differences; None opens them again."""
    decided = {"decision": decision, "decided_by": by, "decided_at": at, "reason": reason}
    connection.execute(sa.update(RECONCILIATION).where(RECONCILIATION.c.difference_id.in_(numbers)).values(**decided))


def remove_differences(connection: sa.Connection, district_id: str, *, before: datetime | None = None) -> None:
    """Delete a district's differences: those that were closed before a moment, or all."""
    of = RECONCILIATION.c
    chosen: sa.ColumnElement[bool] = of.district_id == district_id
    if before is not None:
        chosen = sa.and_(chosen, of.closed_at < before)
    connection.execute(sa.delete(RECONCILIATION).where(chosen))


def comparison_state(connection: sa.Connection, pair: Pair) -> dict[str, Any] | None:
    """Return up to which imports two feeds were compared; None: they were not, or must be compared again as a whole."""
    found = _dicts(connection, sa.select(RECONCILIATION_STATE).where(*_state_of(pair)))
    return found[0] if found else None


def compared_feeds(connection: sa.Connection, district_id: str) -> list[dict[str, Any]]:
    """Return up to which imports each two feeds of a district were compared."""
    query = sa.select(RECONCILIATION_STATE).where(RECONCILIATION_STATE.c.district_id == district_id)
    return _dicts(connection, query.order_by(RECONCILIATION_STATE.c.source_a, RECONCILIATION_STATE.c.source_b))


def set_compared(connection: sa.Connection, pair: Pair, state: Mapping[str, Any]) -> None:
    """Write up to which imports two feeds were compared: ``import_a``, ``import_b``, ``settings``, ``counts``."""
    forget_compared(connection, pair[0], *pair[1:])
    feeds = dict(zip(("district_id", "source_a", "source_b"), pair, strict=True))
    connection.execute(sa.insert(RECONCILIATION_STATE).values(**feeds, **state))


def forget_compared(connection: sa.Connection, district_id: str, *sources: str) -> None:
    """Have the feeds of a district compared as a whole the next time; all, or two of them."""
    of = RECONCILIATION_STATE.c
    where = [of.district_id == district_id]
    if sources:
        where += [of.source_a == sources[0], of.source_b == sources[1]]
    connection.execute(sa.delete(RECONCILIATION_STATE).where(*where))


def published_at(connection: sa.Connection, numbers: Sequence[int]) -> datetime | None:
    """Return when the last of some imports was published."""
    found: datetime | None = connection.execute(
        sa.select(sa.func.max(IMPORTS.c.finished_at)).where(IMPORTS.c.import_id.in_(numbers))
    ).scalar()
    return found


def add_decision(connection: sa.Connection, row: Mapping[str, Any]) -> int:
    """Insert a decision, under the number that it had elsewhere if it has one, and return its number."""
    inserted = connection.execute(sa.insert(FEED_DECISIONS).values(**row))
    assert inserted.inserted_primary_key is not None
    if "decision_id" in row and connection.dialect.name == "postgresql":  # an explicit number does not advance the sequence
        newest = sa.select(sa.func.max(FEED_DECISIONS.c.decision_id)).scalar_subquery()
        sequence = sa.func.pg_get_serial_sequence("feed_decisions", "decision_id")
        connection.execute(sa.select(sa.func.setval(sequence, newest)))
    return int(inserted.inserted_primary_key[0])


def decisions(connection: sa.Connection, district_id: str, newest: int | None = None) -> list[dict[str, Any]]:
    """Return the decisions about a district's feeds, or the newest ones, in the order of their numbers."""
    of = FEED_DECISIONS.c
    query = sa.select(FEED_DECISIONS).where(of.district_id == district_id).order_by(of.decision_id.desc()).limit(newest)
    return _dicts(connection, query)[::-1]


def remove_decisions(connection: sa.Connection, district_id: str) -> None:
    """Remove all decisions of a district."""
    connection.execute(sa.delete(FEED_DECISIONS).where(FEED_DECISIONS.c.district_id == district_id))


def _state_of(pair: Pair) -> tuple[sa.ColumnElement[bool], ...]:
    columns = (RECONCILIATION_STATE.c.district_id, RECONCILIATION_STATE.c.source_a, RECONCILIATION_STATE.c.source_b)
    return tuple(column == value for column, value in zip(columns, pair, strict=True))


def _as_text(column: sa.Column[Any]) -> sa.ColumnElement[str]:
    return sa.type_coerce(column, sa.Text())


def _pair(pair: Pair) -> tuple[sa.ColumnElement[bool], ...]:
    columns = (RECONCILIATION.c.district_id, RECONCILIATION.c.source_a, RECONCILIATION.c.source_b)
    return tuple(column == value for column, value in zip(columns, pair, strict=True))


def _dicts(connection: sa.Connection, query: sa.Select[Any]) -> list[dict[str, Any]]:
    return [dict(row) for row in connection.execute(query).mappings()]
