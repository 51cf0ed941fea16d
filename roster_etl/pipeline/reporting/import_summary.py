"""What became of an import: the ledger's facts about it, read once, and the JSON document made of them.

The document is what ``import --json`` and ``show --json`` print.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from roster_etl.canonical.ledger import ImportStatus
from roster_etl.pipeline.one_connection import on_one_connection
from roster_etl.pipeline.reporting.findings_summary import fold_findings
from roster_etl.pipeline.workspace import Workspace
from roster_etl.spec.errors import RegistryError
from roster_etl.store.registry.registry import check_id
from roster_etl.store.warehouse import Readers, RosterReader, WriteSession
from roster_etl.vendors import vendor


@dataclass(frozen=True, kw_only=True)
class ImportSummary:
    """The ledger's facts about one import. Holds no quarantined rows.

    Attributes:
        row: the import's row in the ledger.
        files: one row a file, by name.
        findings: one row a finding, in the order of their ids; more than a thousand of one kind may be folded (see `read_import_summary`).
        checks: one row a quality gate, by name.
        hold: the hold, decided or not; None: the import was never held.
        import_published_since: the import that was published after this one was held; None: none was, or the hold is decided.
        people: how many links between people of several feeds came with the import; None: that was not read yet.
    """

    row: Mapping[str, Any]
    files: Sequence[Mapping[str, Any]]
    findings: Sequence[Mapping[str, Any]]
    checks: Sequence[Mapping[str, Any]]
    hold: Mapping[str, Any] | None
    overtaken_by: int | None
    people: Mapping[str, int] | None = None

    @property
    def import_id(self) -> int:
        """The import's number."""
        return int(self.row["import_id"])

    @property
    def district_id(self) -> str:
        """The district's partition key."""
        return str(self.row["district_id"])

    @property
    def source(self) -> str:
        """The format of the feed."""
        return str(self.row["source"])

    @property
    def status(self) -> ImportStatus:
        """The import's status when the summary was read."""
        status: ImportStatus = self.row["status"]
        return status

    @property
    def details(self) -> Mapping[str, Any]:
        """The JSON object that the ledger keeps of what came of the import: plan, changes, error."""
        return self.row["summary"] or {}

    @cached_property
    def folded_findings(self) -> Sequence[Mapping[str, Any]]:
        """The findings, more than a thousand of one kind folded into one."""
        return fold_findings(self.findings)


def read_import_summary(workspace: Workspace, import_id: int, *, folded: bool = False) -> ImportSummary:
    """Read the facts about an import from the ledger, each once, from one snapshot.

    Args: folded: have the database fold findings of one kind, for readers that list them and need not hold all in memory.
    Raises: UnknownImport.
    """
    with workspace.warehouse.read() as session:
        return summarize_import(session, import_id, folded=folded)


def summarize_import(session: Readers | WriteSession, import_id: int, *, folded: bool = False) -> ImportSummary:
    """Return the facts about an import as `session` sees them: `read_import_summary` within a session or transaction."""
    row = session.ledger.import_(import_id)
    hold = session.ledger.hold(import_id)
    return ImportSummary(
        row=row,
        files=session.ledger.files(import_id),
        findings=session.ledger.findings(import_id) if folded else session.ledger.findings(import_id, group_above=None),
        checks=session.ledger.checks(import_id),
        hold=hold,
        overtaken_by=import_published_since(session.roster, row) if hold and not hold["decision"] else None,
    )


@on_one_connection
def outcome(workspace: Workspace, import_id: int) -> dict[str, Any]:
    """Return the document of one import, read from the ledger. Raises UnknownImport."""
    return import_document(workspace, read_import_summary(workspace, import_id, folded=True))


def import_document(workspace: Workspace, summary: ImportSummary) -> dict[str, Any]:
    """Return the document of the import of `summary`."""
    row, details = summary.row, summary.details
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
        "files": _rows(summary.files),
        "changes": details.get("changes", {}),
        "findings": _rows(summary.folded_findings),
        "checks": _rows(summary.checks),
        "hold": _hold(summary),
        "closed_holds": details.get("closed_holds", []),
        "plan": details.get("plan", {}),
        "plan_sha256": details.get("sha256"),
        "left_out": details.get("left_out", []),
        "renames": details.get("renames", {}),
        "edit": details.get("edit"),
        "undoes": details.get("undoes", []),
        "people": _people(workspace, summary) if summary.people is None else summary.people,
        "error": details.get("error"),
        "parked": is_parked(row),
        "report": _existing_path(report_path(workspace, summary.district_id, summary.import_id)),
        "data_docs": _existing_path(data_docs_path(workspace, summary.district_id, summary.import_id)),
        "warehouse": workspace.settings.to_redacted_dict()["warehouse"]["url"],
    }


def _people(workspace: Workspace, summary: ImportSummary) -> dict[str, int]:
    """Return how many links between people of several feeds came with the import: by verdict, and ``closed``."""
    if summary.status != "published":
        return {}
    with workspace.warehouse.read_people() as session:
        return session.link_counts(summary.import_id)


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


def _rows(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return ledger rows without the number of the import, which the document says once."""
    return [{name: value for name, value in row.items() if name != "import_id"} for row in rows]


def _time(value: Any) -> str | None:
    return value.isoformat() if value is not None else None


def import_published_since(roster: RosterReader, row: Mapping[str, Any]) -> int | None:
    """Return the import that was published after held import `row` was planned, so that its plan is void; None: none was.

    It may have a smaller number: an undo or an upload that was planned before this one and approved after it.
    """
    newest = roster.base(row["district_id"], row["source"], row["file_set"])
    summary = row["summary"] or {}
    if "plan_base" in summary:
        return newest if newest != summary["plan_base"] else None
    return newest if newest is not None and newest > row["import_id"] else None  # held before plans noted their base


def _hold(summary: ImportSummary) -> dict[str, Any] | None:
    row, hold = summary.row, summary.hold
    if hold is None:
        return None
    stopped = summary.details.get("hold", {})
    waits = row["kind"] == "upload" and vendor(row["source"]).format.mode == "changes"
    return {
        "reason": hold["reason"],
        "tables": stopped.get("tables", {}),
        "schools": stopped.get("schools", []),
        **({"replaced": stopped["replaced"]} if "replaced" in stopped else {}),
        "plan_sha256": hold["plan_sha256"],
        "decision": hold["decision"],
        "decided_by": hold["decided_by"],
        "decided_at": _time(hold["decided_at"]),
        "outlasts_uploads": waits,
        "overtaken_by": summary.overtaken_by,
    }


CODE = "parked"


def is_parked(row: Mapping[str, Any]) -> bool:
    """Return whether the upload of an import is not tried again by itself."""
    return bool((row["summary"] or {}).get(CODE))
