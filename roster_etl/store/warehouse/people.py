"""Queries and statements on the links between records of people."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import pyarrow as pa
import sqlalchemy as sa

from roster_etl.canonical.history import history_table
from roster_etl.canonical.people import DECISION, PERSON_LINKS, LinkCloseReason
from roster_etl.canonical.sql_types import Timestamp
from roster_etl.store.warehouse import bulk_load, ledger_read, roster_read
from roster_etl.store.warehouse.database import read_rows

_AT_ONCE = 500
_SIDES = ("a", "b")
_RECORD = ("source", "user_kind", "user_id")
LINK = (
    *("link_id", "person_id", "source_a", "user_kind_a", "user_id_a", "source_b", "user_kind_b", "user_id_b"),
    *("verdict", "rule", "decided_by", "reason"),
)
"""The columns of a link, but for when it held."""
_LINK_TYPES = {"link_id": sa.BigInteger()}
Row = Mapping[str, Any]
Record = tuple[str, str, str]
"""Feed, kind of user, ID."""


def links(connection: sa.Connection, district_id: str, *, past: bool = False) -> list[dict[str, Any]]:
    """Return the links of a district that hold, and with ``past`` those that did, in the order of their numbers."""
    query = sa.select(PERSON_LINKS).where(PERSON_LINKS.c.district_id == district_id)
    arms = [PERSON_LINKS.c.valid_to.is_(None), *([PERSON_LINKS.c.valid_to.is_not(None)] if past else [])]
    rows = (row for arm in arms for row in read_rows(connection, query.where(arm)))
    return sorted(rows, key=lambda row: row["link_id"])


def link(connection: sa.Connection, number: int) -> dict[str, Any] | None:
    """Return a link by its number; None: there is none."""
    found = read_rows(connection, sa.select(PERSON_LINKS).where(PERSON_LINKS.c.link_id == number))
    return found[0] if found else None


def links_of(
    connection: sa.Connection, district_id: str, records: Iterable[Record], *, past: bool = False
) -> list[dict[str, Any]]:
    """Return the links of records that hold, and with ``past`` those that did, each once, in the order of their numbers."""
    found: dict[int, dict[str, Any]] = {}
    for condition in _of_records(district_id, records):
        arms = [PERSON_LINKS.c.valid_to.is_(None), *([PERSON_LINKS.c.valid_to.is_not(None)] if past else [])]
        for arm in arms:
            found |= {row["link_id"]: row for row in read_rows(connection, sa.select(PERSON_LINKS).where(condition, arm))}
    return [found[number] for number in sorted(found)]


def open_links_of(connection: sa.Connection, district_id: str, records: Collection[Record]) -> list[dict[str, Any]]:
    """Return the links of records that hold, each once, in the order of their numbers; of their columns `LINK`."""
    staged = _stage(connection, records)
    both = sa.text(f"{staged.name} AS w CROSS JOIN person_links AS l")  # SQLite keeps the order
    chosen = [sa.literal_column(f"l.{name}", _LINK_TYPES.get(name, sa.Text())) for name in LINK]
    query = sa.select(*chosen).select_from(both).where(sa.literal_column("l.district_id", sa.Text()) == district_id)
    arms = (
        query.where(sa.text(f"l.valid_to IS NULL AND {' AND '.join(f'l.{name}_{side} = w.{name}' for name in _RECORD)}"))
        for side in _SIDES
    )
    schema = pa.schema([(name, pa.int64() if name in _LINK_TYPES else pa.string()) for name in LINK])
    found = bulk_load.fetch(connection, sa.union(*arms), schema, staged)
    return found.sort_by("link_id").to_pylist()


def ruled_pairs(
    connection: sa.Connection, district_id: str, sources: tuple[str, str], side: int, users: Collection[tuple[str, str]]
) -> list[tuple[tuple[str, str], tuple[str, str]]]:
    """Return the pairs of current users of two feeds, by kind and ID, that a rule has linked; of `users`, which are those of one side."""
    a, b = (bulk_load.literal(connection, sa.literal(source)) for source in sources)
    district = bulk_load.literal(connection, sa.literal(district_id))
    staged = _stage(connection, [(sources[side], *user) for user in users])
    own = _SIDES[side]
    same = " AND ".join(f"l.{name}_{own} = w.{name}" for name in _RECORD)
    link_ = f"l.district_id = {district} AND l.valid_to IS NULL AND {same} AND l.source_a = {a} AND l.source_b = {b}"
    names = [f"l.{name}_{at}" for at in _SIDES for name in _RECORD[1:]]
    ruled = bulk_load.looked_up(connection, PERSON_LINKS.name, "l", ", ".join(names), f"{link_} AND l.rule <> '{DECISION}'")
    users_, joins = history_table("users").name, [ruled]
    for at, source in zip(_SIDES, (a, b), strict=True):
        key = f"u{at}.user_kind = l.user_kind_{at} AND u{at}.user_id = l.user_id_{at}"
        current = f"u{at}.district_id = {district} AND u{at}.source = {source} AND {key} AND u{at}.valid_to_import IS NULL"
        joins.append(bulk_load.looked_up(connection, users_, f"u{at}", f"u{at}.version_id", current))
    query: sa.Select[Any] = sa.select(sa.literal_column(", ".join(names))).select_from(
        sa.text(f"{staged.name} AS w {' '.join(joins)}")
    )
    found = bulk_load.fetch(connection, query, pa.schema([(name, pa.string()) for name in ("ka", "ia", "kb", "ib")]), staged)
    kind_a, id_a, kind_b, id_b = (column.to_pylist() for column in found.columns)
    return list(zip(zip(kind_a, id_a, strict=True), zip(kind_b, id_b, strict=True), strict=True))


def _stage(connection: sa.Connection, records: Collection[Record]) -> sa.TableClause:
    columns = list(zip(*records, strict=True)) or [() for _ in _RECORD]
    rows = pa.table({name: pa.array(texts, pa.string()) for name, texts in zip(_RECORD, columns, strict=True)})
    return bulk_load.stage(connection, "wanted_people", rows)


def links_of_person(connection: sa.Connection, district_id: str, person_id: str) -> list[dict[str, Any]]:
    """Return the links of a person, those that hold and those that did."""
    of = PERSON_LINKS.c
    query = sa.select(PERSON_LINKS).where(of.district_id == district_id, of.person_id == person_id)
    return [row for arm in (of.valid_to.is_(None), of.valid_to.is_not(None)) for row in read_rows(connection, query.where(arm))]


def decided_links(connection: sa.Connection, district_id: str, source_a: str, source_b: str) -> list[dict[str, Any]]:
    """Return the links between records of two feeds that hold and that a steward decided; A sorts before B."""
    of = PERSON_LINKS.c
    where = (of.district_id == district_id, of.source_a == source_a, of.source_b == source_b, of.valid_to.is_(None))
    return read_rows(connection, sa.select(PERSON_LINKS).where(*where, of.rule == DECISION))


def person_ids(
    connection: sa.Connection, district_id: str, source: str, moment: datetime | None = None
) -> dict[tuple[str, str], str]:
    """Return the person of each linked record of a feed, by kind and ID, as of `moment` (None: now)."""
    of, found = PERSON_LINKS.c, dict[tuple[str, str], str]()
    known: list[sa.ColumnElement[bool]] = (
        [of.valid_to.is_(None)] if moment is None else [sa.and_(of.valid_to.is_(None), of.valid_from <= moment)]
    )
    if moment is not None:
        known.append(sa.and_(of.valid_to.is_not(None), of.valid_from <= moment, of.valid_to > moment))
    for side in _SIDES:
        columns = (of[f"user_kind_{side}"], of[f"user_id_{side}"], of.person_id)
        query = sa.select(*columns).where(
            of.district_id == district_id, of[f"source_{side}"] == source, of.person_id.is_not(None)
        )
        for when in known:
            found |= {(kind, user_id): person for kind, user_id, person in connection.execute(query.where(when))}
    return found


def link_counts(connection: sa.Connection, import_id: int) -> dict[str, int]:
    """Return how many links an import opened, by verdict, and how many it closed (``closed``)."""
    of = PERSON_LINKS.c
    query = sa.select(of.verdict, sa.func.count()).where(of.valid_from_import == import_id).group_by(of.verdict)
    found = {str(verdict): int(count) for verdict, count in connection.execute(query)}
    closed = connection.execute(sa.select(sa.func.count()).where(of.valid_to_import == import_id)).scalar_one()
    return found | ({"closed": int(closed)} if closed else {})


def id_changes(connection: sa.Connection, district_id: str, source: str) -> list[tuple[str, str, str, int]]:
    """Return the current ID changes of users of a feed: old ID, new ID, extensions (JSON), the import that found it.

    Of a change that an undo brought back that is the import that had found it.
    """
    of = history_table("id_changes").c
    feed = (of.district_id == district_id, of.source == source, of.entity == "users", of.valid_to_import.is_(None))
    query = sa.select(of.old_id, of.new_id, of.extensions, of.valid_from_import).where(*feed)
    found = [(str(old), str(new), str(extensions), int(number)) for old, new, extensions, number in connection.execute(query)]
    reverted = ledger_read.reverted_imports(connection, district_id, source) if found else ()
    made = _made_before(connection, (district_id, source), [one[:2] for one in found if one[3] in reverted], reverted)
    return [(old, new, extensions, made.get((old, new), number)) for old, new, extensions, number in found]


def _made_before(
    connection: sa.Connection, feed: tuple[str, str], pairs: Sequence[tuple[str, str]], reverted: Collection[int]
) -> dict[tuple[str, str], int]:
    """Return the newest import, but for `reverted` ones, that found each of some ID changes of users."""
    if not pairs:
        return {}
    keys = pa.Table.from_pylist([{"entity": "users", "old_id": old, "new_id": new} for old, new in pairs])
    rows = roster_read.versions_by_key(connection, *feed, "id_changes", keys, past=True).to_pylist()  # oldest first
    return {(row["old_id"], row["new_id"]): row["valid_from_import"] for row in rows if row["valid_from_import"] not in reverted}


def first_imports(connection: sa.Connection, district_id: str, records: Iterable[Record]) -> dict[Record, int]:
    """Return the import that opened the first version of each record that ever was."""
    found = dict[Record, int]()
    for *record, number in _versions_of(connection, district_id, list(records), past=True):
        known = record[0], record[1], record[2]
        found[known] = min(number, found.get(known, number))
    return found


def current_users(connection: sa.Connection, district_id: str, records: Iterable[Record]) -> set[Record]:
    """Return which of `records` are current."""
    return {(source, kind, one) for source, kind, one, _ in _versions_of(connection, district_id, list(records), past=False)}


def _versions_of(
    connection: sa.Connection, district_id: str, records: Collection[Record], *, past: bool
) -> list[tuple[str, str, str, int]]:
    """Return of records the current version, and with ``past`` the first past one: feed, kind, ID, and the import that opened it."""
    if not records:
        return []
    staged = _stage(connection, records)
    district = bulk_load.literal(connection, sa.literal(district_id))
    same = f"e.district_id = {district} AND {' AND '.join(f'e.{name} = w.{name}' for name in _RECORD)}"
    ended = [f"{same} AND e.valid_to_import IS {word}NULL" for word in ("", "NOT ")[: 1 + past]]
    arms = (_first_versions(connection, staged.name, condition) for condition in ended)
    schema = pa.schema([*((name, pa.string()) for name in _RECORD), ("number", pa.int64())])
    found = bulk_load.fetch(connection, sa.union_all(*arms), schema, staged)
    return list(zip(*(column.to_pylist() for column in found.columns), strict=True))


def _first_versions(connection: sa.Connection, staged: str, condition: str) -> sa.Select[Any]:
    """Return the query of each staged record ``w`` with the import that opened the first of its versions ``e``."""
    record = ", ".join(f"w.{name}" for name in _RECORD)
    versions = bulk_load.looked_up(connection, history_table("users").name, "e", "e.valid_from_import", condition)
    query: sa.Select[Any] = sa.select(sa.literal_column(f"{record}, min(e.valid_from_import)"))
    return query.select_from(sa.text(f"{staged} AS w {versions}")).group_by(sa.text(record))


def add_links(connection: sa.Connection, district_id: str, rows: Sequence[Row]) -> None:
    """Insert links, in their order; each row has the columns of the table, all of them the same, but for number and district."""
    if not rows:
        return
    names = [name for name in rows[0] if name != "district_id"]
    columns = {name: pa.array([row[name] for row in rows], _arrow_type(PERSON_LINKS.c[name])) for name in names}
    staged = bulk_load.stage(connection, "new_links", pa.table({"position": pa.array(range(len(rows))), **columns}))
    values = (sa.type_coerce(staged.c[name], PERSON_LINKS.c[name].type) for name in names)
    query = sa.select(sa.literal(district_id, sa.Text()), *values).order_by(staged.c.position)
    connection.execute(sa.insert(PERSON_LINKS).from_select(["district_id", *names], query))
    bulk_load.unstage(connection, staged)


def _arrow_type(column: sa.Column[Any]) -> pa.DataType:
    if isinstance(column.type, Timestamp):
        return pa.timestamp("us", tz="UTC")
    return pa.int64() if isinstance(column.type, sa.Integer) else pa.string()


def close_links(connection: sa.Connection, numbers: Sequence[int], reason: LinkCloseReason, at: datetime, import_id: int) -> None:
    """Close links by their numbers."""
    ended = {"valid_to": at, "valid_to_import": import_id, "close_reason": reason}
    for start in range(0, len(numbers), _AT_ONCE):
        these = PERSON_LINKS.c.link_id.in_(numbers[start : start + _AT_ONCE])
        connection.execute(sa.update(PERSON_LINKS).where(these).values(**ended))


def remove_links(connection: sa.Connection, district_id: str, *, before: datetime | None = None) -> None:
    """Delete a district's links: those that ended before a moment, or all."""
    of = PERSON_LINKS.c
    for which in (of.valid_to.is_(None), of.valid_to.is_not(None)):
        chosen = sa.and_(of.district_id == district_id, which)
        if before is not None:
            chosen = sa.and_(chosen, of.valid_to < before)
        connection.execute(sa.delete(PERSON_LINKS).where(chosen))


def _of_records(district_id: str, records: Iterable[Record]) -> Iterator[sa.ColumnElement[bool]]:
    """Yield conditions, each of which the index of one side narrows."""
    of = PERSON_LINKS.c
    for source, kind, some in _batches(records):
        for side in _SIDES:
            place = (of.district_id == district_id, of[f"source_{side}"] == source, of[f"user_kind_{side}"] == kind)
            yield sa.and_(*place, of[f"user_id_{side}"].in_(some))


def _batches(records: Iterable[Record]) -> Iterator[tuple[str, str, list[str]]]:
    """Yield feed, kind, and at most `_AT_ONCE` IDs."""
    groups: dict[tuple[str, str], list[str]] = defaultdict(list)
    for source, kind, user_id in records:
        groups[source, kind].append(user_id)
    for (source, kind), ids in groups.items():
        for start in range(0, len(ids), _AT_ONCE):
            yield source, kind, ids[start : start + _AT_ONCE]
