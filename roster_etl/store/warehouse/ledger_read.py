"""Read the ledger: imports, their files, findings and checks, holds, and the quarantine.

Belongs here: queries over ledger tables. Rows are returned as dicts by column name; timestamps are aware, in UTC.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa
import sqlalchemy as sa

from roster_etl.canonical.ledger import (
    CHECKS,
    FINDINGS,
    HOLDS,
    IMPORT_COUNTS,
    IMPORT_FILES,
    IMPORTS,
    OVERRIDES,
    REJECTED_ROWS,
    ImportKind,
    ImportStatus,
)
from roster_etl.store.warehouse import bulk_load
from roster_etl.store.warehouse.database import read_rows
from roster_etl.store.warehouse.errors import UnknownImport

IS_QUARANTINED: sa.ColumnElement[bool] = IMPORTS.c.quarantined == sa.true()
"""Whether an import has rows in the quarantine."""
QUARANTINE: pa.Schema = pa.schema(
    [("import_id", pa.int64()), ("file", pa.string()), ("row", pa.int64()), ("code", pa.string()), ("record", pa.string())]
)


def imports(
    connection: sa.Connection,
    district_id: str | None = None,
    source: str | None = None,
    status: ImportStatus | None = None,
    limit: int | None = None,
    file_set: str | None = None,
    *,
    since: int | None = None,
    before: int | None = None,
) -> list[dict[str, Any]]:
    """Return the imports, newest first, filtered by district, feed, file set and status where given.

    Args: since: no import with a lower id; before: only imports with a lower id.
    """
    query = sa.select(IMPORTS).order_by(IMPORTS.c.import_id.desc()).limit(limit)
    if since is not None:
        query = query.where(IMPORTS.c.import_id >= since)
    if before is not None:
        query = query.where(IMPORTS.c.import_id < before)
    return read_rows(connection, _of_imports(query, district_id=district_id, source=source, status=status, file_set=file_set))


def _of_imports(query: sa.Select[Any], **wanted: str | None) -> sa.Select[Any]:
    """Return `query`, for imports that have those of `wanted` that are given."""
    return query.where(*(IMPORTS.c[name] == value for name, value in wanted.items() if value is not None))


def published_imports(
    connection: sa.Connection,
    district_id: str,
    source: str,
    file_set: str | None = None,
    *,
    since: int | None = None,
    before: int | None = None,
    limit: int | None = None,
) -> list[dict[str, Any]]:
    """Return the rows of imports that were published for a feed, newest first: from `since` on, or `limit` of those `before` one."""
    return imports(connection, district_id, source, "published", limit, file_set, since=since, before=before)


def reverted_imports(connection: sa.Connection, district_id: str, source: str) -> tuple[int, ...]:
    """Return the published imports of a feed that left nothing: those that an undo reverted, unless it was undone itself, and the undos."""
    undos = sa.select(IMPORTS.c.import_id, IMPORTS.c.status, IMPORTS.c.summary).order_by(IMPORTS.c.import_id.desc())
    feed = (IMPORTS.c.district_id == district_id, IMPORTS.c.source == source)
    return left_nothing(read_rows(connection, undos.where(*feed, sa.text("kind = 'undo'"))))  # as the index of undos has it


def left_nothing(undos: Iterable[Mapping[str, Any]]) -> tuple[int, ...]:
    """Return the imports that `undos` (newest first) left without effect, and the undos among them that did so."""
    reverted: set[int] = set()
    for row in undos:
        if row["status"] == "published" and row["import_id"] not in reverted:
            reverted |= {row["import_id"], *(row["summary"] or {}).get("undoes", ())}
    return tuple(sorted(reverted))


def import_(connection: sa.Connection, import_id: int) -> dict[str, Any]:
    """Return the import. Raises UnknownImport."""
    found = read_rows(connection, sa.select(IMPORTS).where(IMPORTS.c.import_id == import_id))
    if not found:
        raise UnknownImport(import_id=import_id)
    return found[0]


def import_counts(connection: sa.Connection, district_id: str | None = None) -> list[dict[str, Any]]:
    """Return per feed, kind and status: the number of imports (``imports``), highest ``import_id``, latest ``finished_at``.

    Nothing is counted: each row costs two looks into an index, however many imports there are.
    """
    counts = IMPORT_COUNTS.c
    feed = (counts.district_id, counts.source, counts.kind, counts.status)
    these = [IMPORTS.c[name.name] == name for name in feed]

    def newest(column: sa.Column[Any], *order: sa.Column[Any]) -> sa.ScalarSelect[Any]:
        query = sa.select(column).where(*these).order_by(*(one.desc() for one in order)).limit(1)
        return query.correlate(IMPORT_COUNTS).scalar_subquery()

    numbers = (
        counts.imports,
        newest(IMPORTS.c.import_id, IMPORTS.c.import_id).label("import_id"),
        newest(IMPORTS.c.finished_at, IMPORTS.c.finished_at, IMPORTS.c.import_id).label("finished_at"),
    )
    query = sa.select(*feed, *numbers).where(counts.imports > 0).order_by(*feed)
    return read_rows(connection, query if district_id is None else query.where(counts.district_id == district_id))


def row_counts(connection: sa.Connection, import_ids: Sequence[int]) -> list[dict[str, Any]]:
    """Return row totals per import: ``import_id``, ``rows_read``, ``rows_accepted``, ``rows_rejected``."""
    files = IMPORT_FILES.c
    sums = [
        sa.cast(sa.func.sum(files[name]), sa.BigInteger()).label(name) for name in ("rows_read", "rows_accepted", "rows_rejected")
    ]
    found: list[dict[str, Any]] = []
    for start in range(0, len(import_ids), _IDS_PER_QUERY):
        some = import_ids[start : start + _IDS_PER_QUERY]
        found += read_rows(
            connection, sa.select(files.import_id, *sums).where(files.import_id.in_(some)).group_by(files.import_id)
        )
    return found


def import_times(connection: sa.Connection, import_ids: Sequence[int]) -> list[dict[str, Any]]:
    """Return start and end times of imports: ``import_id``, ``started_at``, ``finished_at``."""
    found: list[dict[str, Any]] = []
    for start in range(0, len(import_ids), _IDS_PER_QUERY):
        some = IMPORTS.c.import_id.in_(import_ids[start : start + _IDS_PER_QUERY])
        found += read_rows(connection, sa.select(IMPORTS.c.import_id, IMPORTS.c.started_at, IMPORTS.c.finished_at).where(some))
    return found


def imports_after(connection: sa.Connection, import_id: int, limit: int) -> list[dict[str, Any]]:
    """Return imports with a higher id, in ascending order."""
    return read_rows(
        connection, sa.select(IMPORTS).where(IMPORTS.c.import_id > import_id).order_by(IMPORTS.c.import_id).limit(limit)
    )


def history(connection: sa.Connection, import_id: int, limit: int) -> list[dict[str, Any]]:
    """Return the last uploads of the feed of `import_id`, up to and including it, oldest first, with row totals.

    Columns: ``import_id``, ``status``, ``finished_at``, ``summary``, ``rows_read``, ``rows_accepted``, ``rows_rejected`` (None:
    no file).
    """
    this, files = IMPORTS.alias("this"), IMPORT_FILES.c
    sums = [
        sa.cast(sa.func.sum(files[name]), sa.BigInteger()).label(name) for name in ("rows_read", "rows_accepted", "rows_rejected")
    ]
    same = (IMPORTS.c.district_id == this.c.district_id, IMPORTS.c.source == this.c.source, IMPORTS.c.kind == "upload")
    newest = (
        sa.select(IMPORTS.c.import_id)
        .join_from(IMPORTS, this, sa.and_(*same, IMPORTS.c.import_id <= this.c.import_id))
        .where(this.c.import_id == import_id)
        .order_by(IMPORTS.c.import_id.desc())
        .limit(limit)
        .subquery()
    )
    chosen = (IMPORTS.c.import_id, IMPORTS.c.status, IMPORTS.c.finished_at, IMPORTS.c.summary)
    rows = (
        sa.select(files.import_id, *sums).join(newest, newest.c.import_id == files.import_id).group_by(files.import_id).subquery()
    )
    query = sa.select(*chosen, *(rows.c[name.name] for name in sums)).join(newest, newest.c.import_id == IMPORTS.c.import_id)
    return read_rows(connection, query.outerjoin(rows, rows.c.import_id == IMPORTS.c.import_id).order_by(IMPORTS.c.import_id))


KEPT_BY_PURGE = ("headers", "settings", "refused")
"""Keys of an import's summary that later uploads are compared with after a purge, too: not its content."""


