"""Reading the ledger: imports, their files, findings and checks, holds, and the quarantine.

Belongs here: queries over ledger tables. Rows come back as plain dicts with the columns' names; moments are aware, in UTC.
"""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import sqlalchemy as sa

from roster_etl.canonical.ledger import (
    CHECKS,
    FINDINGS,
    HOLDS,
    IMPORT_FILES,
    IMPORTS,
    OVERRIDES,
    REJECTED_ROWS,
    ImportKind,
    ImportStatus,
)
from roster_etl.store.warehouse import bulk
from roster_etl.store.warehouse.errors import UnknownImport

QUARANTINE: pa.Schema = pa.schema(
    [("import_id", pa.int64()), ("file", pa.string()), ("row", pa.int64()), ("code", pa.string()), ("record", pa.string())]
)


def imports(
    connection: sa.Connection,
    district_id: str | None = None,
    source: str | None = None,
    status: ImportStatus | None = None,
    limit: int | None = None,
) -> list[dict[str, Any]]:
    """Return the imports, newest first; all of them, or those of a district, a feed or a status."""
    query = sa.select(IMPORTS).order_by(IMPORTS.c.import_id.desc()).limit(limit)
    for column, wanted in ((IMPORTS.c.district_id, district_id), (IMPORTS.c.source, source), (IMPORTS.c.status, status)):
        if wanted is not None:
            query = query.where(column == wanted)
    return _dicts(connection, query)


def import_(connection: sa.Connection, import_id: int) -> dict[str, Any]:
    """Return the import. Raises UnknownImport."""
    found = _dicts(connection, sa.select(IMPORTS).where(IMPORTS.c.import_id == import_id))
    if not found:
        raise UnknownImport(import_id=import_id)
    return found[0]


def last_published(connection: sa.Connection, district_id: str, source: str, kind: ImportKind | None) -> dict[str, Any] | None:
    """Return the newest import that was published for this feed, of `kind` if given; None: none was."""
    query = sa.select(IMPORTS).where(
        IMPORTS.c.district_id == district_id, IMPORTS.c.source == source, IMPORTS.c.status == "published"
    )
    if kind is not None:
        query = query.where(IMPORTS.c.kind == kind)
    found = _dicts(connection, query.order_by(IMPORTS.c.import_id.desc()).limit(1))
    return found[0] if found else None


def files(connection: sa.Connection, import_id: int) -> list[dict[str, Any]]:
    """Return the files of the import, by name."""
    query = sa.select(IMPORT_FILES).where(IMPORT_FILES.c.import_id == import_id).order_by(IMPORT_FILES.c.file)
    return _dicts(connection, query)


def checks(connection: sa.Connection, import_id: int) -> list[dict[str, Any]]:
    """Return the verdicts of the import's gates, by name."""
    return _dicts(connection, sa.select(CHECKS).where(CHECKS.c.import_id == import_id).order_by(CHECKS.c.name))


_FOUND = pa.schema(
    [(column.name, pa.int64() if isinstance(column.type, sa.Integer) else pa.string()) for column in FINDINGS.c]
    + [(name, pa.int64()) for name in ("size", "total", "nth")]
)


def findings(connection: sa.Connection, import_id: int, fold: int | None) -> list[dict[str, Any]]:
    """Return the findings of the import in their order.

    More than `fold` of one severity, code, file, field and cause become one, without row and key, whose count is the sum of theirs.
    """
    found, group = FINDINGS.c, [FINDINGS.c[name] for name in ("severity", "code", "file", "field", "cause_id")]
    size = sa.func.count().over(partition_by=group)
    total = sa.cast(sa.func.sum(found.count).over(partition_by=group), sa.BigInteger())
    nth = sa.func.row_number().over(partition_by=group, order_by=found.id)
    marked = sa.select(FINDINGS, size.label("size"), total.label("total"), nth.label("nth")).where(found.import_id == import_id)
    chosen = marked.subquery()
    query = sa.select(*(chosen.c[name] for name in _FOUND.names)).order_by(chosen.c.id)
    if fold is not None:
        query = query.where(sa.or_(chosen.c.size <= fold, chosen.c.nth == 1))
    return [_folded(row, fold) for row in bulk.fetch(connection, query, _FOUND).to_pylist()]


