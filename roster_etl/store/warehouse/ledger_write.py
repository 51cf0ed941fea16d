"""Write the ledger, inside the caller's transaction: the start, progress and end of imports, and decisions about held ones."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from roster_etl.canonical.ledger import (
    CHECKS,
    FINDINGS,
    HOLDS,
    IMPORT_COUNTS,
    IMPORT_FILES,
    IMPORTS,
    OVERRIDES,
    REJECTED_ROWS,
    Decision,
    ImportKind,
)
from roster_etl.spec.findings import Finding
from roster_etl.store.fault_injection import fault_point
from roster_etl.store.warehouse import bulk_load, locks, quarantine, waiting_rows
from roster_etl.store.warehouse.errors import ImportNotRunning, NoHold, UnknownImport
from roster_etl.store.warehouse.import_result import (
    REJECTED_ROWS_SCHEMA,
    Check,
    Edit,
    Hold,
    ImportFile,
    ImportResult,
)

_FINDING_COLUMNS = ("severity", "code", "file", "row", "field", "key", "message", "cause_id", "count")
_IDS_PER_STATEMENT = 500
_NUMBERS = {"row", "count", "cause_id"}


def open_import(connection: sa.Connection, **columns: Any) -> int:
    """Insert an import with status ``running``, and return its id."""
    inserted = sa.insert(IMPORTS).values(status="running", summary={}, **columns).returning(IMPORTS.c.import_id)
    number = int(connection.execute(inserted).scalar_one())
    if columns.get("import_id") is not None and connection.dialect.name == "postgresql":
        # An explicit id (a rebuild keeps the ids) does not advance the sequence.
        newest = sa.select(sa.func.max(IMPORTS.c.import_id)).scalar_subquery()
        connection.execute(sa.select(sa.func.setval(sa.func.pg_get_serial_sequence("imports", "import_id"), newest)))
    _count(connection, columns, {"running": 1})
    return number


def lock_import(connection: sa.Connection, import_id: int, *expected: str) -> sa.RowMapping:
    """Return the import's row, locked with its district, if its status is one of `expected`. Raises UnknownImport, ImportNotRunning."""
    locks.lock_district_of(connection, import_id)
    query = sa.select(IMPORTS).where(IMPORTS.c.import_id == import_id).with_for_update()
    row = connection.execute(query).mappings().first()
    if row is None:
        raise UnknownImport(import_id=import_id)
    if row["status"] not in expected:
        raise ImportNotRunning(import_id=import_id, status=row["status"], expected=" or ".join(expected))
    return row


def update_import(connection: sa.Connection, import_id: int, **columns: Any) -> None:
    """Update columns of the import's row; who writes a status has locked it."""
    if (status := columns.get("status")) is not None:
        about = sa.select(IMPORTS.c.district_id, IMPORTS.c.source, IMPORTS.c.kind, IMPORTS.c.status)
        before = connection.execute(about.where(IMPORTS.c.import_id == import_id)).mappings().one()
        _count(connection, dict(before), {before["status"]: -1, status: 1} if before["status"] != status else {})
    connection.execute(sa.update(IMPORTS).where(IMPORTS.c.import_id == import_id).values(**columns))


def _count(connection: sa.Connection, feed: Mapping[str, Any], steps: Mapping[str, int]) -> None:
    """Add `steps` (status → number) to the counts of a feed's imports; always in the same order, so that two sessions never block each other."""
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    for status, step in sorted(steps.items()):
        row = {name: feed[name] for name in ("district_id", "source", "kind")}
        added = insert(IMPORT_COUNTS).values(**row, status=status, imports=step)
        total = {"imports": IMPORT_COUNTS.c.imports + step}
        connection.execute(added.on_conflict_do_update(index_elements=list(IMPORT_COUNTS.primary_key), set_=total))


