"""Read and write what the rows in the quarantine of delta formats wait for."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from roster_etl.canonical.ledger import IMPORT_FILES, IMPORTS, REJECTED_ROWS, WAITING_FEEDS, WAITING_FOR
from roster_etl.store.warehouse import bulk_load
from roster_etl.store.warehouse.import_result import RELEASED_ROWS_SCHEMA, WaitingRows
from roster_etl.store.warehouse.ledger_read import IS_QUARANTINED, OPEN_QUARANTINE, reverted_imports

_PLACE = RELEASED_ROWS_SCHEMA.names
_TEXT, _NUMBER = sa.Text(), sa.BigInteger()


def waits_recorded(connection: sa.Connection, district_id: str, source: str) -> dict[str, Any] | None:
    """Return ``import_id`` and ``basis`` of the feed; None: it is not recorded what its rows wait for."""
    feed = (WAITING_FEEDS.c.district_id == district_id, WAITING_FEEDS.c.source == source)
    found = connection.execute(sa.select(WAITING_FEEDS.c.import_id, WAITING_FEEDS.c.basis).where(*feed)).mappings().first()
    return dict(found) if found else None


def has_quarantine(connection: sa.Connection, district_id: str, source: str) -> bool:
    """Return whether a published import of the feed that was not undone has rows in the quarantine."""
    feed = (IMPORTS.c.district_id == district_id, IMPORTS.c.source == source, IMPORTS.c.status == "published", IS_QUARANTINED)
    counts = IMPORTS.c.import_id.not_in(reverted_imports(connection, district_id, source))
    return connection.execute(sa.select(IMPORTS.c.import_id).where(*feed, counts).limit(1)).first() is not None


def rows_waiting_for(connection: sa.Connection, district_id: str, source: str, awaits: pa.Array) -> pa.Table:
    """Return the rows in the feed's quarantine (OPEN_QUARANTINE) that wait for one of the hashes `awaits`, each once, in order.

    Costs what is asked for and found, not what waits.
    """
    staged = bulk_load.stage(connection, "wanted_waits", pa.table({"awaits": awaits}))
    # SQLite keeps the order of a CROSS JOIN.
    both = sa.text(f"{staged.name} CROSS JOIN {WAITING_FOR.name}")
    same = sa.text(f"{WAITING_FOR.name}.awaits = {staged.name}.awaits")
    place: list[Any] = [
        sa.literal_column(f'{WAITING_FOR.name}."{name}"', _TEXT if name == "file" else _NUMBER) for name in _PLACE
    ]
    query = sa.select(*place).distinct().select_from(both).where(same)
    found = bulk_load.fetch(connection, query, RELEASED_ROWS_SCHEMA, staged)
    return _quarantined_at(connection, (district_id, source), found) if found.num_rows else OPEN_QUARANTINE.empty_table()


def _quarantined_at(connection: sa.Connection, feed: tuple[str, str], places: pa.Table) -> pa.Table:
    staged = bulk_load.stage(connection, "wanted_rows", places)
    rejected, files, imports_ = REJECTED_ROWS.name, IMPORT_FILES.name, IMPORTS.name
    joined = sa.text(f"{staged.name} CROSS JOIN {rejected} CROSS JOIN {imports_} CROSS JOIN {files}")
    same = [f'{rejected}."{name}" = {staged.name}."{name}"' for name in _PLACE]
    same += [f"{imports_}.import_id = {rejected}.import_id"]
    same += [f"{files}.import_id = {rejected}.import_id", f"{files}.file = {rejected}.file"]
    texts = {name: sa.literal_column(f"{rejected}.{name}", _TEXT) for name in ("file", "record", "code")}
    import_id, row = (sa.literal_column(f'{rejected}."{name}"', _NUMBER) for name in ("import_id", "row"))
    kind = sa.literal_column(f"{files}.kind", _TEXT)
    of_feed = zip(("district_id", "source", "status"), (*feed, "published"), strict=True)
    columns: list[Any] = [
        import_id,
        texts["file"],
        kind,
        row,
        sa.func.min(texts["record"]).label("record"),
        sa.func.min(texts["code"]).label("code"),
    ]
    query = (
        sa.select(*columns)
        .select_from(joined)
        .where(*map(sa.text, same), *(sa.literal_column(f"{imports_}.{name}", _TEXT) == value for name, value in of_feed))
        .where(import_id.not_in(reverted_imports(connection, *feed)))
    )
    query = query.group_by(import_id, texts["file"], kind, row).order_by(import_id, texts["file"], row)
    return bulk_load.fetch(connection, query, OPEN_QUARANTINE, staged)


def record_waits(connection: sa.Connection, import_id: int, waiting: WaitingRows) -> None:
    """Write what the rows of import `import_id` and the `tried` rows of earlier ones wait for; without a basis, forget it for the feed."""
    feed = connection.execute(sa.select(IMPORTS.c.district_id, IMPORTS.c.source).where(IMPORTS.c.import_id == import_id)).one()
    if waiting.basis is None:
        forget_feeds(connection, *feed)
        return
    forget_rows(connection, waiting.tried)
    if waiting.awaited.num_rows:
        bulk_load.insert(connection, WAITING_FOR, waiting.awaited)
    _record_others(connection, import_id, waiting.otherwise)
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    values = {"import_id": import_id, "basis": waiting.basis}
    added = insert(WAITING_FEEDS).values(district_id=feed.district_id, source=feed.source, **values)
    connection.execute(added.on_conflict_do_update(index_elements=list(WAITING_FEEDS.primary_key), set_=values))


def _record_others(connection: sa.Connection, import_id: int, awaits: int) -> None:
    """Have the rows of an import of which nothing is recorded wait for `awaits`."""
    rows, known = REJECTED_ROWS.c, WAITING_FOR.c
    is_known = sa.exists().where(known.import_id == rows.import_id, known.file == rows.file, known.row == rows.row)
    others = sa.select(rows.import_id, rows.file, rows.row, sa.literal(awaits, sa.BigInteger())).distinct()
    others = others.where(rows.import_id == import_id, ~is_known)
    connection.execute(sa.insert(WAITING_FOR).from_select([*_PLACE, "awaits"], others))


def forget_rows(connection: sa.Connection, places: pa.Table) -> None:
    """Delete what rows (RELEASED_ROWS_SCHEMA) wait for."""
    if not places.num_rows:
        return
    staged = bulk_load.stage(connection, "leaving_waits", places.select(_PLACE).cast(RELEASED_ROWS_SCHEMA))
    place = sa.tuple_(*(WAITING_FOR.c[name] for name in _PLACE))
    connection.execute(sa.delete(WAITING_FOR).where(place.in_(sa.select(*(staged.c[name] for name in _PLACE)))))
    bulk_load.unstage(connection, staged)


def forget_feeds(connection: sa.Connection, district_id: str, *sources: str) -> None:
    """Have the next import of these feeds of a district, or of all its feeds, try all rows of the quarantine again."""
    which = [WAITING_FEEDS.c.source.in_(sources)] if sources else []
    connection.execute(sa.delete(WAITING_FEEDS).where(WAITING_FEEDS.c.district_id == district_id, *which))


def forget_row(connection: sa.Connection, import_id: int, file: str, row: int) -> None:
    """Delete what one row waits for."""
    known = WAITING_FOR.c
    connection.execute(sa.delete(WAITING_FOR).where(known.import_id == import_id, known.file == file, known.row == row))


def forget_imports(connection: sa.Connection, import_ids: Collection[int]) -> None:
    """Delete what the rows of imports wait for."""
    connection.execute(sa.delete(WAITING_FOR).where(WAITING_FOR.c.import_id.in_(import_ids)))
