"""Metadata of an asset: columns, column lineage, code, and the numbers of a materialization. Never a cell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
import pyarrow.compute as pc

from roster_etl.canonical.roster import RosterTable
from roster_etl.orchestration.assets.lineage_metadata import Provenance
from roster_etl.orchestration.assets.markdown import LinkCell, escape_markdown, markdown_table
from roster_etl.pipeline.reporting.data_docs import data_docs_url
from roster_etl.pipeline.reporting.import_summary import data_docs_path, report_path
from roster_etl.pipeline.reporting.notifications import summary_text
from roster_etl.pipeline.reporting.plan_summary import school_lines, table_lines
from roster_etl.pipeline.reporting.quarantine_age import AGES, refused_rows
from roster_etl.pipeline.reporting.report_files import ImportReport, report_url
from roster_etl.pipeline.staging import staging_of
from roster_etl.pipeline.uploads.upload import Upload
from roster_etl.pipeline.workspace import Workspace
from roster_etl.projections.column_text import column_text
from roster_etl.spec import File
from roster_etl.vendors import Vendor
from roster_etl.vendors.lineage import reads_of

OWNERS = ["team:data-stewards"]
Metadata = dict[str, Any]
Sources = Mapping[str, Sequence[tuple[str, str, str]]]
"""Column of a roster table → the columns that it is made of, each as format, file and column."""
CHANGE_LABELS = {"created": "created", "updated": "updated", "deleted": "removed"}
"""Kinds of changes to records, and their labels for people."""
MAX_SCHOOL_LINES = 20
"""Number of rows of a plan by school in the UI; the report has more, its JSON all."""


def file_metadata(vendor: Vendor, file: File) -> Metadata:
    """Return the static metadata of a vendor file: its columns with the specification's notes, and its code."""
    spec = vendor.folder() / f"{file.name}.py"
    return {
        "dagster/column_schema": dg.TableSchema(columns=_file_columns(vendor, file)),
        **code_references({"spec": spec if spec.is_file() else vendor.folder() / "__init__.py"}),
        "document": f"{vendor.format.document} ({vendor.format.version}), {file.source}",
    }


def table_metadata(table: RosterTable, vendors: Sequence[Vendor]) -> Metadata:
    """Return the static metadata of a mapped table: its columns, and the vendor columns from which each is derived."""
    sources = column_sources(table, vendors)
    deps = {
        name: [dg.TableColumnDep(dg.AssetKey([source, file]), column) for source, file, column in found]
        for name, found in sources.items()
    }
    return {
        "dagster/column_schema": table_schema(table, sources),
        "dagster/column_lineage": dg.TableColumnLineage(deps_by_column=deps),
        "column_sources": _sources_table(table, sources),
        **mapping_references(vendors),
    }


def mapping_references(vendors: Sequence[Vendor]) -> Metadata:
    """Return links to the code that maps the files of each vendor."""
    modules = {vendor.format.name: (_mapping_module(vendor), vendor.folder()) for vendor in vendors}
    return code_references({f"{name} {module}": folder / f"{module}.py" for name, (module, folder) in modules.items()})


def _mapping_module(vendor: Vendor) -> str:
    return "mapping" if vendor.change_plan is None else "change_rules"


def column_sources(table: RosterTable, vendors: Sequence[Vendor]) -> Sources:
    """Return the vendor columns that each column of a table is made of; a column that none fills is absent."""
    found: dict[str, dict[tuple[str, str, str], None]] = {}
    for vendor in vendors:
        for target, pairs in reads_of(vendor, table.name):
            for file, column in pairs:
                found.setdefault(target, {})[vendor.format.name, file, column] = None
    return {name: tuple(columns) for name, columns in found.items()}


def _sources_table(table: RosterTable, sources: Sources) -> dg.MarkdownMetadataValue:
    """Return a table with a line for each column and format, whose sources link to the assets of their files."""
    rows: list[tuple[str | tuple[LinkCell, ...], ...]] = []
    for name in table.names:
        shown = name  # once for all formats
        for source, files in _by_format(sources.get(name, ())).items():
            links = tuple(LinkCell(f"{file}.{column}", f"/assets/{source}/{file}?view=overview") for file, column in files)
            rows.append((shown, source, links))
            shown = ""
    return markdown_table(("column", "format", "made of"), rows)


