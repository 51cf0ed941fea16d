"""The commands `report`, `data-docs` and `list_refused`."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime

import typer

from roster_etl.cli.context import Call
from roster_etl.cli.options import DistrictOption, FormatOption, ImportNumber, resolve_format


def report(ctx: typer.Context, import_id: ImportNumber) -> int:
    """Write the report of an import again from the ledger, and say where it lies."""
    call: Call = ctx.obj
    from roster_etl.pipeline.reporting.report_files import report_url, write_report

    page = write_report(call.workspace, import_id)
    url = report_url(call.workspace, call.warehouse.import_(import_id)["district_id"], import_id)
    if call.json:
        files = {kind: str(page.with_suffix(f".{kind}")) for kind in ("html", "json", "csv")}
        call.print_json({"import_id": import_id, **files, "url": url})
    else:
        call.print(url or str(page))
    return 0


def data_docs(ctx: typer.Context, import_id: ImportNumber) -> int:
    """Build Great Expectations' Data Docs of an import, beside its report: every expectation, and how many rows failed it."""
    call: Call = ctx.obj
    from roster_etl.pipeline.reporting.data_docs import data_docs_url, write_data_docs
    from roster_etl.pipeline.reporting.report_files import write_report

    index = write_data_docs(call.workspace, import_id)
    write_report(call.workspace, import_id)
    url = data_docs_url(call.workspace, call.warehouse.import_(import_id)["district_id"], import_id)
    if call.json:
        call.print_json({"import_id": import_id, "index": str(index), "url": url})
    else:
        call.print(url or str(index))
    return 0


def list_refused(ctx: typer.Context, district: DistrictOption, format: FormatOption = None) -> int:
    """Count the rows that are refused now, by file, reason and age; `show` says where each stands."""
    call: Call = ctx.obj
    from roster_etl.pipeline.reporting.quarantine_age import AGES, refused_rows

    source = resolve_format(call.registry.get(district), format)
    found = refused_rows(call.workspace, district, source, datetime.now(UTC))
    if call.json:
        call.print_json([asdict(line) for line in found])
    elif found:
        rows = [(line.file, line.code, *(line.ages[age] for age in AGES), f"{line.oldest:%Y-%m-%d %H:%M} UTC") for line in found]
        call.print_table(("file", "why", *AGES, "the oldest since"), rows)
    else:
        call.print("No row is refused.")
    return 0