def last_published(
    connection: sa.Connection,
    district_id: str,
    source: str,
    kind: ImportKind | None = None,
    file_set: str | None = None,
    *,
    before: int | None = None,
) -> dict[str, Any] | None:
    """Return the newest published import of this feed, of `kind` and `file_set`, and `before` an import, if given; None: there is none.

    A purge is one of all file sets of its feed. Of a named one it has, in its summary, what it kept of the import before (KEPT_BY_PURGE).
    """
    wanted = {"district_id": district_id, "source": source, "status": "published", "kind": kind, "file_set": file_set}
    query = _of_imports(sa.select(IMPORTS), **wanted).order_by(IMPORTS.c.import_id.desc()).limit(1)
    query = query if before is None else query.where(IMPORTS.c.import_id < before)
    found = read_rows(connection, query)
    if not found or not file_set or kind is not None:
        return found[0] if found else None
    purge = last_published(connection, district_id, source, "purge", "", before=before)
    return found[0] if purge is None or purge["import_id"] < found[0]["import_id"] else _as_purged(found[0], purge)


def _as_purged(row: Mapping[str, Any], purge: Mapping[str, Any]) -> dict[str, Any]:
    """Return `purge` as the newest import of the file set of `row`, which it came after."""
    whole = purge["summary"].get("purge", {}).get("what") == "district"
    kept = {} if whole else {name: value for name, value in row["summary"].items() if name in KEPT_BY_PURGE}
    return {**purge, "file_set": row["file_set"], "summary": {**purge["summary"], **kept}}