def conclude(connection: sa.Connection, import_result: ImportResult) -> None:
    """Write the result of an import, replacing that of an earlier attempt."""
    number = import_result.import_id
    if import_result.files is not None:
        replace_files(connection, number, import_result.files)
    if import_result.checks is not None:
        _replace_checks(connection, number, import_result.checks)
    if import_result.findings is not None:
        _replace_rows(connection, FINDINGS, number, number_findings(import_result.findings))
    if import_result.rejected_rows is not None:
        replace_rejected(connection, number, import_result.rejected_rows)
    if import_result.released_rows is not None:
        quarantine.take_out(connection, number, import_result.released_rows)
    if import_result.waiting is not None:
        waiting_rows.record_waits(connection, number, import_result.waiting)
    for edit in import_result.edits:
        _apply_edit(connection, number, edit, import_result.finished_at)
    if import_result.hold is not None:
        _insert_hold(connection, number, import_result.hold)
    finished = import_result.finished_at
    update_import(connection, number, status=import_result.status, finished_at=finished, summary=dict(import_result.summary))


def replace_files(connection: sa.Connection, import_id: int, files: Sequence[ImportFile]) -> None:
    """Replace the import's file rows."""
    connection.execute(sa.delete(IMPORT_FILES).where(IMPORT_FILES.c.import_id == import_id))
    if files:
        connection.execute(sa.insert(IMPORT_FILES), [{"import_id": import_id, **asdict(file)} for file in files])


def add_finding(connection: sa.Connection, import_id: int, finding: Finding) -> None:
    """Insert a finding with the next number of its import."""
    number = connection.execute(
        sa.select(sa.func.coalesce(sa.func.max(FINDINGS.c.id), 0)).where(FINDINGS.c.import_id == import_id)
    )
    columns = {name: getattr(finding, name) for name in ("severity", "code", "file", "row", "field", "key", "message", "count")}
    connection.execute(sa.insert(FINDINGS).values(import_id=import_id, id=int(number.scalar_one()) + 1, **columns))


def decide_hold(connection: sa.Connection, import_id: int, decision: Decision, by: str, at: datetime) -> None:
    """Record the decision about a held import. Raises NoHold."""
    decided = sa.update(HOLDS).where(HOLDS.c.import_id == import_id, HOLDS.c.decision.is_(None))
    decided = decided.values(decision=decision, decided_by=by, decided_at=at)
    if connection.execute(decided.returning(HOLDS.c.import_id)).first() is None:
        raise NoHold(import_id=import_id)


def is_approved(connection: sa.Connection, import_id: int) -> bool:
    """Return whether a person has approved the held import."""
    query = sa.select(HOLDS.c.decision).where(HOLDS.c.import_id == import_id)
    return connection.execute(query).scalar() == "approved"


def supersede_holds(
    connection: sa.Connection,
    district_id: str,
    source: str,
    by_import: int,
    at: datetime,
    *,
    before: int | None = None,
    kind: ImportKind | None = None,
) -> list[int]:
    """Mark the other open holds of the same feed and file set as superseded by `by_import`.

    Args:    before: only holds of imports with a smaller number; None: all. kind: only holds of imports of this kind.
    Returns: the ids of their imports.
    """
    locks.lock(connection, district_id)
    newer = IMPORTS.alias("newer")
    file_set = sa.select(newer.c.file_set).where(newer.c.import_id == by_import).scalar_subquery()
    # Asked of each open hold, of which there are few: a list of all older imports would grow with the history.
    of_feed = sa.exists().where(
        IMPORTS.c.import_id == HOLDS.c.import_id,
        IMPORTS.c.district_id == district_id,
        IMPORTS.c.source == source,
        IMPORTS.c.file_set == file_set,
        *([IMPORTS.c.kind == kind] if kind else []),
    )
    others = [HOLDS.c.import_id != by_import, *([HOLDS.c.import_id < before] if before is not None else [])]
    decided = sa.update(HOLDS).where(HOLDS.c.decision.is_(None), *others, of_feed)
    decided = decided.values(decision="superseded", decided_by=f"import {by_import}", decided_at=at)
    return sorted(connection.execute(decided.returning(HOLDS.c.import_id)).scalars())


