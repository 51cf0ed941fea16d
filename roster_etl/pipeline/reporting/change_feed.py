"""What changed in a district's roster since an import, in pages: for those who keep a copy of it elsewhere.

Belongs here: the cursor. A page names the next one; what a page holds never changes, so that a reader can stop and go on anywhere.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any

from roster_etl.canonical.roster import TABLES
from roster_etl.pipeline.workspace import Workspace
from roster_etl.spec.errors import PermanentError
from roster_etl.store.warehouse import SqlLedger, UnknownImport

_IMPORTS_AT_ONCE = 50  # read from the ledger at a time


class BadCursor(PermanentError):
    """The place to go on from is none."""

    code = "bad_cursor"
    template = "{problem}; begin again from an import with --since, or from the first with --since 0"


@dataclass(frozen=True, kw_only=True)
class Page:
    """Some changes in the order of publishing, then of tables and keys.

    ``changes``: import_id, table, key (column → value), change (created, updated, deleted), reason (why a version was closed; null for a
    created record). ``since``: the last import that was returned in full; ``after``: where the next page begins, None if this was the last.
    """

    changes: list[dict[str, Any]]
    since: int
    after: str | None


@dataclass(frozen=True, kw_only=True)
class _Cursor:
    """The last change of a page; ``key``: its JSON as the view has it."""

    import_id: int
    table: str
    key: str
    change: str


def changes_page(workspace: Workspace, district_id: str, source: str, *, since: int, after: str | None, limit: int) -> Page:
    """Return the next at most `limit` changes of a feed: those after import `since`, or after what an earlier page has said in ``after``.

    Raises: UnknownImport; BadCursor: ``since`` is no import of the feed, or has not ended; ``after`` is no word of a page.
    """
    start = _decode_cursor(after) if after else None
    told = since
    page: list[dict[str, Any]] = []
    with workspace.warehouse.read() as session:
        if since:
            require_import_of_feed(session.ledger.import_(since), district_id, source)
        if start:
            _require_published_after(session.ledger, district_id, source, since, start.import_id)
        first = start.import_id if start else since
        for row in published_imports(session.ledger, district_id, source, first, begin=start is not None):
            told = int(row["import_id"])
            page += islice(_changes(session.ledger, row, start, limit + 1), limit + 1 - len(page))
            if len(page) > limit:
                break
    found = [{**row, "key": json.loads(row["key"])} for row in page[:limit]]
    if len(page) <= limit:
        return Page(changes=found, since=told, after=None)
    last = page[limit - 1]
    return Page(
        changes=found,
        since=since,
        after=_encode_cursor(_Cursor(**{name: last[name] for name in ("import_id", "table", "key", "change")})),
    )


def published_imports(
    ledger: SqlLedger, district_id: str, source: str, import_id: int, *, begin: bool = False
) -> Iterator[Mapping[str, Any]]:
    """Yield what was published for a feed after `import_id`, in that order, a few at a time. ``begin``: with `import_id` itself."""
    if begin:
        yield ledger.import_(import_id)
    while rows := ledger.imports_published_after(district_id, source, import_id, _IMPORTS_AT_ONCE):
        yield from rows
        import_id = int(rows[-1]["import_id"])


def _changes(ledger: SqlLedger, row: Mapping[str, Any], start: _Cursor | None, limit: int) -> Iterator[dict[str, Any]]:
    """Yield the changes of an import, from `start` on where that is in it; no more than `limit` of a table are read."""
    number = int(row["import_id"])
    start = start if start and start.import_id == number else None
    for table in changed_tables(row):
        if start and table < start.table:
            continue
        after = (start.key, start.change) if start and table == start.table else None
        for found in ledger.changes_in(number, table, after=after, limit=limit):
            reason = found["close_reason"]
            yield {"import_id": number, "table": table, "key": found["key"], "change": found["change"], "reason": reason}


def changed_tables(row: Mapping[str, Any]) -> list[str]:
    """Return the tables that an import may have changed, in the order of their names."""
    changes = (row["summary"] or {}).get("changes")
    return sorted(TABLES) if changes is None else sorted(table for table, counts in changes.items() if any(counts.values()))


def require_import_of_feed(row: Mapping[str, Any], district_id: str, source: str) -> None:
    """Check that an import of the ledger is one of the feed, and has ended. Raises BadCursor."""
    if (row["district_id"], row["source"]) != (district_id, source):
        raise BadCursor(problem=f"import {row['import_id']} is not one of {district_id}/{source}")
    if row["finished_at"] is None:
        raise BadCursor(problem=f"import {row['import_id']} has not ended")


def _require_published_after(ledger: SqlLedger, district_id: str, source: str, since: int, import_id: int) -> None:
    """Check that import `import_id`, which a cursor names, is among those that follow `since`. Raises BadCursor."""
    problem = BadCursor(problem="--after belongs to another feed, or to another --since")
    try:
        row = ledger.import_(import_id)
        ended = ledger.import_(since)["finished_at"] if since else None
    except UnknownImport:
        raise problem from None
    of_feed = (row["district_id"], row["source"], row["status"]) == (district_id, source, "published")
    if not of_feed or (ended is not None and (row["finished_at"], import_id) <= (ended, since)):
        raise problem


def _encode_cursor(cursor: _Cursor) -> str:
    return base64.urlsafe_b64encode(json.dumps([*asdict(cursor).values()]).encode()).decode().rstrip("=")


def _decode_cursor(text: str) -> _Cursor:
    try:
        import_id, table, key, change = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        return _Cursor(import_id=int(import_id), table=str(table), key=str(key), change=str(change))
    except (ValueError, TypeError, binascii.Error):
        raise BadCursor(problem="--after is not what a page has given") from None
