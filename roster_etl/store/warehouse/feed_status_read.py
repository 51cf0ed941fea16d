"""Read how all feeds stand at once: newest imports, the numbers of their plans, and the age of the quarantine.

The number of queries does not depend on how many feeds there are; each looks into an index for each feed.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter
from typing import Any

import pyarrow as pa
import sqlalchemy as sa

from roster_etl.canonical.ledger import IMPORT_STATUSES, IMPORTS, REJECTED_ROWS
from roster_etl.store.warehouse import bulk_load
from roster_etl.store.warehouse.ledger_read import IS_QUARANTINED, left_nothing

Feed = tuple[str, str, str]
"""District, format, and the file set whose imports count for a query."""
PLAN_NUMBERS = ("current", "created", "deleted")
_FEEDS = pa.schema([(name, pa.string()) for name in ("district_id", "source", "file_set", "status")])
_ENDED_WELL = ("published", "unchanged")
_IDS_PER_QUERY = 500
_UNDO = (IMPORTS.c.import_id, IMPORTS.c.status, IMPORTS.c.summary)


def newest_of_feeds(connection: sa.Connection, feeds: Sequence[Feed]) -> list[dict[str, Any]]:
    """Return the newest imports of `feeds`, in two queries.

    Grain: one row a feed and import: the newest upload of each status, the uploads that ended last as published and unchanged, and the
    import of any kind that was published last for the feed's file set (``is_roster``).
    Columns: ``district_id``, ``source``, ``import_id``, ``kind``, ``status``, ``file_set``, ``received_at``, ``finished_at``,
    ``parked``, ``is_roster``, and for people and enrollments the numbers of the plan (``users_current``, …; None: it has no such table).
    """
    if not feeds:
        return []
    wanted = _stage_feeds(connection, feeds)
    found = connection.execute(_newest_numbers(wanted)).all()
    bulk_load.unstage(connection, wanted)
    rosters = {row.roster for row in found}
    numbers = sorted({number for row in found for number in row[2:] if number is not None})
    if not numbers:
        return []
    staged = bulk_load.stage(connection, "wanted_imports", pa.table({"import_id": pa.array(numbers, pa.int64())}))
    rows = [dict(row) for row in connection.execute(_details(connection, staged)).mappings()]
    bulk_load.unstage(connection, staged)
    return [{**row, "is_roster": row["import_id"] in rosters} for row in rows]


def quarantined_imports(connection: sa.Connection, snapshots: Sequence[Feed], deltas: Sequence[Feed]) -> list[dict[str, Any]]:
    """Return the imports whose rejected rows are the quarantine of feeds: ``district_id``, ``source``, ``import_id``.

    Of a feed of snapshots, the last published upload of each of its file sets; of a feed of deltas, all with rows that still wait.
    Imports that were undone do not count.
    """
    found: list[dict[str, Any]] = []
    reverted = _stage_reverted(connection, [*snapshots, *deltas])
    for feeds, choose in ((snapshots, _last_published), (deltas, _waiting)):
        if feeds:
            wanted = _stage_feeds(connection, feeds)
            found += [dict(row) for row in connection.execute(choose(wanted, reverted)).mappings()]
            bulk_load.unstage(connection, wanted)
    if reverted is not None:
        bulk_load.unstage(connection, reverted)
    return [row for row in found if row["import_id"] is not None]


def quarantine_totals(connection: sa.Connection, import_ids: Sequence[int]) -> list[dict[str, Any]]:
    """Return per import the rows that it rejected: ``import_id``, ``rows``, ``oldest``; none for an import without.

    A row is as old as the first import of the feed that refused the same cells in a file of that name.
    """
    found: list[dict[str, Any]] = []
    for start in range(0, len(import_ids), _IDS_PER_QUERY):
        query = _quarantine(import_ids[start : start + _IDS_PER_QUERY])
        found += [dict(row) for row in connection.execute(query).mappings()]
    return found


def _stage_feeds(connection: sa.Connection, feeds: Sequence[Feed]) -> sa.TableClause:
    """Stage `feeds`, each with the status that counts: as a constant, it would let SQLite begin with all published imports."""
    rows = [dict(zip(_FEEDS.names, (*feed, "published"), strict=True)) for feed in feeds]
    return bulk_load.stage(connection, "wanted_feeds", pa.Table.from_pylist(rows, _FEEDS))


def _newest_numbers(wanted: sa.TableClause) -> sa.Select[Any]:
    columns = [_newest(wanted, status).label(f"newest_{status}") for status in IMPORT_STATUSES]
    columns += [_newest(wanted, status, by_end=True).label(f"last_{status}") for status in _ENDED_WELL]
    of_set = IMPORTS.c.file_set.in_(("", wanted.c.file_set))
    roster = _newest(wanted, "published", by_end=True, of_kind=None, also=(of_set,)).label("roster")
    return sa.select(wanted.c.district_id, wanted.c.source, *columns, roster)


def _newest(
    wanted: sa.TableClause,
    status: str,
    *,
    by_end: bool = False,
    of_kind: str | None = "upload",
    also: Sequence[sa.ColumnElement[bool]] = (),
) -> sa.ScalarSelect[Any]:
    """Return the query for a feed's newest import of a status, by number or by when it ended (approving an older one ends it later)."""
    feed = (IMPORTS.c.district_id == wanted.c.district_id, IMPORTS.c.source == wanted.c.source, IMPORTS.c.status == status)
    kind = () if of_kind is None else (IMPORTS.c.kind == of_kind,)
    order = (IMPORTS.c.finished_at.desc(), IMPORTS.c.import_id.desc()) if by_end else (IMPORTS.c.import_id.desc(),)
    query = sa.select(IMPORTS.c.import_id).where(*feed, *kind, *also).order_by(*order).limit(1)
    return query.correlate(wanted).scalar_subquery()


