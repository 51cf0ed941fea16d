"""Export a roster: read, build, read back, move into place; each export that began leaves its row in the ledger."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from roster_etl.canonical.ledger import ExportStatus
from roster_etl.exports.cells import FormulasFound
from roster_etl.exports.export_tables import ExportTables
from roster_etl.exports.rules.people import IdClash
from roster_etl.exports.scope import check_left_out
from roster_etl.frames.arrow import release_memory
from roster_etl.pipeline.exports import json_lines, table_files, vendor_files
from roster_etl.pipeline.exports.export_progress import ExportProgress
from roster_etl.pipeline.exports.order import ExportOrder, ResolvedExport, resolve_order
from roster_etl.pipeline.exports.read_roster import read_roster
from roster_etl.pipeline.one_connection import on_one_connection
from roster_etl.pipeline.reporting.receipts.issue import receipts_enabled, sign_export
from roster_etl.pipeline.workspace import Workspace
from roster_etl.spec.errors import RetryableError, RosterError
from roster_etl.store.fault_injection import fault_point
from roster_etl.store.files.export_target import ExportTarget, open_local_or_object
from roster_etl.store.files.urls import redact, scheme
from roster_etl.store.registry.district import Feed


class StrictLosses(RosterError):
    """A strict export would lose something."""

    code = "losses"
    template = "{count} records or values cannot be represented in this format; nothing was written, because --strict was given"


class Shrunk(RosterError):
    """A file has many fewer rows than the one that was sent last."""

    code = "shrunk"
    template = (
        "{file} would have {rows} rows, {before} were sent the last time; nothing was sent. `roster-etl destinations send {name} "
        "--district {district_id} --accept-shrink --by NAME` sends it"
    )


_FORMER = 20  # how many exports to a place, of each status, say which files there are ours
_MAY_HAVE_LEFT_FILES: tuple[ExportStatus, ...] = ("written", "failed")  # refused ones, however many, have left none
REFUSALS: tuple[type[RosterError], ...] = (IdClash, FormulasFound, StrictLosses, Shrunk)


Gate = Callable[[Sequence[Mapping[str, Any]]], bool]
"""Sees the files before they are moved: False means that they need not be sent. It raises Shrunk."""


@on_one_connection
def export_roster(
    workspace: Workspace, order: ExportOrder, *, login: Feed | None = None, gate: Gate | None = None
) -> dict[str, Any]:
    """Export a roster, and return the document of the export; ``status``: ``written``, ``refused``, ``failed``, or ``unchanged`` by a gate.

    Args:   login: the log-in of an SFTP server; gate: what a destination asks before it sends.
    Raises: RosterError: the words of the order are off; nothing has begun, and no row is in the ledger.
    """
    resolved = resolve_order(workspace, order)
    check_left_out(order.leave_out, resolved.format)
    target = open_target(workspace, order.to, login)
    former = _former_names(workspace, order)
    target.check(replace=order.replace, former=former)
    work = read_roster(workspace, resolved) if order.schools else None  # an unknown school is a slip of the call
    written = ExportProgress()
    try:
        status = "written" if _write(workspace, resolved, _Place(target, former, gate), written, work) else "unchanged"
    except REFUSALS as error:
        status = "refused"
        written.files, written.error = [], error
        written.refused = {"reason": error.code, "count": int(error.data.get("count", 1))}
    except RosterError as error:
        status = "failed"
        written.error = error
        written.drop_unsent_files()
    except Exception:
        written.drop_unsent_files()
        _end(workspace, resolved, "failed", written)
        raise
    if status != "unchanged":
        _end(workspace, resolved, status, written)
    return _document(resolved, written.export_id, status, written)


def open_target(workspace: Workspace, url: str, login: Feed | None = None) -> ExportTarget:
    """Return the place at a path or an fsspec URL."""
    if scheme(url) in ("sftp", "ssh"):
        import os

        from roster_etl.store.landing.sftp_target import SftpTarget  # costs 0.3 s, which only SFTP needs
        from roster_etl.store.registry.district import Feed as NoFeed

        return SftpTarget(url, workspace.settings, login or NoFeed(format=""), os.environ)
    return open_local_or_object(url, workspace.settings.scratch)


def _former_names(workspace: Workspace, order: ExportOrder) -> frozenset[str]:
    """Return the names of files that the newest exports to this place have left."""
    if not order.replace:
        return frozenset()
    with workspace.warehouse.read() as session:
        ledger, place = session.ledger, redact(order.to)
        rows = [
            row
            for status in _MAY_HAVE_LEFT_FILES
            for row in ledger.exports(order.district_id, place=place, status=status, limit=_FORMER)
        ]
    return frozenset(file["file"] for row in rows for file in row["files"])


class _Place(NamedTuple):
    """Where the files go: the target, the names that former exports left there, and who is asked before."""

    target: ExportTarget
    former: frozenset[str]
    gate: Gate | None


def _write(
    workspace: Workspace, resolved: ResolvedExport, place: _Place, written: ExportProgress, work: ExportTables | None
) -> bool:
    """Build the files beside their place, read them back, and move them; False: the gate says that nothing is new."""
    order = resolved.order
    with place.target.staging() as folder:
        _build(workspace, resolved, folder, written, work)
        fault_point("export.staged")
        release_memory()
        if order.strict and (count := written.losses.strict_count()):
            raise StrictLosses(count=count)
        if place.gate is not None and not place.gate(written.files):
            return False
        with workspace.run_locks.one_at_a_time(redact(order.to)):
            former = place.former | _former_names(workspace, order)  # another export may have been there meanwhile
            written.export_id = _begin(workspace, resolved, written)
            names = [file["file"] for file in written.files]
            place.target.move(folder, names, replace=order.replace, former=former)
            fault_point("export.moved")
    return True


def _build(
    workspace: Workspace, resolved: ResolvedExport, folder: Path, written: ExportProgress, work: ExportTables | None
) -> None:
    """Write all files into `folder`, and read them back."""
    if resolved.format.kind == "tables":
        table_files.write(workspace, resolved, folder, written)
    elif resolved.format.kind == "jsonl":
        json_lines.write(workspace, resolved, folder, written, work)
    else:
        vendor_files.write(workspace, resolved, folder, written, work)


def _begin(workspace: Workspace, resolved: ResolvedExport, written: ExportProgress) -> int:
    """Write down who gets what, before anybody can have it; it counts as failed until it has ended."""
    with workspace.warehouse.write(directly=True) as session:
        return session.open_export(_ledger_row(resolved, written))


def _end(workspace: Workspace, resolved: ResolvedExport, status: str, written: ExportProgress) -> None:
    """Write down how an export ended."""
    columns = {
        "status": status,
        "refused": written.refused,
        "finished_at": datetime.now(UTC),
        "files": written.files,
        "losses": written.losses.document(),
    }
    with workspace.warehouse.write(directly=True) as session:
        if written.export_id is None:
            written.export_id = session.open_export(_ledger_row(resolved, written))
        session.close_export(written.export_id, columns)
        place, number = (resolved.order.district_id, resolved.source), None
        if status == "written" and receipts_enabled(workspace):
            number = session.receipts.append_export(*place, written.export_id, resolved.as_of_import)
    if number is not None:
        written.receipt = sign_export(workspace, *place, number)


def _ledger_row(resolved: ResolvedExport, written: ExportProgress) -> dict[str, Any]:
    order = resolved.order
    return {
        "district_id": order.district_id,
        "source": resolved.source,
        "format": resolved.format.name,
        "options": resolved.settings(),
        "as_of_import": resolved.as_of_import,
        "since_import": order.since,
        "destination": redact(order.to),
        "destination_name": order.destination,
        "started_at": written.started_at,
        "files": written.files,
        "losses": written.losses.document(),
        "requested_by": order.requested_by,
    }


def _document(resolved: ResolvedExport, export_id: int | None, status: str, written: ExportProgress) -> dict[str, Any]:
    """Return the document that ``--json`` prints."""
    order = resolved.order
    document: dict[str, Any] = {
        "export_id": export_id,
        "district_id": order.district_id,
        "source": resolved.source,
        "format": resolved.format.name,
        "options": resolved.settings(),
        "status": status,
        "mode": "bulk" if order.since is None else "delta",
        "as_of_import": resolved.as_of_import,
        "as_of": f"{resolved.as_of:%Y-%m-%dT%H:%M:%S}Z",
        "since_import": order.since,
        "to": redact(order.to),
        "files": written.files,
        "losses": written.losses.document(),
        "receipt": written.receipt,
    }
    if written.refused is not None:
        document["refused"] = written.refused
    if written.error is not None:
        document["error"] = {
            "code": written.error.code,
            "message": written.error.message,
            "retryable": isinstance(written.error, RetryableError),
        }
    return document
