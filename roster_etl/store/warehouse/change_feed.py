"""Read the view ``changes`` in pages: the change feed (CDC) of each import and record.

Belongs here: the order of imports and records, which is stable once an import is published.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from roster_etl.canonical.ledger import IMPORTS
from roster_etl.store.warehouse.ledger_read import import_

_CHANGES = sa.table(
    "changes",
    *(sa.column(name) for name in ("import_id", "district_id", "source", "table_name", "key", "change", "close_reason")),
)


def imports_published_after(
    connection: sa.Connection, district_id: str, source: str, import_id: int, limit: int
) -> list[dict[str, Any]]:
    """Return the next imports published for a feed after import `import_id` ended (0: from the first), in publishing order.

    The order is that of publishing times, not of import ids, which follow the start of imports. Raises UnknownImport.
    """
    columns = (IMPORTS.c.import_id, IMPORTS.c.finished_at, IMPORTS.c.kind, IMPORTS.c.summary)
    query = sa.select(*columns).where(
        IMPORTS.c.district_id == district_id, IMPORTS.c.source == source, IMPORTS.c.status == "published"
    )
    if import_id:
        ended = import_(connection, import_id)["finished_at"]
        # A range of the index on (feed, status, finished_at); of the same moment, only the later numbers.
        query = query.where(
            IMPORTS.c.finished_at >= ended, sa.or_(IMPORTS.c.finished_at > ended, IMPORTS.c.import_id > import_id)
        )
    rows = connection.execute(query.order_by(IMPORTS.c.finished_at, IMPORTS.c.import_id).limit(limit)).mappings()
    return [dict(row) for row in rows]


def changes_in(
    connection: sa.Connection, import_id: int, table: str, after: tuple[str, str] | None, limit: int
) -> list[dict[str, Any]]:
    """Return an import's changes to one table: ``key`` (JSON), ``change``, ``close_reason``; ordered by key and change."""
    found = _CHANGES.c
    key = sa.cast(found.key, sa.Text()).collate("C") if connection.dialect.name == "postgresql" else found.key
    query = sa.select(found.key, found.change, found.close_reason).where(found.import_id == import_id, found.table_name == table)
    if after is not None:
        query = query.where(sa.or_(key > after[0], sa.and_(key == after[0], found.change > after[1])))
    return [dict(row) for row in connection.execute(query.order_by(key, found.change).limit(limit)).mappings()]
