"""``export`` and ``exports``: write a roster in another format, and list what was written for whom."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from roster_etl.cli.context import Call
from roster_etl.cli.districts import district_time_zone, find_district, require_known_district
from roster_etl.cli.exit_codes import FAILED, HELD, OK
from roster_etl.cli.export_options import AskedBy, EnrolledOnly, Formulas, LeaveOut, Schools, Strict, parse_place, split_words
from roster_etl.cli.global_options import UsageError, parse_key_values
from roster_etl.cli.options import DistrictFilter, DistrictOption, FormatOptions, check_import_id, check_place
from roster_etl.cli.times import parse_moment

_DEFAULT_LIMIT = 30
EXIT_CODES = {"written": OK, "unchanged": OK, "refused": HELD, "failed": FAILED}
FORMULAS = ("guard", "keep", "refuse")


def export(  # noqa: PLR0917 - typer's arguments are positional
    call: Call,
    district: DistrictOption,
    to: Annotated[
        str,
        typer.Option(
            "--to", metavar="PATH", callback=check_place, help="A new or empty folder, a .zip, or an fsspec URL of one."
        ),
    ],
    word: Annotated[str | None, typer.Argument(metavar="[FORMAT]", help="The format, such as oneroster or clever.")] = None,
    format: Annotated[str | None, typer.Option("--format", metavar="F", help="The same.")] = None,
    source: Annotated[str | None, typer.Option("--source", metavar="S", help="The feed, where several were published.")] = None,
    option: FormatOptions = None,
    as_of: Annotated[str, typer.Option("--as-of", metavar="T", help="A moment, yesterday, an age such as 7d, or import:N.")] = "",
    since: Annotated[
        int | None,
        typer.Option("--since", metavar="IMPORT", min=0, callback=check_import_id, help="Only what changed after this import."),
    ] = None,
    school: Schools = None,
    leave_out: LeaveOut = None,
    enrolled_only: EnrolledOnly = False,
    formulas: Formulas = "guard",
    strict: Strict = False,
    replace: Annotated[bool, typer.Option("--replace", help="Exchange what a former export left there.")] = False,
    by: AskedBy = "",
) -> int:
    """Write the roster of a district in a format, as a whole or not at all, with the list of what the format cannot say."""
    from roster_etl.pipeline.exports.export_roster import export_roster
    from roster_etl.pipeline.exports.order import ExportOrder
    from roster_etl.store.actor import os_user

    order = ExportOrder(
        district_id=district,
        format=_chosen_format(word, format),
        to=parse_place(to, instead="name it in the settings"),
        requested_by=by.strip() or os_user(),
        source=source,
        options=parse_key_values(option or (), label="--option"),
        as_of=_as_of(call, district, source, as_of),
        since=since,
        schools=tuple(school or ()),
        leave_out=split_words(leave_out),
        enrolled_only=enrolled_only,
        formulas=_known_formulas(formulas),
        strict=strict,
        replace=replace,
    )
    return print_export(call, export_roster(call.workspace, order))


def _as_of(call: Call, district_id: str, source: str | None, text: str) -> str:
    """Return the moment of `text` as the export reads it: words such as yesterday and 7d become a moment of now. Raises UsageError."""
    word = text.strip()
    if not word or word.casefold() == "now" or word.startswith("import:"):
        return word
    known = find_district(call, district_id)
    try:
        return parse_moment(word, district_time_zone(known, source) if known else "UTC", "--as-of").isoformat()
    except UsageError as error:
        raise UsageError(error.message, code="bad_option") from None


def _chosen_format(word: str | None, format: str | None) -> str:
    if word and format and word != format:
        raise UsageError(problem="the format is named twice, and differently")
    if not (word or format):
        raise UsageError(problem="say which format: roster-etl export FORMAT …, or --format")
    return word or format or ""


def _known_formulas(formulas: str) -> str:
    if formulas not in FORMULAS:
        raise UsageError(problem=f"--formulas: one of {', '.join(FORMULAS)}", code="bad_option")
    return formulas


def print_export(call: Call, document: Mapping[str, Any]) -> int:
    """Print what an export came to, and return its exit code."""
    call.show_result(document, *_lines(document))
    if "error" in document:
        call.log(f"roster-etl: {document['error']['message']}")
    return EXIT_CODES[document["status"]]


def _lines(document: Mapping[str, Any]) -> list[str]:
    head = f"{document['status']}: {document['district_id']} ({document['source']}) as {document['format']} to {document['to']}"
    lines = [f"{head}, roster of import {document['as_of_import']}"]
    if document["since_import"] is not None:
        lines.append(f"only what changed after import {document['since_import']}")
    lines += [f"  {file['file']}: {file['rows']} rows, {file['bytes']} bytes" for file in document["files"]]
    if document["losses"]:
        lines.append("What the format cannot say as the roster has it:")
        lines += [f"  {_loss_line(loss)}" for loss in document["losses"]]
    return lines


def _loss_line(loss: Mapping[str, Any]) -> str:
    place = ".".join(filter(None, (loss["table"], loss["column"])))
    where = f" in {loss['file']}" if loss["file"] else ""
    return f"{loss['kind']}: {place}{where}: {loss['count']} ({loss['reason']})"


def exports(
    call: Call,
    district: DistrictFilter = None,
    limit: Annotated[
        int | None,
        typer.Option("--limit", metavar="N", min=1, callback=check_import_id, help="Only the newest N (for people: 30)."),
    ] = None,
) -> int:
    """List exports, newest first: when, what, to whom, how many rows, with which losses."""
    if district is not None:
        require_known_district(call, district)
    with call.warehouse.read() as session:
        rows = session.ledger.exports(district, limit=limit or (None if call.json else _DEFAULT_LIMIT))
    header = ("export", "finished (UTC)", "district", "feed", "format", "status", "rows", "losses", "to", "by")
    lines = [
        (
            row["export_id"],
            f"{row['finished_at']:%Y-%m-%d %H:%M:%S}" if row["finished_at"] else "",
            row["district_id"],
            row["source"],
            row["format"],
            f"refused: {row['refused']['reason']}" if row["refused"] else row["status"],
            sum(file["rows"] for file in row["files"]),
            sum(loss["count"] for loss in row["losses"]),
            row["destination_name"] or row["destination"],
            row["requested_by"],
        )
        for row in rows
    ]
    return call.show_rows(rows, header, lines, none="Nothing was exported yet.")
