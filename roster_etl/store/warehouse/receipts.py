"""Queries on the table of receipts: which events of a feed have none, and the next numbers of its chain."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from roster_etl.canonical.ledger import HOLDS, IMPORTS
from roster_etl.canonical.receipts import RECEIPTS
from roster_etl.store.warehouse.database import read_rows

_KINDS = {"upload": "import", "undo": "undo", "purge": "purge", "override": "decision"}
_NOT_FINAL = ("held", "failed")  # a held import is decided, a failed one may be resumed


def listing(connection: sa.Connection, district_id: str, source: str | None = None) -> list[dict[str, Any]]:
    """Return the receipts of a district, or of one feed, in the order of their chains."""
    query = sa.select(RECEIPTS).where(RECEIPTS.c.district_id == district_id).order_by(RECEIPTS.c.source, RECEIPTS.c.number)
    return read_rows(connection, query if source is None else query.where(RECEIPTS.c.source == source))


def unsigned(connection: sa.Connection, district_id: str, source: str) -> list[dict[str, Any]]:
    """Return the receipts of a feed that have a number and are not signed yet, in the order of their chain."""
    found = read_rows(connection, sa.select(RECEIPTS).where(*_feed(district_id, source), RECEIPTS.c.sha256.is_(None)))
    return sorted(found, key=lambda row: row["number"])


def of_import(connection: sa.Connection, import_id: int) -> dict[str, Any] | None:
    """Return the newest receipt of an import, signed or not; None: it has none."""
    query = sa.select(RECEIPTS).where(RECEIPTS.c.import_id == import_id).order_by(RECEIPTS.c.number.desc()).limit(1)
    return next(iter(read_rows(connection, query)), None)


def receipt_by_number(connection: sa.Connection, district_id: str, source: str, number: int) -> dict[str, Any] | None:
    """Return one receipt of a feed; None: there is none with this number."""
    query = sa.select(RECEIPTS).where(*_feed(district_id, source), RECEIPTS.c.number == number)
    return next(iter(read_rows(connection, query)), None)


def last(connection: sa.Connection, district_id: str, source: str) -> dict[str, Any] | None:
    """Return the newest receipt of a feed; None: it has none."""
    query = sa.select(RECEIPTS).where(*_feed(district_id, source)).order_by(RECEIPTS.c.number.desc()).limit(1)
    return next(iter(read_rows(connection, query)), None)


def key_of_chain(connection: sa.Connection, district_id: str, source: str) -> str | None:
    """Return the ID of the key that the newest signed receipt of a feed was signed with, or names; None: none is signed."""
    of = RECEIPTS.c
    query = sa.select(of.kind, of.status, of.keyid).where(*_feed(district_id, source), of.sha256.is_not(None))
    newest = connection.execute(query.order_by(of.number.desc()).limit(1)).one_or_none()
    if newest is None:
        return None
    return str(newest.status if newest.kind == "key" else newest.keyid)


def chains(connection: sa.Connection) -> list[tuple[str, str]]:
    """Return district and source of each feed that has receipts."""
    query = sa.select(RECEIPTS.c.district_id, RECEIPTS.c.source).where(RECEIPTS.c.number == 1).order_by("district_id", "source")
    return [(row[0], row[1]) for row in connection.execute(query)]


def unsigned_count(connection: sa.Connection) -> int:
    """Return how many receipts of all feeds have a number and are not signed yet."""
    return int(connection.execute(sa.select(sa.func.count()).where(RECEIPTS.c.sha256.is_(None))).scalar_one())


def reserve(connection: sa.Connection, district_id: str, source: str, import_id: int | None) -> int:
    """Give the next numbers of a feed's chain to its events without a receipt, and return how many there were.

    An event is an import that ended, or the decision about one that was held or failed. A chain begins with import `import_id`;
    None: it does not begin here.
    """
    newest = last(connection, district_id, source)
    if newest is None and import_id is None:
        return 0
    covered = newest["covered_to"] if newest else int(import_id or 0) - 1
    number, now_covered = newest["number"] if newest else 0, max(covered, _covered_to(connection, district_id, source))
    events = sorted(
        [*_ended(connection, district_id, source, covered, import_id), *_decided(connection, district_id, source)],
        key=lambda event: (event["at"], event["import_id"]),
    )
    for number, event in enumerate(events, start=number + 1):  # noqa: B020 - goes on from the newest number
        connection.execute(
            sa.insert(RECEIPTS).values(
                district_id=district_id,
                source=source,
                number=number,
                kind=event["kind"],
                import_id=event["import_id"],
                status=event["status"],
                undecided=event["status"] in _NOT_FINAL,
                covered_to=now_covered,
                roster_import=_roster_import(connection, district_id, source, event),
            )
        )
    return len(events)


def append(connection: sa.Connection, row: Mapping[str, Any]) -> None:
    """Insert a receipt with all its columns: one of another kind than an import's, or one that a rebuild brings back."""
    connection.execute(sa.insert(RECEIPTS).values(**row))


