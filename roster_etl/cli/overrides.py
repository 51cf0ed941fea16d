"""``override set``, ``clear`` and ``list``: stewards' edits that imports keep."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from roster_etl.cli.context import Call
from roster_etl.cli.districts import find_district, require_known_district
from roster_etl.cli.global_options import UsageError, parse_key_values
from roster_etl.cli.options import DecidedBy, DistrictFilter, DistrictOption, FormatOption, TableArgument, resolve_format
from roster_etl.pipeline.reporting.import_summary import outcome
from roster_etl.pipeline.review.approve import validate_decider
from roster_etl.pipeline.review.override import Target, clear_override, set_override

_Key = Annotated[list[str], typer.Argument(metavar="KEY=VALUE", help="Key columns, enough to identify exactly one record.")]
_Field = Annotated[str, typer.Option("--field", metavar="F", help="The column.")]


def set_(
    call: Call,
    table: TableArgument,
    key: _Key,
    *,
    district: DistrictOption,
    field: _Field,
    value: Annotated[
        str,
        typer.Option(
            "--value",
            metavar="V",
            help="What the column is to have: as uploads could bring it, a code of the roster, a date such as 2026-09-01; an empty text clears it.",
        ),
    ],
    by: DecidedBy,
    format: FormatOption = None,
) -> int:
    """Set a column of a record by hand, at once; imports leave it alone until the edit is cleared."""
    target = _target(call, table, key, district, field, format)
    return _print_override(call, set_override(call.workspace, target, value or None, validate_decider(by)), "set")


def clear(
    call: Call,
    table: TableArgument,
    key: _Key,
    *,
    district: DistrictOption,
    field: _Field,
    by: DecidedBy,
    format: FormatOption = None,
) -> int:
    """End an edit: the value of the newest published upload returns at once (Canvas: with the next upload, if one came after the edit)."""
    target = _target(call, table, key, district, field, format)
    return _print_override(call, clear_override(call.workspace, target, validate_decider(by)), "cleared")


def list_(call: Call, district: DistrictFilter = None, format: FormatOption = None) -> int:
    """List the edits in force, oldest first."""
    if district is not None:
        require_known_district(call, district)
    with call.warehouse.read() as session:
        feeds = {(row["district_id"], row["source"]) for row in session.ledger.imports(district)}
        chosen = sorted(feed for feed in feeds if format in (None, feed[1]))
        edits = [edit for feed in chosen for edit in session.roster.overrides(*feed)]
    names = ("district_id", "source", "table_name", "key", "field", "value", "set_by", "set_at")
    documents = [{name: edit[name] for name in names} for edit in edits]
    header = ("district", "table", "key", "column", "value", "by", "since (UTC)")
    return call.show_rows(documents, header, [_table_row(edit) for edit in edits], none="No edit is in force.")


def _table_row(edit: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return an edit as a table row for people, with its key as commands accept it."""
    key = " ".join(f"{name}={'' if value is None else value}" for name, value in json.loads(edit["key"]).items())
    begun = (edit["district_id"], edit["table_name"], key, edit["field"], edit["value"])
    return (*begun, edit["set_by"], f"{edit['set_at']:%Y-%m-%d %H:%M:%S}")


def _target(call: Call, table: str, key: list[str], district: str, field: str, format: str | None) -> Target:
    given = parse_key_values(key, label="KEY=VALUE")
    require_known_district(call, district)
    known = find_district(call, district)
    if known is None and format is None:
        raise UsageError(problem=f"district {district} is not registered any more; pass --format")

    source = resolve_format(known, format) if known is not None else str(format)
    return Target(district_id=district, source=source, table=table, key=given, field=field)


def _print_override(call: Call, import_id: int, action: str) -> int:
    return call.show_result(outcome(call.workspace, import_id), f"{action}, as import {import_id}.")
