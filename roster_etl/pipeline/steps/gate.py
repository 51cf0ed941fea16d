"""Validate an upload as a whole: the suites of all its files and tables, in one request to the gates' process.

Belongs here: which suite is run over which lines, with the district's settings and tolerances. Does not belong here: validating rows
(``pipeline.steps.validate``), what a failed suite stops (``pipeline.steps.hold_policy``).
"""

from __future__ import annotations

import pandas as pd

from roster_etl.frames.arrow import to_frame
from roster_etl.pipeline.staging import Staging, staging_of
from roster_etl.pipeline.uploads.upload import Upload
from roster_etl.pipeline.workspace import Workspace
from roster_etl.projections.suite_format import Suite
from roster_etl.quality import (
    ToleranceOverride,
    Verdict,
    apply_refused_rows_limits,
    check_overrides,
    judge_suites,
    registry_overrides,
)
from roster_etl.spec.rule_catalog import REFUSED_ROWS
from roster_etl.store.fault_injection import fault_point
from roster_etl.vendors.lineage import tables_of


def gate_upload(workspace: Workspace, upload: Upload) -> tuple[Verdict, ...]:
    """Run the suites of the files that `upload` has, then those of its canonical tables, and leave the verdicts in staging.

    Every file is validated and every table is mapped before: the gates' process is asked once an import, whatever it holds.

    Raises: FrameError: a step's lines were lost. SuiteError, SuiteBroken: a suite is at fault. GatesUnavailable.
    """
    fault_point("gate.begin")
    staging = staging_of(workspace, upload)
    gated = [*_files(workspace, upload, staging), *_tables(workspace, upload, staging)]
    verdicts = tuple(judge_suites(gated, overrides=_tolerances(workspace, upload)))
    staging.write_verdicts(verdicts)
    fault_point("gate.done")
    return verdicts


def _files(workspace: Workspace, upload: Upload, staging: Staging) -> list[tuple[Suite, pd.DataFrame]]:
    """Return the suite and the lines of each file that the upload has."""
    percent, least = float(str(upload.values["refused_rows_pct"])), int(str(upload.values["refused_rows_min"]))
    later = staging.changes(upload).refused
    gated = []
    for file in upload.format.files:
        if upload.member(file.name) is not None:
            suite = apply_refused_rows_limits(workspace.suites[f"{upload.source}/{file.name}"], percent=percent, min_rows=least)
            lines = to_frame(staging.file_lines(file.name))
            gated.append((suite, _with_later(lines, sum(later.get(member.name, 0) for member in upload.members_of(file.name)))))
    return gated


def _tables(workspace: Workspace, upload: Upload, staging: Staging) -> list[tuple[Suite, pd.DataFrame]]:
    """Return the suite and the lines of each canonical table that the upload fills."""
    return [(workspace.suites[f"canonical/{table}"], to_frame(staging.table_lines(table))) for table in tables_of(upload.vendor)]


def _with_later(lines: pd.DataFrame, refused: int) -> pd.DataFrame:
    """Count `refused` more rows of a file as refused: those that changes could not be applied from.

    Source: HEADLESS.md, "refused_rows_pct … cascaded refusals count".
    """
    if not refused:
        return lines
    return lines.assign(failing=lines["failing"] + refused * (lines["rule"] == REFUSED_ROWS).astype(lines["failing"].dtype))


def _tolerances(workspace: Workspace, upload: Upload) -> tuple[ToleranceOverride, ...]:
    """Return the district's own tolerances. Raises SuiteError: one names no suite or expectation there is."""
    gates = workspace.registry.get(upload.district_id).feed(upload.source).gates
    overrides = registry_overrides(gates)
    check_overrides(overrides, workspace.suites)
    return overrides
