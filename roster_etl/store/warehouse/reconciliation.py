"""Queries on the differences between the feeds of a district."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import pyarrow as pa
import sqlalchemy as sa

from roster_etl.canonical.ledger import IMPORTS
from roster_etl.canonical.reconciliation import (
    FEED_DECISIONS,
    RECONCILIATION,
    RECONCILIATION_STATE,
    CloseReason,
    DifferenceDecision,
)
from roster_etl.store.warehouse import bulk_load
from roster_etl.store.warehouse.database import read_rows

_AT_ONCE = 500
_IDENTITY = ("table_name", "key_a", "key_b", "kind", "field", "value_a", "value_b")
DIFFERENCE = (*_IDENTITY, "organization_id", "import_a", "import_b")
"""The columns of a new difference."""
Pair = tuple[str, str, str]
"""District, feed A, feed B."""


def open_differences(connection: sa.Connection, pair: Pair, table: str | None = None) -> list[dict[str, Any]]:
    """Return the open differences of two feeds, or those of one table, in the order of their numbers."""
    chosen = (*_pair(pair), RECONCILIATION.c.closed_at.is_(None))
    query = sa.select(RECONCILIATION).where(*chosen).order_by(RECONCILIATION.c.difference_id)
    return read_rows(connection, query if table is None else query.where(RECONCILIATION.c.table_name == table))


def open_identities(connection: sa.Connection, pair: Pair) -> list[tuple[Any, ...]]:
    """Return what identifies each open difference of two feeds: number, table, key_a and key_b (compact JSON), kind, field, both values."""
    of = RECONCILIATION.c
    keys = (_as_text(of.key_a), _as_text(of.key_b))
    query = sa.select(of.difference_id, of.table_name, *keys, of.kind, of.field, of.value_a, of.value_b)
    return [tuple(row) for row in connection.execute(query.where(*_pair(pair), of.closed_at.is_(None)))]


def open_identities_of(
    connection: sa.Connection, pair: Pair, keys: Mapping[str, tuple[Sequence[str], Sequence[str]]]
) -> list[tuple[Any, ...]]:
    """Return what identifies each open difference of some records, as `open_identities` has it.

    Args: keys: table → keys of records of A, and of B (compact JSON).
    """
    if not keys:
        return []
    of, text = RECONCILIATION.c, pa.string()
    sides = [(table, side, key) for table, both in keys.items() for side, some in zip("ab", both, strict=True) for key in some]
    columns = list(zip(*sides, strict=True)) or [(), (), ()]
    rows = pa.table({name: pa.array(values, text) for name, values in zip(("roster", "side", "wanted"), columns, strict=True)})
    staged = bulk_load.stage(connection, "wanted_differences", rows)
    identity = (of.table_name, _as_text(of.key_a), _as_text(of.key_b), of.kind, of.field, of.value_a, of.value_b)
    arms = (
        sa.select(of.difference_id, *identity).where(*_pair(pair), of.closed_at.is_(None), _is_named(connection, table, side))
        for table in keys
        for side in "ab"
    )
    schema = pa.schema([("number", pa.int64()), *((name, text) for name in _IDENTITY)])
    found = bulk_load.fetch(connection, sa.union(*arms), schema, staged)
    return sorted(zip(*(column.to_pylist() for column in found.columns), strict=True))


def _is_named(connection: sa.Connection, table: str, side: str) -> sa.ColumnElement[bool]:
    """Return the condition that a difference is of one of the staged records of a table, in the words of the index on the key."""
    texts = f"SELECT wanted FROM wanted_differences WHERE roster = '{table}' AND side = '{side}'"
    key = f"reconciliation.key_{side}"
    named = f"{key} = ANY (ARRAY({texts}))" if connection.dialect.name == "postgresql" else f"{key} IN ({texts})"
    return sa.and_(RECONCILIATION.c.table_name == table, sa.text(named))


def open_counts(connection: sa.Connection, district_id: str) -> list[dict[str, Any]]:
    """Return the number of open differences of a district by feeds, table, kind, field, school and decision (``differences``)."""
    of = RECONCILIATION.c
    by = (of.source_a, of.source_b, of.table_name, of.kind, of.field, of.organization_id, of.decision)
    query = sa.select(*by, sa.func.count().label("differences"), sa.func.min(of.first_seen).label("oldest"))
    return read_rows(connection, query.where(of.district_id == district_id, of.closed_at.is_(None)).group_by(*by).order_by(*by))


def counts_at(connection: sa.Connection, district_id: str, moment: datetime) -> list[dict[str, Any]]:
    """Return the number of a district's differences by feeds, table, kind, field and school: those open at a moment, and those open now.

    ``differences``, ``new`` (found at that moment), ``decided`` (by then), ``oldest`` (None: there were none) are as of the moment;
    ``waiting``: how many are open now and nobody has decided about. Grain: up to two rows per group, which add up.
    """
    of = RECONCILIATION.c
    by = (of.source_a, of.source_b, of.table_name, of.kind, of.field, of.organization_id)
    known = of.first_seen <= moment
    counts = (
        _number(known).label("differences"),
        _number(known, of.first_seen >= moment).label("new"),
        _number(known, of.decision.is_not(None), of.decided_at <= moment).label("decided"),
        sa.func.min(sa.case((known, of.first_seen))).label("oldest"),
        _number(of.closed_at.is_(None), of.decision.is_(None)).label("waiting"),
    )
    query = sa.select(*by, *counts).where(of.district_id == district_id).group_by(*by)
    arms = (of.closed_at.is_(None), sa.and_(of.closed_at.is_not(None), of.closed_at > moment, known))
    return [row for arm in arms for row in read_rows(connection, query.where(arm))]


def _number(*conditions: sa.ColumnElement[bool]) -> sa.ColumnElement[int]:
    return sa.func.sum(sa.case((sa.and_(*conditions), 1), else_=0))


def undecided_counts(connection: sa.Connection) -> list[dict[str, Any]]:
    """Return, for each district and two feeds, the number of open differences that nobody has decided about (``differences``)."""
    by = (RECONCILIATION.c.district_id, RECONCILIATION.c.source_a, RECONCILIATION.c.source_b)
    waiting = (RECONCILIATION.c.closed_at.is_(None), RECONCILIATION.c.decision.is_(None))
    return read_rows(connection, sa.select(*by, sa.func.count().label("differences")).where(*waiting).group_by(*by))


def all_differences(connection: sa.Connection, district_id: str) -> list[dict[str, Any]]:
    """Return all differences of a district, open and closed, in the order of their numbers."""
    query = sa.select(RECONCILIATION).where(RECONCILIATION.c.district_id == district_id)
    return read_rows(connection, query.order_by(RECONCILIATION.c.difference_id))


def restore_differences(connection: sa.Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert differences as they were elsewhere, with all columns but the number."""
    for start in range(0, len(rows), _AT_ONCE):
        connection.execute(sa.insert(RECONCILIATION), list(rows[start : start + _AT_ONCE]))


