"""``destinations``: outgoing feeds of a district: add, list, remove, check, send."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from roster_etl.cli.context import Call
from roster_etl.cli.districts import VARIABLE_NAME, audited_change, registry_errors_as_usage_errors
from roster_etl.cli.export_options import AskedBy, EnrolledOnly, Formulas, LeaveOut, Schools, Strict, parse_place, split_words
from roster_etl.cli.exports import print_export
from roster_etl.cli.global_options import UsageError, parse_key_values
from roster_etl.cli.options import DistrictFilter, DistrictOption, FormatOptions, check_place
from roster_etl.store.files.urls import redact
from roster_etl.store.registry.district import Destination

if TYPE_CHECKING:
    from roster_etl.canonical.audit import Action
    from roster_etl.store.registry.district import District

_When = Annotated[str, typer.Option("--when", metavar="WHEN", help="after_import, or a cron line.")]
_ShrinkPct = Annotated[int, typer.Option("--shrink-pct", metavar="N", min=0, max=100, help="Stop at so many percent fewer rows.")]
_ShrinkMin = Annotated[int, typer.Option("--shrink-min", metavar="N", min=0, help="Never stop for fewer rows than this.")]
_KnownHosts = Annotated[str, typer.Option("--known-hosts", metavar="FILE", help="The SFTP server's pinned host key.")]
_KeyFile = Annotated[str, typer.Option("--key-file", metavar="FILE", help="The private key to log in with.")]
_PasswordFile = Annotated[str, typer.Option("--password-file", metavar="FILE", help="The file with the password.")]
_PasswordEnv = Annotated[str, typer.Option("--password-env", metavar="NAME", help="The variable with the password.")]
_Name = Annotated[str, typer.Argument(metavar="NAME", help="The destination's name: a-z, 0-9, - and _.")]


def add(  # noqa: PLR0917 - typer's arguments are positional
    call: Call,
    name: _Name,
    district: DistrictOption,
    format: Annotated[str, typer.Option("--format", metavar="F", help="The format, such as oneroster.")],
    to: Annotated[
        str, typer.Option("--to", metavar="PATH", callback=check_place, help="A folder or a .zip: a path or an fsspec URL.")
    ],
    source: Annotated[str, typer.Option("--source", metavar="S", help="The feed, where the district has several.")] = "",
    option: FormatOptions = None,
    school: Schools = None,
    leave_out: LeaveOut = None,
    enrolled_only: EnrolledOnly = False,
    formulas: Formulas = "guard",
    strict: Strict = False,
    when: _When = "after_import",
    shrink_pct: _ShrinkPct = Destination.shrink_pct,
    shrink_min: _ShrinkMin = Destination.shrink_min,
    known_hosts: _KnownHosts = "",
    key_file: _KeyFile = "",
    password_file: _PasswordFile = "",
    password_env: _PasswordEnv = "",
    update: Annotated[bool, typer.Option("--update", help="Change the destination if it exists.")] = False,
) -> int:
    """Add a destination to a district's file. Nothing is sent yet."""
    destination = Destination(
        name=name,
        format=format,
        to=parse_place(to, instead="use --password-env or --password-file"),
        source=source,
        options=parse_key_values(option or (), label="--option"),
        schools=tuple(school or ()),
        leave_out=split_words(leave_out),
        enrolled_only=enrolled_only,
        formulas=formulas,
        strict=strict,
        when=when,
        shrink_pct=shrink_pct,
        shrink_min=shrink_min,
        known_hosts=known_hosts,
        key_file=key_file,
        password_file=password_file,
        password_env=password_env,
    )
    _check(destination)
    registered = call.registry.get(district)
    _check_source(destination, registered)
    known = any(one.name == name for one in registered.destinations)
    action: Action = "destination_change" if known else "destination_add"
    with audited_change(call, action, district, name=name, format=format), registry_errors_as_usage_errors():
        call.registry.add_destination(district, destination, update=update)
    return call.show_result(document_of(district, destination), f"{district}: {name} is a destination, in format {format}.")


def _check(destination: Destination) -> None:
    """Refuse a destination that nothing could be sent to. Raises UsageError; UnknownVendor, BadOption and others of an export."""
    from roster_etl.exports.scope import check_left_out
    from roster_etl.pipeline.exports.order import export_options
    from roster_etl.vendors.export_formats import export_format

    if destination.password_env and not VARIABLE_NAME.fullmatch(destination.password_env):
        raise UsageError(problem="--password-env: the name of an environment variable, not the password")
    found = export_format(destination.format)
    export_options(found, destination.options)
    check_left_out(destination.leave_out, found)


def _check_source(destination: Destination, district: District) -> None:
    """Refuse a destination of which it is not clear which feed is sent. Raises UsageError, UnknownFeed."""
    if destination.source:
        district.feed(destination.source)
    elif len(district.feeds) > 1:
        formats = ", ".join(feed.format for feed in district.feeds)
        raise UsageError(problem=f"district {district.id} has {formats}; say which with --source", code="several_feeds")


def list_(call: Call, district: DistrictFilter = None) -> int:
    """List the destinations, with what was sent to each last."""
    districts = [call.registry.get(district)] if district else list(call.registry.scan().districts)
    documents = [
        {**document_of(one.id, destination), "last": _last(call, one.id, destination.name)}
        for one in districts
        for destination in one.destinations
    ]
    header = ("district", "destination", "format", "to", "when", "last export", "status")
    rows = [
        (
            d["district_id"],
            d["name"],
            d["format"],
            d["to"],
            d["when"],
            *((d["last"]["finished_at"], d["last"]["status"]) if d["last"] else ("", "")),
        )
        for d in documents
    ]
    return call.show_rows(documents, header, rows, none="No destination. `roster-etl destinations add` adds one.")


def remove(call: Call, name: _Name, district: DistrictOption) -> int:
    """Remove a destination; what was sent stays where it is, and in the ledger."""
    with audited_change(call, "destination_remove", district, name=name):
        call.registry.remove_destination(district, name)
    return call.show_result(
        {"district_id": district, "name": name, "removed": True}, f"{district}: {name} is no destination any more."
    )


def check(call: Call, name: _Name, district: DistrictOption) -> int:
    """Check a destination without sending: settings, log-in, host key, and that the place is free or holds our export."""
    from roster_etl.pipeline.exports import destinations

    destinations.check(call.workspace, district, name)
    return call.show_result({"district_id": district, "name": name, "ok": True}, f"{district}: {name} can be sent to.")


def send(
    call: Call,
    name: _Name,
    district: DistrictOption,
    accept_shrink: Annotated[bool, typer.Option("--accept-shrink", help="Send although a file has become much smaller.")] = False,
    by: AskedBy = "",
) -> int:
    """Send the present roster to a destination, unless it is unchanged. A file that has shrunk needs --accept-shrink --by NAME."""
    from roster_etl.pipeline.exports import destinations
    from roster_etl.store.actor import os_user

    document = destinations.send(
        call.workspace, district, name, requested_by=by.strip() or os_user(), accept_shrink=accept_shrink
    )
    return print_export(call, document)


def document_of(district_id: str, destination: Destination) -> dict[str, Any]:
    """Return a destination as JSON, without secrets."""
    return {"district_id": district_id, **asdict(destination), "options": dict(destination.options), "to": redact(destination.to)}


def _last(call: Call, district_id: str, name: str) -> dict[str, Any] | None:
    with call.warehouse.read() as session:
        rows = session.ledger.exports(district_id, destination=name, limit=1)
    return {key: rows[0][key] for key in ("export_id", "status", "finished_at", "refused")} if rows else None