def files(connection: sa.Connection, import_id: int) -> list[dict[str, Any]]:
    """Return the files of the import, ordered by name."""
    query = sa.select(IMPORT_FILES).where(IMPORT_FILES.c.import_id == import_id).order_by(IMPORT_FILES.c.file)
    return read_rows(connection, query)


def checks(connection: sa.Connection, import_id: int) -> list[dict[str, Any]]:
    """Return the gate results of the import, ordered by name."""
    return read_rows(connection, sa.select(CHECKS).where(CHECKS.c.import_id == import_id).order_by(CHECKS.c.name))


_IDS_PER_QUERY = 500  # ids per query

_FINDING = pa.schema([(column.name, pa.int64() if isinstance(column.type, sa.Integer) else pa.string()) for column in FINDINGS.c])
_FOUND = pa.schema([*_FINDING, *((name, pa.int64()) for name in ("size", "total", "nth"))])


def findings(connection: sa.Connection, import_id: int, group_above: int | None = 1000) -> list[dict[str, Any]]:
    """Return the findings of the import in their order.

    More than `group_above` findings with the same severity, code, file, field and cause are grouped into one, without row and
    key, whose count is the sum of theirs.
    """
    if group_above is None:
        every = sa.select(FINDINGS).where(FINDINGS.c.import_id == import_id).order_by(FINDINGS.c.id)
        return list(bulk_load.fetch(connection, every, _FINDING).to_pylist())
    found, group = FINDINGS.c, [FINDINGS.c[name] for name in ("severity", "code", "file", "field", "cause_id")]
    size = sa.func.count().over(partition_by=group)
    total = sa.cast(sa.func.sum(found.count).over(partition_by=group), sa.BigInteger())
    nth = sa.func.row_number().over(partition_by=group, order_by=found.id)
    marked = sa.select(FINDINGS, size.label("size"), total.label("total"), nth.label("nth")).where(found.import_id == import_id)
    chosen = marked.subquery()
    query = sa.select(*(chosen.c[name] for name in _FOUND.names)).order_by(chosen.c.id)
    query = query.where(sa.or_(chosen.c.size <= group_above, chosen.c.nth == 1))
    return [_grouped_finding(row, group_above) for row in bulk_load.fetch(connection, query, _FOUND).to_pylist()]