def _by_format(columns: Sequence[tuple[str, str, str]]) -> dict[str, list[tuple[str, str]]]:
    """Return the sources of a column, as files and columns, by format."""
    found: dict[str, list[tuple[str, str]]] = {}
    for source, file, column in columns:
        found.setdefault(source, []).append((file, column))
    return found


def published_metadata(table: RosterTable, vendors: Sequence[Vendor]) -> Metadata:
    """Return the static metadata of a published table: its columns, each derived from the mapped column of the same name."""
    origin, sources = dg.AssetKey(["roster", table.name]), column_sources(table, vendors)
    return {
        "dagster/column_schema": table_schema(table, sources),
        "column_sources": _sources_table(table, sources),
        "dagster/column_lineage": dg.TableColumnLineage(
            deps_by_column={name: [dg.TableColumnDep(origin, name)] for name in table.names}
        ),
        "dagster/table_name": table.name,
    }


def table_schema(table: RosterTable, sources: Sources | None = None) -> dg.TableSchema:
    """Return the columns of a roster table with their types and comments, and the vendor columns that each is made of."""
    columns = [
        dg.TableColumn(
            column.name,
            column.type,
            f"{column.comment}{_sources_text((sources or {}).get(column.name, ()))}",
            _constraints(needed=column.name in table.key),
        )
        for column in table.columns
    ]
    return dg.TableSchema(columns=columns)


def _sources_text(columns: Sequence[tuple[str, str, str]]) -> str:
    """Return the sources of a column as the Markdown after its comment: a line for each format; empty: it has none."""
    lines = (
        f"- {source}: {', '.join(f'`{file}.{column}`' for file, column in files)}"
        for source, files in _by_format(columns).items()
    )
    text = "\n".join(lines)
    return f"\n\n{text}" if text else ""


def code_references(files: Mapping[str, Path]) -> Metadata:
    """Return links to source files, by their labels."""
    references: list[Any] = [
        dg.LocalFileCodeReference(file_path=str(path), line_number=1, label=label) for label, path in files.items()
    ]
    return {"dagster/code_references": dg.CodeReferencesMetadataValue(code_references=references)}


def row_count(rows: int) -> Metadata:
    """Return the number of rows of one district, under the key that Dagster has for a partition's."""
    return {"dagster/partition_row_count": rows}


def import_number(import_id: int) -> Metadata:
    """Return the number of an import, as text: Dagster would plot a number."""
    return {"import": dg.MetadataValue.text(str(import_id))}


def validation_metadata(workspace: Workspace, upload: Upload, name: str) -> Metadata:
    """Return the rows of file `name` read, accepted and rejected, and the findings; zeros if the upload lacks it."""
    if upload.member(name) is None:
        return {"rows_read": 0, "rows_accepted": 0, "rows_rejected": 0, "present": False}
    staging = staging_of(workspace, upload)
    result = staging.file_result(name)
    return {
        "rows_read": result.rows_read,
        "rows_accepted": result.rows_accepted,
        "rows_rejected": result.rows_rejected,
        "present": True,
        **({"rejection_code": result.refused} if result.refused else {}),
        **findings_metadata(staging.file_findings(name)),
    }


def findings_metadata(findings: pa.Table) -> Metadata:
    """Return the number of `findings` (FINDINGS), in total and by code."""
    sums = findings.group_by("code").aggregate([("count", "sum")]).sort_by("code")
    by_code = {str(row["code"]): row["count_sum"] for row in sums.to_pylist()}
    return {"findings": int(pc.sum(findings["count"]).as_py() or 0), "findings_by_code": dg.MetadataValue.json(by_code)}


