"""``trace`` and ``as-of``: the origin of a record, and a table as it was known at a moment."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from roster_etl.cli.context import Call
from roster_etl.cli.districts import district_time_zone, find_district, require_known_district
from roster_etl.cli.global_options import parse_key_values
from roster_etl.cli.options import DistrictOption, FormatOption, TableArgument
from roster_etl.cli.text_tables import TextTable
from roster_etl.cli.times import parse_moment
from roster_etl.pipeline.lineage.trace import roster_table, trace_record
from roster_etl.pipeline.reconciliation.person_ids import person_ids

_TECHNICAL_COLUMNS = ("version_id", "row_hash", "derived", "extensions")  # for programs; last in a table for people


def trace(
    call: Call,
    table: TableArgument,
    key: Annotated[list[str], typer.Argument(metavar="KEY=VALUE", help="Key columns, enough to identify exactly one record.")],
    district: DistrictOption,
    field: Annotated[str | None, typer.Option("--field", metavar="F", help="Only this column.")] = None,
    format: FormatOption = None,
) -> int:
    """Trace a record, or one cell, to its import, upload, file, row, raw text and mapping rule."""
    given = parse_key_values(key, label="KEY=VALUE")
    require_known_district(call, district)

    document = trace_record(call.workspace, district, table, given, field=field, source=format)
    return call.show_result(document, *render_trace(document))


def as_of(
    call: Call,
    time: Annotated[
        str,
        typer.Argument(
            metavar="TIME", help="2026-09-01, 2026-09-01T08:00 (the district's time zone) or …Z, now, yesterday, or an age: 7d."
        ),
    ],
    table: TableArgument,
    district: DistrictOption,
    format: FormatOption = None,
) -> int:
    """Print a table as of a point in time."""
    known = find_district(call, district)
    moment = parse_moment(time, district_time_zone(known, format) if known else "UTC", "TIME")
    require_known_district(call, district)

    target = roster_table(table)
    records = call.warehouse.roster.as_of(moment, table, district, format).to_pylist()
    more = _add_people(call, district, moment, records) if table == "users" else ()
    if call.json:
        call.print_json(records)
    elif call.out is not None and call.out.isatty():
        names = (*target.names, *more)
        call.print_table(names, [[_format_value(record[name]) for name in names] for record in records])
    else:
        writer = csv.writer(call, lineterminator="\n")
        columns = sorted((*target.full_schema.names, *more), key=_TECHNICAL_COLUMNS.__contains__)
        writer.writerow(columns)
        writer.writerows([_format_value(record[name]) for name in columns] for record in records)
    if not records:
        call.log(_no_records_message(call, moment, table, district))
    return 0


def _add_people(call: Call, district: str, moment: datetime, records: list[dict[str, Any]]) -> tuple[str, ...]:
    """Add to each user who that was at the moment across feeds, and return the name of the column."""
    with call.warehouse.read_people() as session:
        people = {source: person_ids(session, district, source, moment) for source in {record["source"] for record in records}}
    for record in records:
        record["person_id"] = people[record["source"]][record["user_kind"], record["user_id"]]
    return ("person_id",)


def _no_records_message(call: Call, moment: datetime, table: str, district: str) -> str:
    """Return the message about an empty table, with the district's first import if the moment is before it."""
    published = [row["finished_at"] for row in call.warehouse.ledger.imports(district) if row["status"] == "published"]
    first = min(published, default=None)
    since = ""
    if first is None:
        since = "; nothing was published of this district yet"
    elif moment < first:
        since = f"; its first import was published at {first.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    return f"no record of {table} was known of {district} at {moment:%Y-%m-%dT%H:%M:%SZ}{since}"


