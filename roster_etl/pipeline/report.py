"""The report of one import, for people: a page that needs nothing else, the document as JSON, the findings as CSV.

Belongs here: writing the three under ``<home>/reports``. What happened is read from the ledger (``pipeline.outcome``); no value of
a cell stands in a report, but for the id of a school that would lose records.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from roster_etl.pipeline.causes import CHECKS, causes
from roster_etl.pipeline.indented import indented
from roster_etl.pipeline.outcome import outcome, report_path
from roster_etl.pipeline.workspace import Workspace
from roster_etl.spec.findings import CODES
from roster_etl.store.folder import Folder

if TYPE_CHECKING:
    from jinja2 import Template

PLACES = 20  # of each cause, on the page; all are in the CSV
CSV_COLUMNS = ("id", "severity", "code", "file", "row", "field", "key", "message", "cause_id", "count", "advice")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def write_report(workspace: Workspace, import_id: int) -> Path:
    """Write ``reports/<district>/<import>.html``, ``.json`` and ``.csv``, and return the path of the page.

    Raises: UnknownImport.
    """
    document = outcome(workspace, import_id)
    page = report_path(workspace, document["district_id"], import_id)
    folder, name = Folder(str(page.parent.parent)), f"{document['district_id']}/{import_id}"
    document = {**document, "report": str(page)}
    findings = workspace.warehouse.findings(import_id, fold=None)
    folder.write(f"{name}.json", indented(document).encode())
    folder.write(f"{name}.csv", findings_csv(findings).encode("utf-8-sig"))  # spreadsheet programs need the mark
    folder.write(f"{name}.html", report_page(document).encode())
    return page


def rewrite_reports(workspace: Workspace, import_ids: Iterable[int]) -> None:
    """Write the reports of imports anew that were decided about after theirs was written; one without a report gets none."""
    for import_id in import_ids:
        if report_path(workspace, workspace.warehouse.import_(import_id)["district_id"], import_id).exists():
            write_report(workspace, import_id)


def report_page(document: Mapping[str, Any]) -> str:
    """Return the page about the import of `document`."""
    hold = document["hold"]
    return _template().render(
        d=document,
        reason=CODES[hold["reason"]].meaning if hold and hold["reason"] in CODES else hold and hold["reason"],
        changes=_changes(document),
        causes=causes(document["findings"]),
        most=PLACES,
        about_checks=CHECKS,
        passed=sum(check["passed"] for check in document["checks"]),
    )


def findings_csv(findings: Sequence[Mapping[str, Any]]) -> str:
    """Return all `findings` as CSV; no cell can be taken for a formula by a spreadsheet program."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(CSV_COLUMNS)
    for finding in findings:
        cells = {**finding, "advice": CODES[finding["code"]].advice}
        writer.writerow([_safe(cells[name]) for name in CSV_COLUMNS])
    return text.getvalue()


def _safe(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def _changes(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    plan = document["plan"]
    return [
        {"table": name, **counts, "columns": ", ".join(f"{c} {n:,}" for c, n in plan.get(name, {}).get("columns", {}).items())}
        for name, counts in document["changes"].items()
        if any(counts.values())
    ]


@cache
def _template() -> Template:
    from jinja2 import Environment

    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters["moment"] = _moment
    environment.filters["number"] = _number
    return environment.from_string(Path(__file__).with_name("report.html.j2").read_text("utf-8"))


def _moment(text: str | None) -> str:
    return datetime.fromisoformat(text).strftime("%Y-%m-%d %H:%M UTC") if text else ""


def _number(value: int | None) -> str:
    return "" if value is None else f"{value:,}"