def _details(connection: sa.Connection, wanted: sa.TableClause) -> sa.Select[Any]:
    names = ("district_id", "source", "import_id", "kind", "status", "file_set", "received_at", "finished_at")
    numbers = [
        _in_summary(connection, "plan", table, number).label(f"{table}_{number}")
        for table in ("users", "enrollments")
        for number in PLAN_NUMBERS
    ]
    parked = _in_summary(connection, "parked").label("parked")
    query = sa.select(*(IMPORTS.c[name] for name in names), parked, *numbers)
    return query.select_from(wanted.join(IMPORTS, IMPORTS.c.import_id == wanted.c.import_id))


def _in_summary(connection: sa.Connection, *path: str) -> sa.ColumnElement[Any]:
    """Return a value in the JSON of an import's summary: as text on PostgreSQL."""
    if connection.dialect.name == "sqlite":
        return sa.func.json_extract(IMPORTS.c.summary, "$." + ".".join(path), type_=sa.types.NullType())
    text = sa.type_coerce(IMPORTS.c.summary, sa.Text())
    return sa.func.json_extract_path_text(sa.cast(text, sa.JSON()), *path, type_=sa.Text())


def _stage_reverted(connection: sa.Connection, feeds: Sequence[Feed]) -> sa.TableClause | None:
    """Stage the imports of `feeds` that were undone, and the undos: there may be more than a statement takes as parameters. None: there are none."""
    if not feeds:
        return None
    wanted = _stage_feeds(connection, feeds)
    columns = ", ".join(f"u.{column.name}" for column in _UNDO)
    of_feed = "u.district_id = w.district_id AND u.source = w.source AND u.kind = 'undo'"  # as the index of undos has it
    found_by = bulk_load.looked_up(connection, IMPORTS.name, "u", columns, of_feed)
    query = sa.text(f"SELECT {columns} FROM {wanted.name} AS w {found_by}").columns(*_UNDO)
    undos = [dict(row) for row in connection.execute(query).mappings()]
    bulk_load.unstage(connection, wanted)
    reverted = left_nothing(sorted(undos, key=itemgetter("import_id"), reverse=True))
    return bulk_load.stage(connection, "reverted", pa.table({"import_id": pa.array(reverted, pa.int64())})) if reverted else None


def _last_published(wanted: sa.TableClause, reverted: sa.TableClause | None) -> sa.Select[Any]:
    """Return the query for the last published upload of each feed and file set, by number."""
    also = (IMPORTS.c.file_set == wanted.c.file_set, *_but_not(reverted))
    number = _newest(wanted, "published", also=also).label("import_id")
    return sa.select(wanted.c.district_id, wanted.c.source, number)


def _but_not(reverted: sa.TableClause | None) -> tuple[sa.ColumnElement[bool], ...]:
    """Return the condition that an import is none of `reverted`; no condition where there are none, for a plan that is the same."""
    return () if reverted is None else (IMPORTS.c.import_id.not_in(sa.select(reverted.c.import_id)),)


def _waiting(wanted: sa.TableClause, reverted: sa.TableClause | None) -> sa.Select[Any]:
    """Return the query for the published imports of each feed that rejected rows."""
    feed = (IMPORTS.c[name] == wanted.c[name] for name in ("district_id", "source", "status"))
    query = sa.select(wanted.c.district_id, wanted.c.source, IMPORTS.c.import_id)
    return query.join_from(wanted, IMPORTS, sa.and_(*feed, IS_QUARANTINED, *_but_not(reverted)))


def _quarantine(import_ids: Sequence[int]) -> sa.Select[Any]:
    rows = REJECTED_ROWS.c
    place = (rows.import_id, rows.file, rows.row)
    refused = sa.select(*place, sa.func.min(rows.record_hash).label("record_hash"))
    refused_rows = refused.where(rows.import_id.in_(import_ids)).group_by(*place).subquery("refused")
    same = REJECTED_ROWS.alias("same")
    since = sa.select(same.c.refused_at).where(same.c.record_hash == refused_rows.c.record_hash, same.c.refused_at.is_not(None))
    oldest = since.order_by(same.c.refused_at).limit(1).scalar_subquery().label("since")
    first = sa.select(refused_rows.c.import_id, oldest).subquery("first")
    total = sa.select(first.c.import_id, sa.func.count().label("rows"), sa.func.min(first.c.since).label("oldest"))
    return total.group_by(first.c.import_id)
