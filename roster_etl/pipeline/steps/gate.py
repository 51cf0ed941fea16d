"""Run the quality suites of an upload: those of all its files and tables, in one request to the Great Expectations process.

The district's settings and tolerances count. What a failed suite blocks is decided in ``pipeline.steps.hold_policy``.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from roster_etl.pipeline.staging import Staging, staging_of
from roster_etl.pipeline.uploads.upload import Upload
from roster_etl.pipeline.workspace import Workspace
from roster_etl.projections.suite_format import Suite
from roster_etl.quality import (
    ToleranceOverride,
    Verdict,
    apply_refused_rows_limits,
    check_overrides,
    evaluate_suites,
    registry_overrides,
)
from roster_etl.spec.rule_catalog import REFUSED_ROWS
from roster_etl.store.fault_injection import fault_point
from roster_etl.vendors.lineage import tables_of


def gate_upload(workspace: Workspace, upload: Upload) -> tuple[Verdict, ...]:
    """Run the suites of the files in `upload`, then those of its canonical tables, and write the verdicts to staging.

    Call it after all files are validated and all tables are mapped: the Great Expectations process gets one request per import.

    Raises: FrameError: the counts of a step are missing. SuiteError, SuiteBroken: a suite is invalid. GatesUnavailable.
    """
    fault_point("gate.begin")
    staging = staging_of(workspace, upload)
    gated = [*_files(workspace, upload, staging), *_tables(workspace, upload, staging)]
    verdicts = tuple(evaluate_suites(gated, overrides=_tolerances(workspace, upload)))
    staging.write_verdicts(verdicts)
    fault_point("gate.done")
    return verdicts


def _files(workspace: Workspace, upload: Upload, staging: Staging) -> list[tuple[Suite, pa.Table]]:
    """Return the suite and the rule counts of each file that the upload has."""
    percent, least = float(str(upload.values["refused_rows_pct"])), int(str(upload.values["refused_rows_min"]))
    later = staging.changes(upload).refused
    gated = []
    for file in upload.format.files:
        if upload.member(file.name) is not None:
            suite = apply_refused_rows_limits(workspace.suites[f"{upload.source}/{file.name}"], percent=percent, min_rows=least)
            lines = staging.file_lines(file.name)
            gated.append((suite, _with_later(lines, sum(later.get(member.name, 0) for member in upload.members_of(file.name)))))
    return gated


def _tables(workspace: Workspace, upload: Upload, staging: Staging) -> list[tuple[Suite, pa.Table]]:
    """Return the suite and the rule counts of each canonical table that the upload fills."""
    return [(workspace.suites[f"canonical/{table}"], staging.table_lines(table)) for table in tables_of(upload.vendor)]


def _with_later(lines: pa.Table, refused: int) -> pa.Table:
    """Add `refused` rows to the refused rows of a file: those from which changes could not be applied.

    They count towards ``refused_rows_pct`` as well.
    """
    if not refused:
        return lines
    more = pc.multiply(pc.equal(lines["rule"], REFUSED_ROWS).cast(pa.int64()), refused)
    return lines.set_column(lines.column_names.index("failing"), "failing", pc.add(lines["failing"], more))


def _tolerances(workspace: Workspace, upload: Upload) -> tuple[ToleranceOverride, ...]:
    """Return the district's own tolerances. Raises SuiteError: one names a suite or an expectation that does not exist."""
    gates = workspace.registry.get(upload.district_id).feed(upload.source).gates
    overrides = registry_overrides(gates)
    check_overrides(overrides, workspace.suites)
    return overrides
