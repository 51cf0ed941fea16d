"""The commands `report`, `data-docs` and `refused`."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime

from roster_etl.cli.context import Call
from roster_etl.cli.options import DistrictOption, FormatOption, ImportNumber, resolve_format
from roster_etl.pipeline.maintenance.retention import look_again
from roster_etl.pipeline.reporting.data_docs import data_docs_url, write_data_docs
from roster_etl.pipeline.reporting.import_summary import read_import_summary
from roster_etl.pipeline.reporting.quarantine_age import AGES, refused_rows
from roster_etl.pipeline.reporting.report_files import report_url, write_report


def report(call: Call, import_id: ImportNumber) -> int:
    """Write the report of an import again from the ledger, and print its path."""
    summary = read_import_summary(call.workspace, import_id)
    page = write_report(call.workspace, summary).page
    look_again(call.workspace, import_id)  # the nightly cleanup may have deleted the earlier page
    url = report_url(call.workspace, summary.district_id, import_id)
    files = {kind: str(page.with_suffix(f".{kind}")) for kind in ("html", "json", "csv")}
    return call.show_result({"import_id": import_id, **files, "url": url}, url or str(page))


def data_docs(call: Call, import_id: ImportNumber) -> int:
    """Build Great Expectations' Data Docs of an import, beside its report: every expectation, and how many rows failed it."""
    summary = read_import_summary(call.workspace, import_id)
    index = write_data_docs(call.workspace, summary)
    write_report(call.workspace, summary)
    look_again(call.workspace, import_id)
    url = data_docs_url(call.workspace, summary.district_id, import_id)
    return call.show_result({"import_id": import_id, "index": str(index), "url": url}, url or str(index))


def list_refused(call: Call, district: DistrictOption, format: FormatOption = None) -> int:
    """Count the currently rejected rows by file, reason and age; `show` prints the place of each."""
    source = resolve_format(call.registry.get(district), format)
    found = refused_rows(call.workspace, district, source, datetime.now(UTC))
    rows = [(line.file, line.code, *(line.ages[age] for age in AGES), f"{line.oldest:%Y-%m-%d %H:%M} UTC") for line in found]
    documents = [asdict(line) for line in found]
    return call.show_rows(documents, ("file", "why", *AGES, "the oldest since"), rows, none="No row is refused.")
