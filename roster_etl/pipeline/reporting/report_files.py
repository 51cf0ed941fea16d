"""The report of one import, for people: a page that needs nothing else, the document as JSON, the findings as CSV.

Belongs here: writing the three under ``<home>/reports``, and keeping them in the archive. What happened is read from the ledger
(``pipeline.reporting.import_summary``), and nothing else: a report written again is the same. No value of a cell stands in a report, but for ids of schools.
"""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from roster_etl.pipeline.reporting.charts import change_bars, chart, rows_bars
from roster_etl.pipeline.reporting.feed_differences import by_field, by_school, feed_differences
from roster_etl.pipeline.reporting.findings_summary import CHECK_COUNT_NOTE, group_by_cause
from roster_etl.pipeline.reporting.import_summary import ImportSummary, import_document, report_path
from roster_etl.pipeline.reporting.json_text import indented_json
from roster_etl.pipeline.reporting.next_steps import closed_holds_text, next_steps
from roster_etl.pipeline.reporting.plan_summary import school_lines, table_lines
from roster_etl.pipeline.reporting.receipts.issue import receipt_of
from roster_etl.pipeline.workspace import Workspace
from roster_etl.spec.findings import CODES
from roster_etl.store.fault_injection import fault_point
from roster_etl.store.files.folder import Folder
from roster_etl.store.files.urls import join

if TYPE_CHECKING:
    from jinja2 import Template

MAX_LOCATIONS = 20  # of each cause, on the page; all are in the CSV
SCHOOLS = 50  # on the page; all are in the JSON
PAST = 20  # imports in the charts
CSV_COLUMNS = ("id", "severity", "code", "file", "row", "field", "key", "message", "cause_id", "count", "advice")
_FORMULA = re.compile(r"(^|[;\t\r\n])(?=[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20])")


@dataclass(frozen=True, kw_only=True)
class ImportReport:
    """A report that was written: the facts that it is made of, its document as JSON has it, and the path of its page."""

    summary: ImportSummary
    document: Mapping[str, Any]
    page: Path


def write_report(workspace: Workspace, summary: ImportSummary) -> ImportReport:
    """Write ``reports/<district>/<import>.html``, ``.json`` and ``.csv``, in the home and in the archive."""
    document = report_document(workspace, summary)
    district_id, import_id = summary.district_id, summary.import_id
    page = report_path(workspace, district_id, import_id)
    contents = {
        "json": indented_json(document).encode(),
        "csv": findings_csv(summary.findings).encode("utf-8-sig"),  # spreadsheet programs need the mark
        "html": report_page(document, summary.findings).encode(),  # the last, as it says that all are there
    }
    fault_point("report.write")
    for kind, content in contents.items():
        Folder(str(page.parent)).write(f"{import_id}.{kind}", content)
        workspace.archive.write_report(district_id, import_id, kind, content)
    fault_point("report.written")
    return ImportReport(summary=replace(summary, people=document["people"]), document=document, page=page)


def report_document(workspace: Workspace, summary: ImportSummary) -> dict[str, Any]:
    """Return the document of an import (``pipeline.reporting.import_summary``) with ``next_steps``, and in ``history`` the last imports of its feed."""
    document = import_document(workspace, summary)
    document["report"] = str(report_path(workspace, summary.district_id, summary.import_id))
    if document["hold"]:
        document["hold"].pop("overtaken_by")  # of the moment, and the report is the same whenever it is written
    document["receipt"] = receipt_of(workspace, summary.import_id)
    document["reconciliation"] = [{**row, "oldest": row["oldest"].isoformat()} for row in feed_differences(workspace, summary)]
    document["next_steps"] = [asdict(step) for step in next_steps(document)]
    document["history"] = [_history_entry(row) for row in workspace.warehouse.ledger.history(summary.import_id, PAST)]
    return document


def report_url(workspace: Workspace, district_id: str, import_id: int) -> str | None:
    """Return where people open the page of an import; None: the settings name no such place."""
    base = workspace.settings.reports.url
    return join(base, f"{district_id}/{import_id}.html") if base else None


def rewrite_report(workspace: Workspace, summary: ImportSummary) -> None:
    """Write the report of an import again that was decided about after it was written; one without a report gets none."""
    if report_path(workspace, summary.district_id, summary.import_id).exists():
        write_report(workspace, summary)


def report_page(document: Mapping[str, Any], findings: Sequence[Mapping[str, Any]] | None = None) -> str:
    """Return the page about the import of `document`. ``findings``: all of them; None: those of the document, which may be folded."""
    hold, schools = document["hold"], school_lines(document)
    history = document.get("history", ())
    return _template().render(
        d=document,
        reason=CODES[hold["reason"]].meaning if hold and hold["reason"] in CODES else hold and hold["reason"],
        steps=document["next_steps"] if "next_steps" in document else [asdict(step) for step in next_steps(document)],
        closed_holds=closed_holds_text(document),
        tables=table_lines(document),
        schools=schools[:SCHOOLS],
        more_schools=max(len(schools) - SCHOOLS, 0),
        feeds=by_field(document.get("reconciliation", ())),
        feed_schools=by_school(document.get("reconciliation", ()))[:SCHOOLS],
        causes=group_by_cause(document["findings"] if findings is None else findings),
        most=MAX_LOCATIONS,
        rows_chart=chart("Rows", ("accepted", "refused"), rows_bars(history)),
        changes_chart=chart("Changed records", ("created", "updated", "removed"), change_bars(history)),
        about_checks=CHECK_COUNT_NOTE,
        passed=sum(check["passed"] for check in document["checks"]),
    )


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
    return {**{name: row[name] for name in names}, "finished_at": finished, "first": first, "changes": summary.get("changes", {})}


def load_template() -> None:
    """Compile the page's template now, for the processes that are forked from this one."""
    _template()


@cache
def _template() -> Template:
    from jinja2 import Environment

    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.finalize = plain_text
    environment.filters["moment"] = _moment
    environment.filters["number"] = _number
    return environment.from_string(files(__package__).joinpath("report.html.j2").read_text("utf-8"))


def plain_text(value: Any) -> Any:
    """Return text without signs that steer: names come from outside, and could turn the direction of what follows them."""
    if not isinstance(value, str) or value.isascii():
        return value
    return type(value)("".join("\ufffd" if unicodedata.category(c) in ("Cc", "Cf") else c for c in value))


def _moment(text: str | None) -> str:
    return datetime.fromisoformat(text).strftime("%Y-%m-%d %H:%M UTC") if text else ""


def _number(value: int | None) -> str:
    return "" if value is None else f"{value:,}"