def render_trace(document: Mapping[str, Any]) -> Iterator[str | TextTable]:
    """Yield the lines for people about the origin of a record."""
    key = " ".join(f"{name}={'' if value is None else value}" for name, value in document["key"].items())
    yield f"{document['table']} {key} · {document['district_id']}"
    for change in document["id_changes"]:
        yield f"renamed: {change['old_id']} → {change['new_id']} by import {change['import_id']}{_decided_by_text(change)}"
    for version in document["versions"]:
        yield ""
        if version["key"] != document["key"]:
            yield "as " + " ".join(f"{n}={v}" for n, v in version["key"].items() if v != document["key"][n])
        yield from _render_version(version)
    if document.get("person"):
        yield ""
        yield from _render_person(document["person"])
    if document.get("teachers"):
        yield ""
        yield f"teachers now: {', '.join(map(_teacher_name, document['teachers']))}"


def _render_person(person: Mapping[str, Any]) -> Iterator[str]:
    yield f"person {person['person_id']}"
    for link in person["links"]:
        records = " = ".join(":".join(link[side].values()) for side in "ab")
        yield f"  {records} by {link['rule']}{_decided_by_text(link)}, since {_format_time(link['valid_from'])} (link {link['number']})"


def _teacher_name(teacher: Mapping[str, Any]) -> str:
    name = teacher["full_name"] or teacher["user_id"]
    return f"{name} (primary)" if teacher["is_primary"] else name


def _render_version(version: Mapping[str, Any]) -> Iterator[str | TextTable]:
    until = (
        "current"
        if version["valid_to"] is None
        else f"until {_format_time(version['valid_to'])}: {version['close_reason']} by import {version['closed_by_import']}"
        + _decided_by_text({"decided_by": version["close_decided_by"]})
    )
    yield f"since {_format_time(version['valid_from'])} · {until}"
    yield f"  import {version['import_id']}{_import_kind(version)}{_decided_by_text(version)} · upload {version['upload_id']} · {version['file']} row {version['row']}"
    if version["run_id"]:
        yield f"  run {version['run_id']} (in the Dagster UI: /runs/{version['run_id']})"
    if version["note"]:
        yield f"  {version['note']}"
    fields: Mapping[str, Any] = version["fields"]
    if len(fields) == 1:
        yield from _render_field(*next(iter(fields.items())))
        return
    given = {name: field for name, field in fields.items() if field["value"] is not None}
    rows = [
        (
            name,
            _format_value(f["value"]),
            "derived" if f["derived"] else "",
            f["rule"],
            "; ".join(_render_source_cell(cell) for cell in f["reads"]),
        )
        for name, f in given.items()
    ]
    yield TextTable(("column", "value", "", "rule", "as it arrived"), rows, indent=2)


def _import_kind(version: Mapping[str, Any]) -> str:
    """Return the kind of the import that opened a version, if it was no upload, and the import from which its row is."""
    came = "" if version["read_in"] == version["import_id"] else f", read in import {version['read_in']}"
    return f" ({'' if version['kind'] == 'upload' else version['kind']}{came})".replace("(, ", "(").replace(" ()", "")


def _decided_by_text(record: Mapping[str, Any]) -> str:
    return f", decided by {record['decided_by']}" if record["decided_by"] else ""


def _render_field(name: str, field: Mapping[str, Any]) -> Iterator[str]:
    yield f"  {name} = {_format_value(field['value']) or 'empty'}{'  (derived)' if field['derived'] else ''}"
    yield f"    rule: {field['rule']}"
    yield from (f"    {_render_source_cell(cell)}" for cell in field["reads"])


def _render_source_cell(cell: Mapping[str, Any]) -> str:
    place = f"{cell['file']}.{cell['column']}"
    if not cell["here"] and "row" in cell:
        return f"{place} (row {cell['row']}): {_quote(cell['text'])}"
    if not cell["here"]:
        return f"{place}: not in this row"
    if isinstance(cell["text"], dict):
        return f"{place}: " + ", ".join(f"{name}: {_quote(text)}" for name, text in cell["text"].items())
    if "replaced" in cell:
        return f"{place}: {_quote(cell['text'])}, replaced by {_quote(cell['replaced'] or None, 'nothing')} as the district's settings say"
    return f"{place}: {_quote(cell['text'])}"


def _quote(text: str | None, default: str = "empty") -> str:
    return default if text is None else f'"{text}"'


def _format_time(value: datetime) -> str:
    return f"{value:%Y-%m-%d %H:%M:%S} UTC"


def _format_value(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