def append_export(connection: sa.Connection, district_id: str, source: str, export_id: int, roster_import: int | None) -> int:
    """Give the next number of a feed's chain to an export that was written, and return the number.

    Args: roster_import: the import whose roster was exported.
    """
    newest = last(connection, district_id, source)
    number = int(newest["number"]) + 1 if newest else 1
    row = {
        "district_id": district_id,
        "source": source,
        "number": number,
        "kind": "export",
        "export_id": export_id,
        "status": "written",
        "undecided": False,
        "covered_to": newest["covered_to"] if newest else _covered_to(connection, district_id, source),
        "roster_import": roster_import,
    }
    append(connection, row)
    return number


def complete(connection: sa.Connection, row: Mapping[str, Any]) -> None:
    """Write hash, key and roster of a receipt that was signed."""
    this = (*_feed(row["district_id"], row["source"]), RECEIPTS.c.number == row["number"])
    signed = {name: row[name] for name in ("sha256", "keyid", "roster")}
    connection.execute(sa.update(RECEIPTS).where(*this).values(**signed))


def _ended(connection: sa.Connection, district_id: str, source: str, covered: int, import_id: int | None) -> list[dict[str, Any]]:
    """Return the imports that ended and have no receipt, by the index of a district's imports."""
    at = sa.func.coalesce(IMPORTS.c.finished_at, IMPORTS.c.started_at)
    columns = (IMPORTS.c.import_id, IMPORTS.c.kind, IMPORTS.c.status, at.label("at"))
    these = (
        IMPORTS.c.import_id > covered
        if import_id is None
        else sa.or_(IMPORTS.c.import_id > covered, IMPORTS.c.import_id == import_id)
    )
    known = sa.select(RECEIPTS.c.number).where(RECEIPTS.c.import_id == IMPORTS.c.import_id).exists()
    query = sa.select(*columns).where(
        IMPORTS.c.district_id == district_id, IMPORTS.c.source == source, IMPORTS.c.status != "running", these, ~known
    )
    return [{**row, "kind": _KINDS[row["kind"]]} for row in read_rows(connection, query)]


def _decided(connection: sa.Connection, district_id: str, source: str) -> list[dict[str, Any]]:
    """Return what became of held and failed imports since their receipts, and mark those as decided."""
    query = (
        sa.select(RECEIPTS.c.number, RECEIPTS.c.kind, RECEIPTS.c.status.label("stated"), IMPORTS.c.import_id, IMPORTS.c.status)
        .add_columns(IMPORTS.c.finished_at, HOLDS.c.decision, HOLDS.c.decided_at)
        .join_from(RECEIPTS, IMPORTS, RECEIPTS.c.import_id == IMPORTS.c.import_id)
        .outerjoin(HOLDS, HOLDS.c.import_id == IMPORTS.c.import_id)
        .where(*_feed(district_id, source), RECEIPTS.c.undecided == sa.true(), IMPORTS.c.status != "running")
    )
    events = []
    for row in read_rows(connection, query):
        status = "superseded" if row["status"] == "held" and row["decision"] == "superseded" else row["status"]
        if status == row["stated"]:
            continue
        this = (*_feed(district_id, source), RECEIPTS.c.number == row["number"])
        connection.execute(sa.update(RECEIPTS).where(*this).values(undecided=False))
        kind = "decision" if row["stated"] == "held" else row["kind"]
        at: datetime = row["decided_at"] if row["decision"] else row["finished_at"]
        events.append({"import_id": row["import_id"], "kind": kind, "status": status, "at": at})
    return events


def _covered_to(connection: sa.Connection, district_id: str, source: str) -> int:
    """Return the newest import of a feed that no running import precedes."""
    feed = (IMPORTS.c.district_id == district_id, IMPORTS.c.source == source)
    running = connection.execute(sa.select(sa.func.min(IMPORTS.c.import_id)).where(*feed, IMPORTS.c.status == "running")).scalar()
    if running is not None:
        return int(running) - 1
    newest = sa.select(IMPORTS.c.import_id).where(*feed).order_by(IMPORTS.c.import_id.desc()).limit(1)
    return int(connection.execute(newest).scalar() or 0)


def _roster_import(connection: sa.Connection, district_id: str, source: str, event: Mapping[str, Any]) -> int | None:
    """Return the import that published the roster as it is after `event`."""
    if event["status"] == "published":
        return int(event["import_id"])
    published = (IMPORTS.c.district_id == district_id, IMPORTS.c.source == source, IMPORTS.c.status == "published")
    query = sa.select(IMPORTS.c.import_id).where(
        *published, sa.func.coalesce(IMPORTS.c.finished_at, IMPORTS.c.started_at) <= event["at"]
    )
    found = connection.execute(query.order_by(IMPORTS.c.import_id.desc()).limit(1)).scalar()
    return None if found is None else int(found)


def _feed(district_id: str, source: str) -> tuple[sa.ColumnElement[bool], sa.ColumnElement[bool]]:
    return RECEIPTS.c.district_id == district_id, RECEIPTS.c.source == source