def record_closed_holds(connection: sa.Connection, by_import: int, closed: Sequence[int]) -> None:
    """Add the holds of imports `closed` to ``closed_holds`` in the summary of the import that closed them."""
    facts = sa.select(HOLDS.c.import_id, IMPORTS.c.kind, HOLDS.c.reason).join_from(
        HOLDS, IMPORTS, HOLDS.c.import_id == IMPORTS.c.import_id
    )
    rows = connection.execute(facts.where(HOLDS.c.import_id.in_(closed)).order_by(HOLDS.c.import_id)).mappings()
    summary = connection.execute(sa.select(IMPORTS.c.summary).where(IMPORTS.c.import_id == by_import)).scalar_one() or {}
    all_closed = [*summary.get("closed_holds", ()), *map(dict, rows)]
    update_import(connection, by_import, summary={**summary, "closed_holds": all_closed})


def number_findings(findings: pa.Table) -> pa.Table:
    """Return findings with ``id`` (1 … n within the import), and ``cause_id`` instead of the cause's file and row.

    The cause of a finding is the first finding of severity ``reject`` about that file and row. If the cause has no row, it is the
    first one that rejects the whole file or many of its rows, else any. A negative row stands for a record that is missing from
    the upload (``engine.validation.missing_records``): one of several findings about it is kept, and its row becomes NULL.
    """
    findings = _drop_repeated_missing_records(findings)
    ids = pa.array(range(1, findings.num_rows + 1), pa.int64())
    findings = findings.append_column("cause_id", _cause_ids(findings, ids))
    row = findings["row"]
    findings = findings.set_column(
        findings.schema.get_field_index("row"), "row", pc.if_else(pc.less(row, 0), pa.scalar(None, row.type), row)
    )
    columns = [findings[name].cast(pa.int64() if name in _NUMBERS else pa.string()) for name in _FINDING_COLUMNS]
    return pa.table([ids, *columns], names=["id", *_FINDING_COLUMNS])


def _drop_repeated_missing_records(findings: pa.Table) -> pa.Table:
    """Return `findings` with only the first one about each missing record (negative row)."""
    places = pc.if_else(
        pc.less(findings["row"], 0), _location_keys(findings["file"], findings["row"]), pa.scalar(None, pa.string())
    )
    if places.null_count == len(places):
        return findings
    order = pa.array(range(findings.num_rows), pa.int64())
    first = pa.table({"place": places, "at": order}).drop_null().group_by("place").aggregate([("at", "min")])["at_min"]
    return findings.filter(pc.or_(pc.is_null(places), pc.is_in(order, value_set=first.combine_chunks())))


def _cause_ids(findings: pa.Table, ids: pa.Array) -> pa.ChunkedArray:
    severity, row = findings["severity"], findings["row"]
    refused = pc.equal(severity, "reject")
    whole = pc.or_(pc.is_in(severity, value_set=pa.array(["file", "upload"])), pc.and_(refused, pc.is_null(row)))
    file, no_row = findings["cause_file"], pc.is_null(findings["cause_row"])
    of_file = pc.if_else(no_row, file, pa.scalar(None, pa.string()))
    return pc.coalesce(
        _first_ids(_location_keys(findings["file"], row), refused, ids, _location_keys(file, findings["cause_row"])),
        _first_ids(findings["file"], whole, ids, of_file),
        _first_ids(findings["file"], refused, ids, of_file),
    )