def _grouped_finding(row: dict[str, Any], group_above: int) -> dict[str, Any]:
    size, total = row.pop("size"), row.pop("total")
    del row["nth"]
    return row if size <= group_above else row | {"row": None, "key": None, "count": int(total)}


def previous_finding_counts(
    connection: sa.Connection, district_id: str, source: str, import_id: int, severities: Sequence[str]
) -> list[dict[str, Any]]:
    """Return the findings of the import that was published for this feed before `import_id`, counted by place.

    Grain: one row a ``code``, ``file`` and ``field``; ``count``: findings of one of `severities`. Empty: none was published before.
    """
    feed = (IMPORTS.c.district_id == district_id, IMPORTS.c.source == source, IMPORTS.c.status == "published")
    before = sa.select(IMPORTS.c.import_id).where(*feed, IMPORTS.c.import_id < import_id)
    before = before.order_by(IMPORTS.c.import_id.desc()).limit(1)
    place = (FINDINGS.c.code, FINDINGS.c.file, FINDINGS.c.field)
    total = sa.cast(sa.func.sum(FINDINGS.c.count), sa.BigInteger()).label("count")
    query = sa.select(*place, total).where(FINDINGS.c.import_id == before.scalar_subquery())
    return read_rows(connection, query.where(FINDINGS.c.severity.in_(severities)).group_by(*place))


def holds(
    connection: sa.Connection, district_id: str | None = None, source: str | None = None, *, undecided: bool = True
) -> list[dict[str, Any]]:
    """Return holds with the district, source and summary of their imports, newest first."""
    about = (IMPORTS.c[name] for name in ("district_id", "source", "file_set", "upload_id", "summary"))
    found: sa.FromClause = HOLDS
    if undecided:  # offset: else SQLite begins with all imports of the feed
        found = sa.select(HOLDS).where(HOLDS.c.decision.is_(None)).offset(0).subquery("chosen")
    query = sa.select(*found.c, *about).join_from(found, IMPORTS, found.c.import_id == IMPORTS.c.import_id)
    query = _of_imports(query, district_id=district_id, source=source)
    return read_rows(connection, query.order_by(found.c.import_id.desc()))


def hold(connection: sa.Connection, import_id: int) -> dict[str, Any] | None:
    """Return the hold of the import; None: it was never held."""
    found = read_rows(connection, sa.select(HOLDS).where(HOLDS.c.import_id == import_id))
    return found[0] if found else None


def quarantined_rows(
    connection: sa.Connection, import_id: int | None = None, district_id: str | None = None, source: str | None = None
) -> pa.Table:
    """Return rejected rows (schema QUARANTINE) of an import, district or feed, ordered by import, file and row."""
    rows = REJECTED_ROWS.c
    query = sa.select(rows.import_id, rows.file, rows.row, rows.code, rows.record)
    if import_id is not None:
        query = query.where(rows.import_id == import_id)
    if district_id is not None or source is not None:
        query = query.join_from(REJECTED_ROWS, IMPORTS, rows.import_id == IMPORTS.c.import_id)
        query = _of_imports(query, district_id=district_id, source=source)
    return bulk_load.fetch(connection, query.order_by(rows.import_id, rows.file, rows.row), QUARANTINE)


OPEN_QUARANTINE: pa.Schema = pa.schema(
    [
        ("import_id", pa.int64()),
        ("file", pa.string()),
        ("kind", pa.string()),
        ("row", pa.int64()),
        ("record", pa.string()),
        ("code", pa.string()),
    ]
)


