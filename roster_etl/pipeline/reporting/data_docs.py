"""Great Expectations' Data Docs of an import: every expectation of every suite, and how many rows failed it.

They are made of the verdicts that the import left in staging, and can be built as long as those are kept.
"""

from __future__ import annotations

import logging
import shutil
from pathlib import Path
from typing import Any

from roster_etl.pipeline.reporting.import_summary import ImportSummary, data_docs_path
from roster_etl.pipeline.reporting.report_files import report_url
from roster_etl.pipeline.staging import Staging
from roster_etl.pipeline.workspace import Workspace
from roster_etl.projections.suite_format import RULE_TYPE, Suite, label
from roster_etl.quality import CheckResult, Verdict, render_data_docs
from roster_etl.spec.errors import PermanentError, RosterError
from roster_etl.store.fault_injection import fault_point
from roster_etl.store.files.folder import Folder, create_private_folder
from roster_etl.store.files.temp_folders import scratch_folder

_LOG = logging.getLogger(__name__)


class NothingJudged(PermanentError):
    """There are no verdicts to make Data Docs of."""

    code = "nothing_judged"
    template = (
        "import {import_id}: no results of its suites are kept. Imports that were unchanged, or rejected before validation, have none, nor have edits and "
        "undos; others keep them with the staged tables, for the newest three imports of a district. `roster-etl rerun --district ID --import N` validates an upload again"
    )


def write_data_docs(workspace: Workspace, summary: ImportSummary) -> Path:
    """Build the Data Docs of an import, in place of those that may be there, and return their index.

    Raises: NothingJudged, GatesUnavailable.
    """
    row, import_id = summary.row, summary.import_id
    staging = Staging(workspace.frames, summary.district_id, import_id)
    judged = staging.verdicts()
    if not judged:
        raise NothingJudged(import_id=import_id)
    about = {
        "district": row["district_id"],
        "title": f"import {import_id} of {row['district_id']}, {row['source']}",
        "run": f"import {import_id}",
        "at": (row["finished_at"] or row["started_at"]).isoformat(timespec="seconds"),
    }
    index = data_docs_path(workspace, row["district_id"], import_id)
    Folder(str(workspace.home / "reports")).path_to_write(f"{row['district_id']}/{index.parent.name}")
    create_private_folder(index.parent.parent)
    with scratch_folder(workspace.settings.scratch) as folder:
        pages = folder / "pages"
        pages.mkdir(mode=0o700)
        render_data_docs(pages, about, [_request(verdict, workspace.suites[verdict.name]) for verdict in judged])
        fault_point("data_docs.made")
        shutil.rmtree(index.parent, ignore_errors=True)
        fault_point("data_docs.removed")
        shutil.move(pages, index.parent)
    return index


def try_write_data_docs(workspace: Workspace, summary: ImportSummary) -> None:
    """Build the Data Docs of an import if any suite was evaluated; if they cannot be built, the reason is logged."""
    try:
        write_data_docs(workspace, summary)
    except NothingJudged:
        return
    except (RosterError, OSError) as error:
        problem = error.message if isinstance(error, RosterError) else type(error).__name__
        _LOG.warning("The Data Docs of import %d could not be built: %s", summary.import_id, problem)


def data_docs_url(workspace: Workspace, district_id: str, import_id: int) -> str | None:
    """Return where people open the Data Docs of an import; None: the settings name no such place."""
    url = report_url(workspace, district_id, import_id)
    return url.removesuffix(".html") + ".data_docs/index.html" if url else None


def _request(verdict: Verdict, suite: Suite) -> dict[str, Any]:
    """Return a verdict as the expectations and counts that it came of. ``suite``: says which column each rule is about."""
    columns = {label(expectation): expectation["kwargs"].get("column") for expectation in suite["expectations"]}
    counted = [result for result in verdict.results if result.judged is not None]
    return {
        "suite": verdict.name,
        "expectations": [_expectation(result, columns.get(result.rule)) for result in verdict.results],
        "lines": {name: [getattr(result, name) for result in counted] for name in ("rule", "judged", "failing")},
    }


def _expectation(result: CheckResult, column: str | None) -> dict[str, Any]:
    kwargs = {"rule": result.rule, "column": column, "mostly": result.mostly}
    given = {name: value for name, value in kwargs.items() if value is not None}
    return {"type": RULE_TYPE, "kwargs": given, "severity": result.severity}