def _first_ids(locations: pa.ChunkedArray, chosen: pa.ChunkedArray, ids: pa.Array, wanted: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return the id of the first of the `chosen` findings at each of the `wanted` locations, null if there is none."""
    first = pa.table({"place": locations, "id": ids}).filter(chosen).group_by("place").aggregate([("id", "min")])
    found = pc.index_in(wanted, value_set=first["place"].combine_chunks(), skip_nulls=True)
    return pc.take(first["id_min"], found)


def _location_keys(files: pa.ChunkedArray, rows: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.binary_join_element_wise(files, rows.cast(pa.string()), "\x1f")


def replace_rejected(connection: sa.Connection, import_id: int, rejected: pa.Table) -> None:
    """Write the refused rows (schema REJECTED) of the import, instead of those that the ledger has. Raises UnknownImport."""
    _replace_rows(connection, REJECTED_ROWS, import_id, _with_identity(connection, import_id, rejected))
    waiting_rows.forget_imports(connection, [import_id])
    update_import(connection, import_id, quarantined=bool(rejected.num_rows))


def _with_identity(connection: sa.Connection, import_id: int, rejected: pa.Table) -> pa.Table:
    """Return `rejected` (schema REJECTED) with ``record_hash`` and ``refused_at``, which find the same cells in other imports.

    The hash is of district, format, file and record. The moment is when the import began. Raises UnknownImport.
    """
    about = sa.select(IMPORTS.c.district_id, IMPORTS.c.source, IMPORTS.c.started_at).where(IMPORTS.c.import_id == import_id)
    found = connection.execute(about).one_or_none()
    if found is None:
        raise UnknownImport(import_id=import_id)
    rejected = rejected.select(REJECTED_ROWS_SCHEMA.names).cast(REJECTED_ROWS_SCHEMA)
    begin = hashlib.sha256(f"{found.district_id}\x1f{found.source}".encode())
    places = zip(rejected["file"].to_pylist(), rejected["record"].to_pylist(), strict=True)
    hashes = pa.array([_record_hash(begin, file, record) for file, record in places], pa.string())
    moments = pa.repeat(pa.scalar(found.started_at, pa.timestamp("us", tz="UTC")), rejected.num_rows)
    return rejected.append_column("record_hash", hashes).append_column("refused_at", moments)


def _record_hash(begin: Any, file: str, record: str) -> str:
    """Return the hash of a record, continued from that of its feed. Migration 0004 computes the same."""
    made = begin.copy()
    made.update(f"\x1f{file}\x1f{record}".encode())
    return str(made.hexdigest()[:32])


def _replace_rows(connection: sa.Connection, table: sa.Table, import_id: int, rows: pa.Table) -> None:
    connection.execute(sa.delete(table).where(table.c.import_id == import_id))
    if rows.num_rows:
        bulk_load.insert(connection, table, rows, import_id=sa.literal(import_id, sa.BigInteger()))


def batched_ids(import_ids: Collection[int]) -> Iterator[list[int]]:
    """Yield numbers of imports in order, as many at a time as a statement takes."""
    numbers = sorted(import_ids)
    for start in range(0, len(numbers), _IDS_PER_STATEMENT):
        yield numbers[start : start + _IDS_PER_STATEMENT]


def _apply_edit(connection: sa.Connection, import_id: int, edit: Edit, at: datetime) -> None:
    """End the active override of a record's column, and begin the new one, if any."""
    feed = connection.execute(sa.select(IMPORTS.c.district_id, IMPORTS.c.source).where(IMPORTS.c.import_id == import_id)).one()
    place = {
        "district_id": feed.district_id,
        "source": feed.source,
        "table_name": edit.table,
        "key": edit.key,
        "field": edit.field,
    }
    ended = sa.update(OVERRIDES).where(OVERRIDES.c.cleared_at.is_(None), *(OVERRIDES.c[name] == v for name, v in place.items()))
    connection.execute(ended.values(cleared_at=at))
    if edit.begins:
        by = edit.by or f"import {import_id}"
        connection.execute(sa.insert(OVERRIDES).values(**place, value=edit.value, set_by=by, set_at=at))


def _replace_checks(connection: sa.Connection, import_id: int, checks: Sequence[Check]) -> None:
    connection.execute(sa.delete(CHECKS).where(CHECKS.c.import_id == import_id))
    rows = [
        {"import_id": import_id, "name": c.name, "passed": c.passed, "severity": c.severity, "details": dict(c.details)}
        for c in checks
    ]
    if rows:
        connection.execute(sa.insert(CHECKS), rows)


def _insert_hold(connection: sa.Connection, import_id: int, hold: Hold) -> None:
    connection.execute(sa.delete(HOLDS).where(HOLDS.c.import_id == import_id))
    connection.execute(sa.insert(HOLDS).values(import_id=import_id, **asdict(hold)))
    fault_point("hold.record")
