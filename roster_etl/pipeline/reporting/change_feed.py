"""What changed in a district's roster since an import, in pages: for those who keep a copy of it elsewhere.

Belongs here: the cursor. A page names the next one; what a page holds never changes, so that a reader can stop and go on anywhere.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any

from roster_etl.canonical.roster import TABLES
from roster_etl.pipeline.workspace import Workspace
from roster_etl.spec.errors import PermanentError
from roster_etl.store.warehouse import SqlLedger


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
    with workspace.warehouse.read() as session:
        if since:
            _require_import_of_feed(session.ledger.import_(since), district_id, source)
        published = session.ledger.imports_published_after(district_id, source, since)
        if start and start.import_id not in {row["import_id"] for row in published}:
            raise BadCursor(problem="--after belongs to another feed, or to another --since")
        found = list(islice(_changes(session.ledger, published, start, limit + 1), limit + 1))
    page = [{**row, "key": json.loads(row["key"])} for row in found[:limit]]
    if len(found) <= limit:
        return Page(changes=page, since=published[-1]["import_id"] if published else since, after=None)
    last = found[limit - 1]
    return Page(
        changes=page,
        since=since,
        after=_encode_cursor(_Cursor(**{name: last[name] for name in ("import_id", "table", "key", "change")})),
    )


def _changes(
    ledger: SqlLedger, published: Sequence[Mapping[str, Any]], start: _Cursor | None, limit: int
) -> Iterator[dict[str, Any]]:
    """Yield changes from `start` on; no more than `limit` of a table are read."""
    skipping = start is not None
    for row in published:
        number = int(row["import_id"])
        if start and skipping and number != start.import_id:
            continue
        skipping = False
        for table in _changed_tables(row):
            same = start is not None and start.import_id == number
            if start and same and table < start.table:
                continue
            after = (start.key, start.change) if start and same and table == start.table else None
            for found in ledger.changes_in(number, table, after=after, limit=limit):
                reason = found["close_reason"]
                yield {"import_id": number, "table": table, "key": found["key"], "change": found["change"], "reason": reason}


def _changed_tables(row: Mapping[str, Any]) -> list[str]:
    """Return the tables that an import may have changed, in the order of their names."""
    changes = (row["summary"] or {}).get("changes")
    return sorted(TABLES) if changes is None else sorted(table for table, counts in changes.items() if any(counts.values()))


def _require_import_of_feed(row: Mapping[str, Any], district_id: str, source: str) -> None:
    if (row["district_id"], row["source"]) != (district_id, source):
        raise BadCursor(problem=f"import {row['import_id']} is not one of {district_id}/{source}")
    if row["finished_at"] is None:
        raise BadCursor(problem=f"import {row['import_id']} has not ended")


def _encode_cursor(cursor: _Cursor) -> str:
    return base64.urlsafe_b64encode(json.dumps([*asdict(cursor).values()]).encode()).decode().rstrip("=")


def _decode_cursor(text: str) -> _Cursor:
    try:
        import_id, table, key, change = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        return _Cursor(import_id=int(import_id), table=str(table), key=str(key), change=str(change))
    except (ValueError, TypeError, binascii.Error):
        raise BadCursor(problem="--after is not what a page has given") from None
