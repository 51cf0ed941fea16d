"""The report of one import, for people: a page that needs nothing else, the document as JSON, the findings as CSV.

Belongs here: writing the three under ``<home>/reports``, and keeping them in the archive. What happened is read from the ledger
(``pipeline.reporting.import_summary``), and nothing else: a report written again is the same. No value of a cell stands in a report, but for ids and names of schools.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from roster_etl.pipeline.reporting.feed_differences import by_school, district_differences, feed_differences
from roster_etl.pipeline.reporting.import_summary import ImportSummary, import_document, report_path
from roster_etl.pipeline.reporting.json_text import indented_json
from roster_etl.pipeline.reporting.next_steps import next_steps
from roster_etl.pipeline.reporting.plan_summary import school_rows
from roster_etl.pipeline.reporting.receipts.issue import receipt_of
from roster_etl.pipeline.reporting.report_page import SCHOOLS, report_page
from roster_etl.pipeline.reporting.ui_links import import_links
from roster_etl.pipeline.workspace import Workspace
from roster_etl.spec.findings import CODES
from roster_etl.store.fault_injection import fault_point
from roster_etl.store.files.folder import Folder
from roster_etl.store.files.urls import join, redact

PAST = 20  # imports in the charts
CSV_COLUMNS = ("id", "severity", "code", "file", "row", "field", "key", "message", "cause_id", "count", "advice")
_FORMULA = re.compile(r"(^|[;\t\r\n])(?=[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20])")


@dataclass(frozen=True, kw_only=True)
class ImportReport:
    """A report that was written: the facts that it is made of, its document as JSON has it, and the path of its page.

    ``differences``: between the feeds of the district (`district_differences`).
    """

    summary: ImportSummary
    document: Mapping[str, Any]
    page: Path
    differences: Sequence[Mapping[str, Any]] = ()


def write_report(workspace: Workspace, summary: ImportSummary) -> ImportReport:
    """Write ``reports/<district>/<import>.html``, ``.json`` and ``.csv``, in the home and in the archive."""
    differences = district_differences(workspace, summary)
    document = report_document(workspace, summary, differences)
    district_id, import_id = summary.district_id, summary.import_id
    page = report_path(workspace, district_id, import_id)
    contents = {
        "json": indented_json(document).encode(),
        "csv": findings_csv(summary.findings).encode("utf-8-sig"),  # spreadsheet programs need the mark
        "html": report_page(document, summary.findings).encode(),  # the last, as it says that all are there
    }
    fault_point("report.write")
    for kind, content in contents.items():
        Folder(str(page.parent.parent)).write(f"{district_id}/{import_id}.{kind}", content)
        workspace.archive.write_report(district_id, import_id, kind, content)
    fault_point("report.written")
    return ImportReport(
        summary=replace(summary, people=document["people"]), document=document, page=page, differences=differences
    )


def report_document(
    workspace: Workspace, summary: ImportSummary, differences: Sequence[Mapping[str, Any]] | None = None
) -> dict[str, Any]:
    """Return the document of an import (``pipeline.reporting.import_summary``) with what only a report has.

    Args: differences: those of the district; None: they are read.

    ``next_steps``; ``history``: the last imports of its feed; ``school_names``: of the schools where something changes; ``links``: to the page, the
    manifest in the archive and the Dagster UI.
    """
    document = import_document(workspace, summary)
    document["report"] = str(report_path(workspace, summary.district_id, summary.import_id))
    if document["hold"]:
        document["hold"].pop("overtaken_by")  # of the moment, and the report is the same whenever it is written
    document["receipt"] = receipt_of(workspace, summary.import_id)
    rows = district_differences(workspace, summary) if differences is None else differences
    document["reconciliation"] = [{**row, "oldest": row["oldest"].isoformat()} for row in feed_differences(rows, summary.source)]
    document["next_steps"] = [asdict(step) for step in next_steps(document)]
    document["history"] = [_history_entry(row) for row in workspace.warehouse.ledger.history(summary.import_id, PAST)]
    document["school_names"] = _school_names(workspace, summary, document)
    document["links"] = _links(workspace, document)
    return document


def _school_names(workspace: Workspace, summary: ImportSummary, document: Mapping[str, Any]) -> dict[str, str]:
    """Return the names of the schools of the page: as published by the import, or as they were when its plan was made."""
    schools = {row.school for row in school_rows(document)[:SCHOOLS]}
    schools |= {row["organization_id"] for row in by_school(document["reconciliation"])[:SCHOOLS]}
    if not schools:
        return {}
    base = summary.details.get("plan_base")
    known = summary.import_id if summary.status == "published" or base is None else int(base)
    with workspace.warehouse.read() as session:
        return session.roster.school_names(summary.district_id, summary.source, sorted(schools), known)


def _links(workspace: Workspace, document: Mapping[str, Any]) -> dict[str, str]:
    """Return where people find more of an import: its page, its manifest in the archive, its run and the forms that decide about it."""
    district_id, import_id = document["district_id"], document["import_id"]
    page = report_url(workspace, district_id, import_id)
    return {
        **({"report": page} if page else {}),
        "archive": join(redact(workspace.settings.archive), f"manifests/{district_id}/{import_id}.json"),
        **import_links(workspace.settings.ui, document),
    }


def report_url(workspace: Workspace, district_id: str, import_id: int) -> str | None:
    """Return where people open the page of an import; None: the settings name no such place."""
    base = workspace.settings.reports.url
    return join(base, f"{district_id}/{import_id}.html") if base else None


def rewrite_report(workspace: Workspace, summary: ImportSummary) -> None:
    """Write the report of an import again that was decided about after it was written; one without a report gets none."""
    if report_path(workspace, summary.district_id, summary.import_id).exists():
        write_report(workspace, summary)


def findings_csv(findings: Sequence[Mapping[str, Any]]) -> str:
    """Return all `findings` as CSV; no cell can be taken for a formula by a spreadsheet program, whatever it splits cells at."""
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_ALL)
    writer.writerow(CSV_COLUMNS)
    safe: dict[object, object] = {None: None}  # most cells are those of other findings, too
    for finding in findings:
        cells = [finding[name] for name in CSV_COLUMNS[:-1]]
        cells.append(CODES[finding["code"]].advice)
        for cell in cells:
            if cell not in safe:
                safe[cell] = _escape_formulas(cell)
        writer.writerow([safe[cell] for cell in cells])
    return text.getvalue()


def _escape_formulas(value: object) -> object:
    """Return `value` with an apostrophe before each sign that would begin a formula, full-width forms too.

    Source: OWASP, "CSV Injection".
    """
    return _FORMULA.sub(r"\1'", value) if isinstance(value, str) else value


def _history_entry(row: Mapping[str, Any]) -> dict[str, Any]:
    names = ("import_id", "status", "rows_read", "rows_accepted", "rows_rejected")
    finished = row["finished_at"].isoformat() if row["finished_at"] else None
    summary = row["summary"] or {}
    first = row["status"] == "published" and summary.get("plan_base", 0) is None
    more = {"first": first, "changes": summary.get("changes", {}), "users": _users_after(summary)}
    return {**{name: row[name] for name in names}, "finished_at": finished, **more}


def _users_after(summary: Mapping[str, Any]) -> int | None:
    """Return how many people there were after an import's plan; None: it has none."""
    users = summary.get("plan", {}).get("users", {})
    return users["current"] + users.get("created", 0) - users.get("deleted", 0) if users.get("current") is not None else None
