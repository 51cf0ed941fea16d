"""The job that says why a record changed or is gone, by places: imports, files and rows. No id is typed, and no value is shown."""

from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from typing import Any

import dagster as dg
from pydantic import Field

from roster_etl.orchestration.assets.markdown import LinkCell, markdown_table
from roster_etl.orchestration.assets.metadata import report_links
from roster_etl.orchestration.assets.step_context import redacted_failures, tag_run
from roster_etl.orchestration.runtime.current_home import current_home
from roster_etl.pipeline.lineage.trace import UnknownRecord, roster_table, trace_record
from roster_etl.pipeline.workspace import Workspace
from roster_etl.spec.errors import PermanentError

TRACE_RECORD = "trace_record"
MAX_RECORDS = 100
"""Number of closed records that are listed; the counts are of all."""
Line = tuple[str | LinkCell, ...]


class OtherDistrict(PermanentError):
    """The import is one of another district."""

    code = "other_district"
    template = "import {import_id} is not one of district {district_id}"


class TraceConfig(dg.Config):
    """Which records: those that an import closed, or the one that a row of an import became."""

    district_id: str = Field(description="The district.")
    import_id: int = Field(description="An import: the one that removed records, or the one that had the row below.")
    table: str = Field(default="users", description="A roster table, such as users or enrollments.")
    file: str = Field(
        default="",
        description="With row: a file of that import, as it was uploaded, such as students.csv. Empty: list what it closed.",
    )
    row: int = Field(default=0, description="The row of the record in that file; the header is row 1.")


@dg.op(name="trace_one_record", description="Answers by imports, files and rows; no cell of a row is shown.")
def trace_one_record(context: dg.OpExecutionContext, config: TraceConfig) -> None:
    """Add the answer to the step's metadata."""
    with redacted_failures(context), closing(Workspace.open(current_home())) as workspace:
        target = roster_table(config.table)
        row = workspace.warehouse.ledger.import_(config.import_id)
        if row["district_id"] != config.district_id:
            raise OtherDistrict(import_id=config.import_id, district_id=config.district_id)
        tag_run(context, district=config.district_id, format=row["source"])
        if config.file:
            metadata = record_history(workspace, row, target.name, config.file, config.row)
        else:
            metadata = closed_records(workspace, row, target.name)
        context.add_output_metadata({**metadata, **report_links(workspace, config.district_id, config.import_id)})


def record_history(workspace: Workspace, row: Mapping[str, Any], table: str, file: str, number: int) -> dict[str, Any]:
    """Return the history of the record that row `number` of `file` became in the import `row`: imports, places and reasons.

    Raises: UnknownRecord: the import opened no version of the table from this row.
    """
    place = (row["district_id"], row["source"], table, row["import_id"])
    with workspace.warehouse.read() as session:
        opened = session.roster.versions_touched_by(*place)[1].to_pylist()
    found = [one for one in opened if (one["source_file"], one["source_row"]) == (file, number)]
    if not found:
        problem = (
            f"import {row['import_id']} opened no version from {file} row {number}; an unchanged record keeps its earlier one"
        )
        raise UnknownRecord(table=table, district_id=row["district_id"], problem=problem)
    key = {name: "" if found[0][name] is None else str(found[0][name]) for name in roster_table(table).key}
    versions = trace_record(workspace, row["district_id"], table, key, source=row["source"])["versions"]
    last = versions[-1]
    return {
        "answer": "current" if last["valid_to"] is None else _why_gone(last),
        "versions": markdown_table(("since import", "from", "until", "decided by"), [_version_line(one) for one in versions]),
    }


def closed_records(workspace: Workspace, row: Mapping[str, Any], table: str) -> dict[str, Any]:
    """Return which records of a table an import closed for good: how many, why, and where each was last read."""
    place = (row["district_id"], row["source"], table, row["import_id"])
    with workspace.warehouse.read() as session:
        closed, opened = (found.to_pylist() for found in session.roster.versions_touched_by(*place))
    key = roster_table(table).key
    again = {tuple(one[name] for name in key) for one in opened}
    gone = [one for one in closed if tuple(one[name] for name in key) not in again]
    reasons = Counter(str(one["close_reason"]) for one in gone)
    lines = [
        (str(one["valid_from_import"]), f"{one['source_file']} row {one['source_row']}", str(one["close_reason"]))
        for one in gone[:MAX_RECORDS]
    ]
    more = f"\n\nand {len(gone) - MAX_RECORDS:,} more" if len(gone) > MAX_RECORDS else ""
    listed = {"records": markdown_table(("last changed by import", "read from", "why"), lines, more)} if lines else {}
    return {"gone": len(gone), **{f"gone: {reason}": count for reason, count in sorted(reasons.items())}, **listed}


def _version_line(version: Mapping[str, Any]) -> Line:
    run = (
        LinkCell(f"import {version['import_id']}", f"/runs/{version['run_id']}")
        if version["run_id"]
        else f"import {version['import_id']}"
    )
    read = f"import {version['read_in']}, {version['file']} row {version['row']}"
    until = "current" if version["valid_to"] is None else _why_gone(version)
    return (run, read, until, str(version["decided_by"] or ""))


def _why_gone(version: Mapping[str, Any]) -> str:
    who = f", decided by {version['close_decided_by']}" if version["close_decided_by"] else ""
    return f"closed by import {version['closed_by_import']}: {version['close_reason']}{who}"


@dg.job(
    name=TRACE_RECORD,
    executor_def=dg.in_process_executor,
    description=(
        "Why is this student gone? Lists the records that an import closed, each with the place where it was last read and the reason; with `file` "
        "and `row`, the history of one record. Ids are neither typed nor shown, since Dagster keeps configs and metadata: `roster-etl trace` "
        "shows the values."
    ),
)
def trace_record_job() -> None:
    """Say why records are gone."""
    trace_one_record()
