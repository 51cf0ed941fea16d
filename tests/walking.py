"""Walk a small upload through the engine, without a home: text of CSV files in, judged files and canonical tables out.

Belongs here: what tests of more than one room need to feed ``engine.validation.validate`` and ``engine.transform.mapper``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date

import pyarrow as pa

from roster_etl.canonical.roster import TABLES
from roster_etl.engine.csv.reader import read_csv
from roster_etl.engine.transform.mapper import MappedTable, SourceFile, map_table
from roster_etl.engine.validation.validate import ReferencedFile, ValidatedFile, empty_result, validate_file
from roster_etl.frames.arrow import REFUSED
from roster_etl.mapping.column_plan import RECEIVED_ON
from roster_etl.spec import File
from roster_etl.spec.options import resolve_options
from roster_etl.spec.replacements import Replacements
from roster_etl.vendors import Vendor

RECEIVED = date(2026, 9, 1)


def lines(*cells: str) -> str:
    """Return a CSV text of lines, as they are."""
    return "".join(f"{line}\n" for line in cells)


def judge(file: File, text: str, others: Mapping[str, ReferencedFile] | None = None, **how: object) -> ValidatedFile:
    """Judge the CSV `text` as `file`."""
    return validate_file(read_csv(text.encode()), file, referenced_files=others, **how)  # type: ignore[arg-type]


def found(result: ValidatedFile | MappedTable) -> list[tuple[str, str, int | None, str | None]]:
    """Return the findings as (severity, code, row, field)."""
    return [(f["severity"], f["code"], f["row"], f["field"]) for f in result.findings.to_pylist()]


def rows(result: ValidatedFile) -> list[dict[str, object]]:
    """Return the judged rows, blank cells left out."""
    return [{k: v for k, v in row.items() if v is not None} for row in result.rows.to_pylist()]


def judge_upload(
    vendor: Vendor, upload: Mapping[str, str], rules: Replacements | None = None, **options: str
) -> dict[str, ValidatedFile]:
    """Judge the files of `upload` (spec name → CSV text) in the format's order; a file that is left out is absent.

    Args: rules: replace rules of the feed; options: options of the feed.
    """
    values = resolve_options(vendor.format, options)
    vendor = _in_version(vendor, values)
    strict = vendor.format.strict_option is not None and values[vendor.format.strict_option] == "strict"
    results: dict[str, ValidatedFile] = {}
    for file in vendor.format.files:
        others = {
            name: ReferencedFile(rows=result.rows, file_name=vendor.format.file(name).file_name)
            for name, result in results.items()
        }
        relaxed = frozenset(c.name for c in file.columns if c.optional_if_option and values[c.optional_if_option] is False)
        text = upload.get(file.name)
        listed = {c.name: values[c.allowed_values_option] for c in file.columns if c.allowed_values_option}
        fixed = vendor.format.fixed_column_order
        how = {"relaxed": relaxed, "replacements": rules, "fixed_order": fixed, "listed": listed, "strict": strict}
        results[file.name] = empty_result(file) if text is None else judge(file, text, others, **how)
    return results


def map_upload(
    vendor: Vendor, upload: Mapping[str, str], rules: Replacements | None = None, **options: str
) -> dict[str, MappedTable]:
    """Map `upload` to every canonical table that `vendor` fills."""
    return map_judged(vendor, judge_upload(vendor, upload, rules, **options), **options)


def map_judged(vendor: Vendor, judged: Mapping[str, ValidatedFile], **options: str) -> dict[str, MappedTable]:
    """Map the judged files of an upload to every canonical table that `vendor` fills."""
    sources = {
        name: SourceFile(rows=result.rows, file_name=vendor.format.file(name).file_name, extensions=result.extensions)
        for name, result in judged.items()
    }
    values = {**resolve_options(vendor.format, options), RECEIVED_ON: RECEIVED}
    return {
        name: map_table(table, mappings, sources, values)
        for name, table in TABLES.items()
        if (mappings := [mapping for mapping in vendor.mappings if mapping.to == name])
    }


def _in_version(vendor: Vendor, values: Mapping[str, object]) -> Vendor:
    """Return the vendor with the files of the version that an option names, in formats that have versions."""
    if vendor.format.manifest is None:
        return vendor
    return replace(vendor, format=vendor.format.for_version(str(values[vendor.format.manifest.version_option])))


def accepted(table: pa.Table) -> list[dict[str, object]]:
    """Return the rows of a mapped table that would be published."""
    return [row for row in table.to_pylist() if not row[REFUSED]]
