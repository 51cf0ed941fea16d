"""What became of an import, as the document that the command line prints and tools read.

Belongs here: the shape of ``import --json`` and ``show --json`` (HEADLESS.md), read back from the ledger.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from roster_etl.pipeline.workspace import Workspace
from roster_etl.spec.errors import RegistryError
from roster_etl.store.registry.registry import check_id
from roster_etl.vendors import vendor

EXIT_CODES = {"published": 0, "unchanged": 0, "failed": 1, "running": 1, "rejected": 3, "discarded": 3, "held": 4}


def outcome(workspace: Workspace, import_id: int) -> dict[str, Any]:
    """Return the document of one import. Raises UnknownImport."""
    warehouse = workspace.warehouse
    row = warehouse.import_(import_id)
    summary = row["summary"] or {}
    return {
        "import_id": row["import_id"],
        "kind": row["kind"],
        "district_id": row["district_id"],
        "district_name": district_name(workspace, row["district_id"]),
        "source": row["source"],
        "file_set": row["file_set"] or None,
        "upload_id": row["upload_id"],
        "run_id": row["run_id"],
        "status": row["status"],
        "received_at": _time(row["received_at"]),
        "started_at": _time(row["started_at"]),
        "finished_at": _time(row["finished_at"]),
        "files": _rows(warehouse.files(import_id)),
        "changes": summary.get("changes", {}),
        "findings": _rows(warehouse.findings(import_id)),
        "checks": _rows(warehouse.checks(import_id)),
        "hold": _hold(workspace, row, summary, warehouse.hold(import_id)),
        "plan": summary.get("plan", {}),
        "plan_sha256": summary.get("sha256"),
        "left_out": summary.get("left_out", []),
        "renames": summary.get("renames", {}),
        "edit": summary.get("edit"),
        "undoes": summary.get("undoes", []),
        "error": summary.get("error"),
        "parked": is_parked(row),
        "report": _existing_path(report_path(workspace, row["district_id"], import_id)),
        "data_docs": _existing_path(data_docs_path(workspace, row["district_id"], import_id)),
        "warehouse": workspace.settings.to_redacted_dict()["warehouse"]["url"],
    }


def combine_documents(documents: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the documents of imports from one place as one: the first, with the others as ``further`` if there are any."""
    first, *others = documents
    return {**first, "further": others} if others else first


def report_path(workspace: Workspace, district_id: str, import_id: int) -> Path:
    """Return where the page about an import lies, once it is written."""
    return workspace.home / "reports" / check_id(district_id) / f"{import_id}.html"


def data_docs_path(workspace: Workspace, district_id: str, import_id: int) -> Path:
    """Return where the index of an import's Data Docs lies, if they are built: in a folder of their own, beside the report."""
    return report_path(workspace, district_id, import_id).with_suffix(".data_docs") / "index.html"


def district_name(workspace: Workspace, district_id: str) -> str | None:
    """Return the district's name for people; None: it has none, or is registered no more."""
    try:
        return workspace.registry.get(district_id).name or None
    except RegistryError:
        return None


def _existing_path(page: Path) -> str | None:
    return str(page) if page.exists() else None


def _rows(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return ledger rows without the number of the import, which the document says once."""
    return [{name: value for name, value in row.items() if name != "import_id"} for row in rows]


def _time(value: Any) -> str | None:
    return value.isoformat() if value is not None else None


def import_published_since(workspace: Workspace, row: Mapping[str, Any]) -> int | None:
    """Return the import that was published after held import `row` was planned, so that its plan can be no more; None: none was."""
    newest = workspace.warehouse.base(row["district_id"], row["source"], row["file_set"])
    if row["kind"] == "undo":  # another undo, planned before this one and approved after it, has a smaller number
        return newest if newest != (row["summary"] or {}).get("plan_base", newest) else None
    return newest if newest is not None and newest > row["import_id"] else None


def _hold(
    workspace: Workspace, row: dict[str, Any], summary: dict[str, Any], hold: dict[str, Any] | None
) -> dict[str, Any] | None:
    if hold is None:
        return None
    stopped = summary.get("hold", {})
    waits = row["kind"] == "upload" and vendor(row["source"]).format.mode == "changes"
    return {
        "reason": hold["reason"],
        "tables": stopped.get("tables", {}),
        "schools": stopped.get("schools", []),
        "plan_sha256": hold["plan_sha256"],
        "decision": hold["decision"],
        "decided_by": hold["decided_by"],
        "decided_at": _time(hold["decided_at"]),
        "outlasts_uploads": waits,
        "overtaken_by": None if hold["decision"] else import_published_since(workspace, row),
    }


CODE = "parked"


def is_parked(row: Mapping[str, Any]) -> bool:
    """Return whether the upload of an import is not tried again by itself."""
    return bool((row["summary"] or {}).get(CODE))