def plan_metadata(tables: Mapping[str, Mapping[str, Any]], decision: str, sha256: str) -> Metadata:
    """Return the changes and the decision of a plan: in total, by table, and by school (those with most removals)."""
    totals = {shown: sum(table[what] for table in tables.values()) for what, shown in CHANGE_LABELS.items()}
    changes = {name: {what: table[what] for what in CHANGE_LABELS} for name, table in tables.items()}
    document = {"plan": tables, "changes": changes}
    words = {line.table: "; ".join(filter(None, (line.columns, line.why))) for line in table_lines(document)}
    schools = school_lines(document)
    rows = [
        (name, _format_number(t["current"]), *map(_format_number, changes[name].values()), words.get(name, ""))
        for name, t in tables.items()
    ]
    shown = [
        (s.school, s.table, *map(_format_number, (s.current, s.created, s.updated, s.deleted)))
        for s in schools[:MAX_SCHOOL_LINES]
    ]
    more = (
        f"\n\nand {len(schools) - MAX_SCHOOL_LINES:,} more lines; all are in the report"
        if len(schools) > MAX_SCHOOL_LINES
        else ""
    )
    counts = ("current:", *(f"{word}:" for word in CHANGE_LABELS.values()))
    by_table = markdown_table(("table", *counts, "columns updated; why removed"), rows)
    found = {"decision": decision, "plan_sha256": sha256, **totals, "changes_by_table": by_table}
    if shown:
        found["changes_by_school"] = markdown_table(("school", "table", *counts), shown, more)
    return found


def published_counts(table: Mapping[str, Any], import_id: int) -> Metadata:
    """Return a district's current number of records in a table, and the changes by the import that published its plan."""
    rows = table["current"] + table["created"] - table["deleted"]
    changes = {shown: table[what] for what, shown in CHANGE_LABELS.items()}
    return {**row_count(rows), **changes, **import_number(import_id)}


def upload_metadata(upload: Upload) -> Metadata:
    """Return the metadata of an upload before any row is read."""
    files = "\n".join(
        f"- {escape_markdown(member.name)}: {member.size:,} bytes{'' if member.kind else ', not of this format'}"
        for member in upload.members
    )
    return {
        **import_number(upload.import_id),
        "upload": upload.upload_id,
        "files": len(upload.members),
        "bytes": sum(member.size for member in upload.members),
        "members": dg.MetadataValue.md(files or "none"),
    }


def report_links(workspace: Workspace, district_id: str, import_id: int) -> Metadata:
    """Return the path of an import's report, and its URL if the settings have one."""
    links = {"report_url": report_url(workspace, district_id, import_id)}
    found: Metadata = {"report": dg.MetadataValue.path(str(report_path(workspace, district_id, import_id)))}
    if (docs := data_docs_path(workspace, district_id, import_id)).exists():
        found["data_docs"] = dg.MetadataValue.path(str(docs))
        links["data_docs_url"] = data_docs_url(workspace, district_id, import_id)
    return found | {name: dg.MetadataValue.url(url) for name, url in links.items() if url}


def report_metadata(workspace: Workspace, report: ImportReport) -> Metadata:
    """Return the summary of an import's report, and where the full report is."""
    summary = report.summary
    link = report_links(workspace, summary.district_id, summary.import_id)
    with workspace.warehouse.read():  # both join it
        provenance = Provenance.read(workspace, summary)
        quarantine = _quarantine_metadata(workspace, summary.district_id, summary.source)
    return {
        **import_number(summary.import_id),
        "path": link.pop("report"),
        **link,
        **provenance.import_metadata(),
        **quarantine,
        "summary": dg.MetadataValue.md(summary_text(report.document)),
    }


def _quarantine_metadata(workspace: Workspace, district_id: str, source: str) -> Metadata:
    """Return the feed's currently quarantined rows, by age; empty if there are none."""
    found = refused_rows(workspace, district_id, source, datetime.now(UTC))
    rows = [(line.file, line.code, *(f"{line.ages[age]:,}" for age in AGES)) for line in found]
    return {"quarantine_by_age": markdown_table(("file", "why", *(f"{age}:" for age in AGES)), rows)} if rows else {}


def _file_columns(vendor: Vendor, file: File) -> list[dg.TableColumn]:
    """Return the columns of a file, then those that it has in other versions of the format only."""
    same = (other for files in vendor.format.versions.values() for other in files if other.name == file.name)
    others = [column for other in same for column in other.columns if column.name not in {own.name for own in file.columns}]
    columns = [
        dg.TableColumn(
            column.name,
            "text",
            column_text(column),
            _constraints(needed=not column.optional_cells),
            tags={"secret": ""} if column.secret else None,
        )
        for column in (*file.columns, *others)
    ]
    return columns + [dg.TableColumn(family.pattern, "text", column_text(family)) for family in file.families]


def _format_number(value: int | None) -> str:
    return "" if value is None else f"{value:,}"


def _constraints(*, needed: bool) -> dg.TableColumnConstraints:
    return dg.TableColumnConstraints(nullable=not needed)