def open_differences_of(connection: sa.Connection, pair: Pair, identity: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the open differences of two feeds that have these values, such as ``table_name``, ``kind``, ``field``, ``key_a`` and ``key_b``."""
    chosen = (*_pair(pair), RECONCILIATION.c.closed_at.is_(None), *_having(identity))
    return read_rows(connection, sa.select(RECONCILIATION).where(*chosen))


def last_closed_difference_of(
    connection: sa.Connection, pair: Pair, identity: Mapping[str, Any], until: datetime
) -> list[dict[str, Any]]:
    """Return the difference with these values that was closed last, at a moment or before it; empty: there is none."""
    closed = RECONCILIATION.c.closed_at
    query = sa.select(RECONCILIATION).where(*_pair(pair), closed.is_not(None), closed <= until, *_having(identity))
    return read_rows(connection, query.order_by(closed.desc(), RECONCILIATION.c.difference_id.desc()).limit(1))


def _having(values: Mapping[str, Any]) -> list[sa.ColumnElement[bool]]:
    of = RECONCILIATION.c
    return [of[name].is_(None) if value is None else of[name] == value for name, value in values.items()]


def differences(connection: sa.Connection, numbers: Sequence[int]) -> list[dict[str, Any]]:
    """Return differences by number."""
    found: list[dict[str, Any]] = []
    for start in range(0, len(numbers), _AT_ONCE):
        found += read_rows(
            connection, sa.select(RECONCILIATION).where(RECONCILIATION.c.difference_id.in_(numbers[start : start + _AT_ONCE]))
        )
    return found


def add_differences(connection: sa.Connection, pair: Pair, rows: Sequence[Mapping[str, Any]], at: datetime) -> None:
    """Insert new differences, found at a moment, in their order.

    Grain: one row per difference, with `DIFFERENCE` of its columns; keys are compact JSON.
    """
    if not rows:
        return
    numbers = {name: pa.int64() for name in ("import_a", "import_b")}
    columns = {name: pa.array([row[name] for row in rows], numbers.get(name, pa.string())) for name in DIFFERENCE}
    staged = bulk_load.stage(connection, "new_differences", pa.table({"position": pa.array(range(len(rows))), **columns}))
    feeds = [sa.literal(value, sa.Text()) for value in pair]
    values = (sa.type_coerce(staged.c[name], RECONCILIATION.c[name].type) for name in DIFFERENCE)
    query = sa.select(*feeds, *values, sa.literal(at, RECONCILIATION.c.first_seen.type)).order_by(staged.c.position)
    names = ("district_id", "source_a", "source_b", *DIFFERENCE, "first_seen")
    connection.execute(sa.insert(RECONCILIATION).from_select(names, query))
    bulk_load.unstage(connection, staged)


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
    found = read_rows(connection, sa.select(RECONCILIATION_STATE).where(*_state_of(pair)))
    return found[0] if found else None


def compared_feeds(connection: sa.Connection, district_id: str) -> list[dict[str, Any]]:
    """Return up to which imports each two feeds of a district were compared."""
    query = sa.select(RECONCILIATION_STATE).where(RECONCILIATION_STATE.c.district_id == district_id)
    return read_rows(connection, query.order_by(RECONCILIATION_STATE.c.source_a, RECONCILIATION_STATE.c.source_b))


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


def decisions(
    connection: sa.Connection, district_id: str, newest: int | None = None, before: int | None = None
) -> list[dict[str, Any]]:
    """Return the decisions about a district's feeds, or the `newest` ones, or those of them `before` a number, in their order."""
    of = FEED_DECISIONS.c
    query = sa.select(FEED_DECISIONS).where(of.district_id == district_id).order_by(of.decision_id.desc()).limit(newest)
    query = query if before is None else query.where(of.decision_id < before)
    return read_rows(connection, query)[::-1]


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