def open_quarantine(connection: sa.Connection, district_id: str, source: str) -> pa.Table:
    """Return the rejected rows (schema OPEN_QUARANTINE) of a feed's published imports, each once, in order.

    Rows rejected by imports that were not published, or were undone, are excluded: nothing of these is part of the roster.
    """
    rows, files, imports_ = REJECTED_ROWS.c, IMPORT_FILES.c, IMPORTS.c
    query = sa.select(
        rows.import_id,
        rows.file,
        files.kind,
        rows.row,
        sa.func.min(rows.record).label("record"),
        sa.func.min(rows.code).label("code"),
    )
    query = query.join_from(REJECTED_ROWS, IMPORTS, rows.import_id == imports_.import_id)
    query = query.join(IMPORT_FILES, sa.and_(files.import_id == rows.import_id, files.file == rows.file))
    query = query.where(
        imports_.district_id == district_id, imports_.source == source, imports_.status == "published", IS_QUARANTINED
    )
    query = query.where(imports_.import_id.not_in(reverted_imports(connection, district_id, source)))
    query = query.group_by(rows.import_id, rows.file, files.kind, rows.row).order_by(rows.import_id, rows.file, rows.row)
    return bulk_load.fetch(connection, query, OPEN_QUARANTINE)


def quarantined_since(connection: sa.Connection, import_ids: Sequence[int]) -> list[dict[str, Any]]:
    """Return since when the rows that `import_ids` (of one feed) rejected have been rejected, with counts.

    Columns: ``file``, ``code`` (the first of a row), ``since`` (when the first import of the feed began that refused the same cells in the
    same file), ``rows``. Costs one look into an index for each row, however long the history is.
    """
    if not import_ids:
        return []
    rows = REJECTED_ROWS.c
    place = (rows.import_id, rows.file, rows.row)
    now = sa.select(*place, sa.func.min(rows.code).label("code"), sa.func.min(rows.record_hash).label("record_hash"))
    refused = now.where(rows.import_id.in_(import_ids)).group_by(*place).subquery("refused")
    same = REJECTED_ROWS.alias("same")
    since = sa.select(same.c.refused_at).where(same.c.record_hash == refused.c.record_hash, same.c.refused_at.is_not(None))
    first = sa.select(
        refused.c.file, refused.c.code, since.order_by(same.c.refused_at).limit(1).scalar_subquery().label("since")
    ).subquery("first")
    counted = sa.select(first.c.file, first.c.code, first.c.since, sa.func.count().label("rows"))
    order = (first.c.since, first.c.file, first.c.code)
    return read_rows(connection, counted.group_by(first.c.file, first.c.code, first.c.since).order_by(*order))


def overrides(connection: sa.Connection, district_id: str, source: str, *, ended: bool = False) -> list[dict[str, Any]]:
    """Return the active overrides of a feed, oldest first; with `ended`, also the ended ones."""
    kept = OVERRIDES.c
    query = sa.select(OVERRIDES).where(kept.district_id == district_id, kept.source == source)
    query = query if ended else query.where(kept.cleared_at.is_(None))
    return read_rows(connection, query.order_by(kept.override_id))


def sources(connection: sa.Connection, district_id: str | None = None) -> list[str]:
    """Return the formats that were ever imported, for a district if given: then one look into an index for each format."""
    if district_id is None:
        every = sa.select(IMPORTS.c.source).distinct().order_by(IMPORTS.c.source)
        return [str(source) for source in connection.execute(every).scalars()]
    of_district = IMPORTS.c.district_id == district_id
    first = sa.select(sa.func.min(IMPORTS.c.source).label("source")).where(of_district).cte("found", recursive=True)
    following = sa.select(sa.func.min(IMPORTS.c.source)).where(of_district, IMPORTS.c.source > first.c.source).scalar_subquery()
    found = first.union_all(sa.select(following).where(first.c.source.is_not(None)))
    return [str(source) for source in connection.execute(sa.select(found.c.source)).scalars() if source is not None]


def published_sources(connection: sa.Connection, district_id: str) -> list[str]:
    """Return the formats of which something was published for a district, by name."""
    published = (IMPORTS.c.district_id == district_id, IMPORTS.c.status == "published")
    return [
        source
        for source in sources(connection, district_id)
        if connection.execute(sa.select(IMPORTS.c.import_id).where(*published, IMPORTS.c.source == source).limit(1)).first()
    ]
