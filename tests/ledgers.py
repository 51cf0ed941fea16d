"""Ledger rows made by hand, for tests of what is told of imports."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa

from roster_etl.frames.arrow import findings_table
from roster_etl.pipeline.workspace import Workspace
from roster_etl.spec.findings import Finding
from roster_etl.store.warehouse import REJECTED_ROWS_SCHEMA, Hold, ImportFile, ImportResult, Warehouse

NOON = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)
FILE = ImportFile(
    file="students.csv", kind="students", sha256="0" * 64, bytes=10, rows_read=100, rows_accepted=98, rows_rejected=2
)


class _InTransaction:
    def __init__(self, warehouse: Warehouse) -> None:
        self._warehouse = warehouse

    def __getattr__(self, statement: str) -> Callable[..., Any]:
        def run(*args: Any, **kwargs: Any) -> Any:
            with self._warehouse.write() as tx:
                return getattr(tx, statement)(*args, **kwargs)

        return run


def in_transaction(warehouse: Warehouse) -> Any:
    """Return the statements of a write session, each in a transaction of its own: ``in_transaction(warehouse).conclude(result)``."""
    return _InTransaction(warehouse)


def ended(
    workspace: Workspace,
    status: str,
    *,
    district: str = "lincoln",
    source: str = "clever",
    at: datetime = NOON,
    findings: Sequence[Finding] = (),
    files: Sequence[ImportFile] = (FILE,),
    summary: Mapping[str, Any] | None = None,
    rejected: Sequence[Mapping[str, Any]] = (),
    kind: str = "upload",
) -> int:
    """Enter an import that ended as `status` at the moment `at`, and return its number; ``running``: it has not.

    Args: rejected: rows of the quarantine.
    """
    warehouse = workspace.warehouse
    number = in_transaction(warehouse).open_import(
        kind=kind, district_id=district, source=source, upload_id="u1", received_at=at, started_at=at - timedelta(minutes=2)
    )
    if status == "running":
        return number
    conclusion = ImportResult(
        import_id=number,
        status=status,  # type: ignore[arg-type]
        finished_at=at,
        findings=findings_table(findings),
        rejected_rows=pa.Table.from_pylist([dict(row) for row in rejected], REJECTED_ROWS_SCHEMA),
        files=files,
        checks=(),
        summary=summary or {},
        hold=Hold(reason="change_threshold_exceeded", plan_sha256="ab" * 32, created_at=at) if status == "held" else None,
    )
    if status == "published":
        in_transaction(warehouse).publish(conclusion, {}, warehouse.roster.base(district, source))
    else:
        in_transaction(warehouse).conclude(conclusion)
    return number


def refused(rows: int, **parts: Any) -> list[Finding]:
    """Return findings about `rows` refused rows."""
    usual = {
        "severity": "reject",
        "code": "missing_required",
        "file": "students.csv",
        "field": "Last_name",
        "message": "It is empty.",
    }
    return [Finding(**{**usual, "row": row, **parts}) for row in range(2, rows + 2)]