def _folded(row: dict[str, Any], fold: int | None) -> dict[str, Any]:
    size, total = row.pop("size"), row.pop("total")
    del row["nth"]
    return row if fold is None or size <= fold else row | {"row": None, "key": None, "count": int(total)}


def holds(
    connection: sa.Connection, district_id: str | None = None, source: str | None = None, *, undecided: bool
) -> list[dict[str, Any]]:
    """Return holds with the district, source and summary of their imports, newest first."""
    query = sa.select(HOLDS, IMPORTS.c.district_id, IMPORTS.c.source, IMPORTS.c.upload_id, IMPORTS.c.summary)
    query = query.join_from(HOLDS, IMPORTS, HOLDS.c.import_id == IMPORTS.c.import_id).order_by(HOLDS.c.import_id.desc())
    if undecided:
        query = query.where(HOLDS.c.decision.is_(None))
    for column, wanted in ((IMPORTS.c.district_id, district_id), (IMPORTS.c.source, source)):
        if wanted is not None:
            query = query.where(column == wanted)
    return _dicts(connection, query)


def hold(connection: sa.Connection, import_id: int) -> dict[str, Any] | None:
    """Return the hold of the import; None: it was never held."""
    found = _dicts(connection, sa.select(HOLDS).where(HOLDS.c.import_id == import_id))
    return found[0] if found else None


def quarantined(
    connection: sa.Connection, import_id: int | None = None, district_id: str | None = None, source: str | None = None
) -> pa.Table:
    """Return rejected rows (schema QUARANTINE) of an import, or of a district or feed, in the order of imports, files and rows."""
    rows = REJECTED_ROWS.c
    query = sa.select(rows.import_id, rows.file, rows.row, rows.code, rows.record)
    if import_id is not None:
        query = query.where(rows.import_id == import_id)
    if district_id is not None or source is not None:
        query = query.join_from(REJECTED_ROWS, IMPORTS, rows.import_id == IMPORTS.c.import_id)
        for column, wanted in ((IMPORTS.c.district_id, district_id), (IMPORTS.c.source, source)):
            if wanted is not None:
                query = query.where(column == wanted)
    return bulk.fetch(connection, query.order_by(rows.import_id, rows.file, rows.row), QUARANTINE)


OPEN_QUARANTINE: pa.Schema = pa.schema(
    [("import_id", pa.int64()), ("file", pa.string()), ("kind", pa.string()), ("row", pa.int64()), ("record", pa.string())]
)


def open_quarantine(connection: sa.Connection, district_id: str, source: str) -> pa.Table:
    """Return the refused rows (schema OPEN_QUARANTINE) of a feed's published imports, each once, in their order.

    What an import refused that was not published itself was never part of the roster's history.
    """
    rows, files, imports_ = REJECTED_ROWS.c, IMPORT_FILES.c, IMPORTS.c
    query = sa.select(rows.import_id, rows.file, files.kind, rows.row, sa.func.min(rows.record).label("record"))
    query = query.join_from(REJECTED_ROWS, IMPORTS, rows.import_id == imports_.import_id)
    query = query.join(IMPORT_FILES, sa.and_(files.import_id == rows.import_id, files.file == rows.file))
    query = query.where(imports_.district_id == district_id, imports_.source == source, imports_.status == "published")
    query = query.group_by(rows.import_id, rows.file, files.kind, rows.row).order_by(rows.import_id, rows.file, rows.row)
    return bulk.fetch(connection, query, OPEN_QUARANTINE)


def overrides(connection: sa.Connection, district_id: str, source: str, *, ended: bool = False) -> list[dict[str, Any]]:
    """Return the overrides of a feed that are in force, oldest first; with `ended`, those that were, too."""
    kept = OVERRIDES.c
    query = sa.select(OVERRIDES).where(kept.district_id == district_id, kept.source == source)
    query = query if ended else query.where(kept.cleared_at.is_(None))
    return _dicts(connection, query.order_by(kept.override_id))


def sources(connection: sa.Connection, district_id: str | None) -> list[str]:
    """Return the formats that were ever imported, for a district if given."""
    query = sa.select(IMPORTS.c.source).distinct().order_by(IMPORTS.c.source)
    if district_id is not None:
        query = query.where(IMPORTS.c.district_id == district_id)
    return [str(source) for source in connection.execute(query).scalars()]


def _dicts(connection: sa.Connection, query: sa.Select[Any]) -> list[dict[str, Any]]:
    return [dict(row) for row in connection.execute(query).mappings()]
