"""The report of an import, for people: what changed, what was refused and why, what is held.

Belongs here: putting the ledger's word into one HTML file, and beside it the same as JSON. Counts, codes, files and rows; never a cell.
"""

from __future__ import annotations

import json
from collections import Counter
from importlib.resources import files
from pathlib import Path
from typing import Any

from roster_etl.pipeline.outcome import outcome
from roster_etl.pipeline.workspace import Workspace
from roster_etl.spec.findings import CODES
from roster_etl.store.folder import create_private, make_private

SHOWN = 200  # findings that are listed one by one; all of them are counted


def write_report(workspace: Workspace, import_id: int) -> Path:
    """Write the report of an import, and return its HTML file: ``<home>/reports/<district>/<import>.html``, with a ``.json`` beside it.

    Raises: UnknownImport.
    """
    document = outcome(workspace, import_id)
    folder = workspace.home / "reports" / document["district_id"]
    make_private(folder)
    for suffix, text in (("json", json.dumps(document, ensure_ascii=False, indent=1)), ("html", render(document))):
        _write(folder / f"{import_id}.{suffix}", text)
    return folder / f"{import_id}.html"


def render(document: dict[str, Any]) -> str:
    """Return the report of an import (its ``outcome``) as one HTML page that needs nothing else."""
    from jinja2 import Environment  # only a report needs it

    template = files("roster_etl.pipeline").joinpath("report.html.j2").read_text("utf-8")
    page = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(template)
    return page.render(document=document, codes=_by_code(document["findings"]), shown=document["findings"][:SHOWN], meanings=CODES)


def _by_code(findings: list[dict[str, Any]]) -> list[tuple[tuple[str, str], int]]:
    """Return how many findings there are of each severity and code, the most frequent first."""
    counts: Counter[tuple[str, str]] = Counter()
    for finding in findings:
        counts[finding["severity"], finding["code"]] += finding["count"] or 1
    return counts.most_common()


def _write(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)  # a resumed import writes its report again
    with create_private(path) as out:
        out.write(text.encode("utf-8"))
