"""``districts``: register, list, pause, resume, remove."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from roster_etl.cli.completions import complete_district, complete_format
from roster_etl.cli.context import Call
from roster_etl.cli.global_options import UsageError, parse_key_values
from roster_etl.cli.options import FormatOption, FormatOptions, resolve_format
from roster_etl.cli.times import parse_day
from roster_etl.orchestration.runtime.home_config import ensure_config
from roster_etl.spec.errors import DistrictExists, RegistryError, UnknownDistrict
from roster_etl.spec.options import resolve_options
from roster_etl.spec.replacements import check_replacements
from roster_etl.store.files.urls import redact, scheme
from roster_etl.store.registry.registry import District, Feed, Window
from roster_etl.store.registry.toml_file import check_district

if TYPE_CHECKING:
    from roster_etl.canonical.audit import Action
    from roster_etl.pipeline.reporting.freshness import Freshness

VARIABLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_Id = Annotated[str, typer.Argument(metavar="ID", autocompletion=complete_district, help="The district's id: a-z, 0-9, - and _.")]
_KnownHosts = Annotated[
    str, typer.Option("--known-hosts", metavar="FILE", help="Its SFTP server's pinned host key; FILE relative to the home.")
]
_PasswordVariable = Annotated[
    str, typer.Option("--password-env", metavar="NAME", help="The environment variable with its SFTP password.")
]
_PasswordFile = Annotated[
    str, typer.Option("--password-file", metavar="FILE", help="The file with its SFTP password, relative to the home.")
]
_KeyFile = Annotated[
    str, typer.Option("--key-file", metavar="FILE", help="The private key to log in with, relative to the home.")
]
_ReplacementsFile = Annotated[
    Path | None,
    typer.Option(
        "--replacements",
        metavar="FILE",
        help='Its replace rules, in place of the current ones: a TOML table for each column, with lines such as "Male" = "M".',
    ),
]


def add(  # noqa: PLR0917 - typer's arguments are positional
    call: Call,
    district: _Id,
    format: Annotated[
        str,
        typer.Option("--format", metavar="F", autocompletion=complete_format, help="The format of its uploads, such as clever."),
    ],
    path: Annotated[str, typer.Option("--path", metavar="P", help="Where they arrive: a folder or an fsspec URL.")] = "",
    option: FormatOptions = None,
    name: Annotated[str, typer.Option("--name", help="The district's name, for people.")] = "",
    time_zone: Annotated[str, typer.Option("--time-zone", metavar="ZONE", help="Such as America/Chicago; default UTC.")] = "",
    known_hosts: _KnownHosts = "",
    password_env: _PasswordVariable = "",
    password_file: _PasswordFile = "",
    key_file: _KeyFile = "",
    replacements: _ReplacementsFile = None,
    update: Annotated[bool, typer.Option("--update", help="Change the feed if it exists.")] = False,
) -> int:
    """Register a district, or one more feed of it."""
    options = parse_key_values(option or (), label="--option")
    _require_format(format)
    call.creates_home = True
    known = find_district(call, district)
    feed = _updated_feed(known, format, path, options)
    feed = _with_login(feed, password_env, password_file, key_file)
    feed = replace(feed, known_hosts=known_hosts or feed.known_hosts)
    if replacements is not None:
        feed = replace(feed, replacements=_read_replacements(replacements))
    with audited_change(call, "district_change" if known else "district_add", district, format=format):
        saved = save_district(call, district, feed, update=update, name=name, time_zone=time_zone)
    ensure_config(call.settings.home)  # so that Dagster's programs can start
    for warning in _sftp_warnings(saved.feed(format)):
        call.log(f"roster-etl: {warning}")
    unclear = [one.name for one in saved.destinations if not one.source]
    if unclear and len(saved.feeds) > 1:
        call.log(f"roster-etl: {', '.join(unclear)}: destinations that name no feed; set `source` in districts/{district}.toml")
    return _print_district(call, saved, "registered")


def list_(
    call: Call,
    wide: Annotated[bool, typer.Option("--wide", help="Show paths and options in full on a terminal.")] = False,
) -> int:
    """List the registered districts, with their feeds."""
    scan = call.registry.scan()
    for file, problem in scan.problems.items():
        call.log(f"roster-etl: districts/{file} cannot be read: {problem}")
    found = freshness_by_feed(call, scan.districts)
    rows = [
        (
            d.id,
            d.name,
            feed.format,
            district_time_zone(d, feed.format),
            redact(feed.path),
            f"paused, {why}" if (why := d.pause_reason(feed.format, datetime.now(UTC))) else "",
            f"{feed.expected_by} {found[key].state}" if (key := f"{d.id}/{feed.format}") in found else "",
            " ".join(f"{name}={text}" for name, text in feed.options.items()),
        )
        for d in scan.districts
        for feed in d.feeds
    ]
    header = ("district", "name", "format", "time zone", "path", "", "expected by", "options")
    none = "No district is registered. `roster-etl districts add ID --format F` registers one."
    documents = [_document(district, found) for district in scan.districts]
    return call.show_rows(documents, header, rows, none=none, shortened=() if wide else ("name", "path", "options"))


def pause(
    call: Call,
    district: _Id,
    first: Annotated[
        str | None,
        typer.Option("--from", metavar="DAY", help="The first day of a planned pause, such as 2026-12-21 or tomorrow."),
    ] = None,
    last: Annotated[str | None, typer.Option("--to", metavar="DAY", help="Its last day; it ends by itself.")] = None,
    reason: Annotated[str, typer.Option("--reason", help="Why; shown wherever the feed is listed as paused.")] = "",
) -> int:
    """Pause a district: nothing of it is imported until it is resumed, or from one day to another."""
    if not (first or last):
        with audited_change(call, "district_pause", district):
            paused = call.registry.pause(district)
        return _print_district(call, paused, "paused")
    if not (first and last and reason.strip()):
        raise UsageError(problem="a planned pause needs --from, --to and --reason")

    zone = known.time_zone if (known := find_district(call, district)) else "UTC"
    days = (parse_day(first, zone, "--from"), parse_day(last, zone, "--to"))
    window = Window(first=days[0], last=days[1], reason=reason.strip(), pause=True)
    about = {"from": window.first.isoformat(), "to": window.last.isoformat()}
    with audited_change(call, "district_pause", district, **about), registry_errors_as_usage_errors():
        changed = call.registry.add_window(district, window)
    return _print_district(call, changed, f"paused from {window.first} to {window.last}")


def resume(call: Call, district: _Id) -> int:
    """Resume a district that was paused; a planned pause that is under way ends."""
    before = find_district(call, district)
    with audited_change(call, "district_resume", district):
        resumed = call.registry.resume(district, datetime.now(UTC))
    return _print_district(call, resumed, "not paused, so nothing changed" if resumed == before else "resumed")


def remove(call: Call, district: _Id) -> int:
    """Stop importing a district. Its roster and history stay."""
    with audited_change(call, "district_remove", district):
        file = call.registry.remove(district)
    return call.show_result(
        {"district_id": district, "removed": True, "file": file},
        f"{district} is imported no more; its roster and history stay. Its settings are kept in districts/{file}.",
        "Also left: its archive, its partition in the Dagster UI, and the files with its secrets, which nobody reads now.",
        f"To remove all that was ever imported of it, for good: roster-etl purge --district {district} --by NAME",
    )


# ---- for other commands


def audited_change(call: Call, action: Action, district_id: str, **about: str) -> AbstractContextManager[None]:
    """Audit a change of the registry, whether it succeeds or is refused, with one entry."""
    from roster_etl.store.warehouse import AuditEntry

    return call.warehouse.audited(AuditEntry(action=action, district_id=district_id, about=about))


def find_district(call: Call, district_id: str) -> District | None:
    """Return the district if it is registered. Raises BadDistrictId, RegistryError."""
    return call.registry.get(district_id) if call.registry.exists(district_id) else None


def require_known_district(call: Call, district_id: str) -> None:
    """Check that a district is registered or has a history: removed districts keep theirs. Raises UnknownDistrict."""
    if find_district(call, district_id) is None and not call.warehouse.ledger.imports(district_id, limit=1):
        raise UnknownDistrict(district_id=district_id, known=call.registry.ids())


def district_time_zone(district: District, format_: str | None) -> str:
    """Return the time zone in which a district's times are read: its feed's option, else its own.

    If no format is given, its feeds' option counts if they agree.
    """
    feeds = [feed for feed in district.feeds if format_ in (None, feed.format)]
    zones = {feed.options.get("time_zone", district.time_zone) for feed in feeds}
    return zones.pop() if len(zones) == 1 else district.time_zone


def save_district(
    call: Call, district_id: str, feed: Feed, *, update: bool = False, name: str = "", time_zone: str = ""
) -> District:
    """Register `district_id` with `feed`, or add the feed; with `update`, change it. The file is written once, or not at all.

    Args:   name, time_zone: of the district; an empty one keeps the current value.
    Raises: DistrictExists; UnknownVendor, UnknownOption, BadOption, BadReplacements; UsageError: the registry rejects a value.
    """
    from roster_etl.vendors import vendor

    resolve_options(vendor(feed.format).format, feed.options)
    about = {word: text for word, text in (("name", name), ("time_zone", time_zone)) if text}
    new = replace(District(id=district_id, feeds=(feed,)), **about)  # type: ignore[arg-type]
    with registry_errors_as_usage_errors():
        check_district(new)
        check_replacements(vendor(feed.format).format, feed.replacements)
        try:
            return call.registry.add(new)
        except DistrictExists:  # perhaps registered a moment ago, by another call
            return call.registry.add_feed(district_id, feed, update=update, **about)


@contextmanager
def registry_errors_as_usage_errors() -> Iterator[None]:
    """Convert the registry's validation errors to usage errors."""
    try:
        yield
    except RegistryError as error:
        if error.code == RegistryError.code:
            raise UsageError(error.message) from None
        raise


def _require_format(format_: str) -> None:
    """Check that the format exists, before a home is created for it. Raises UnknownVendor."""
    from roster_etl.vendors import vendor

    vendor(format_)


def _updated_feed(district: District | None, format_: str, path: str, options: dict[str, str]) -> Feed:
    """Return the updated feed; values that an update does not set are kept."""
    before = next((feed for feed in district.feeds if feed.format == format_), None) if district else None
    if before is None:
        return Feed(format=format_, path=path, options=options)
    return replace(before, path=path or before.path, options={**before.options, **options})


def _read_replacements(file: Path) -> dict[str, Any]:
    """Return the replace rules in `file`. Raises UsageError."""
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(problem=f"--replacements: {file} cannot be read ({error.strerror})") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(problem=f"--replacements: {file} is not a TOML file ({error})") from None


def _sftp_warnings(feed: Feed) -> Iterator[str]:
    """Yield what an SFTP feed still lacks, each with the next step: without it no upload is fetched."""
    if scheme(feed.path) != "sftp":
        return
    if not feed.known_hosts:
        yield (
            "no host key is pinned, and an unknown server is not trusted: `ssh-keyscan HOST`, compare the key with its owner, "
            "and name the file with --known-hosts FILE --update"
        )
    if not (feed.password_env or feed.password_file or feed.key_file):
        yield "no log-in is named: add --password-env, --password-file or --key-file with --update; then `roster-etl doctor`"


def _with_login(feed: Feed, password_env: str, password_file: str, key_file: str) -> Feed:
    """Return `feed` with the given log-in and no other, or unchanged if none is given. Raises UsageError."""
    ways = {"--password-env": password_env, "--password-file": password_file, "--key-file": key_file}
    named = [word for word, text in ways.items() if text]
    if not named:
        return feed
    if len(named) > 1:
        raise UsageError(problem=f"one log-in is enough: {' or '.join(named)}")
    if password_env and not VARIABLE_NAME.fullmatch(password_env):
        raise UsageError(problem="--password-env: the name of a variable, not the password")
    return replace(feed, password_env=password_env, password_file=password_file, key_file=key_file)


def _print_district(call: Call, district: District, status: str) -> int:
    text = f"{district.id} is {status}: {', '.join(feed.format for feed in district.feeds)}."
    return call.show_result(_document(district), text)


def _document(district: District, freshness: Mapping[str, Freshness] | None = None) -> dict[str, Any]:
    return {
        "district_id": district.id,
        "name": district.name,
        "time_zone": district_time_zone(district, None),
        "paused": district.paused,
        "mail": district.mail,
        "contacts": list(district.contacts),
        "feeds": [
            _feed_document(district, feed) | _expectation_document(district, feed, freshness or {}) for feed in district.feeds
        ],
        "calendar": [_window_document(window) for window in district.calendar],
    }


def _feed_document(district: District, feed: Feed) -> dict[str, Any]:
    return {
        "format": feed.format,
        "path": redact(feed.path),
        "options": dict(feed.options),
        "replacements": {column: dict(codes) for column, codes in feed.replacements.items()},
        "pause": district.pause_reason(feed.format, datetime.now(UTC)),
    }


def _expectation_document(district: District, feed: Feed, freshness: Mapping[str, Freshness]) -> dict[str, Any]:
    """Return the expected time of the feed and its freshness (null if it was never evaluated)."""
    stand = freshness.get(f"{district.id}/{feed.format}")
    days = {"expected_by": feed.expected_by or None, "expected_days": list(feed.expected_days)}
    return {**days, "freshness": stand and stand.state, "expected_next": stand and stand.next.isoformat()}


def _window_document(window: Window) -> dict[str, Any]:
    days = {"from": window.first.isoformat(), "to": window.last.isoformat()}
    return {**days, "reason": window.reason, "pause": window.pause, "options": dict(window.options), "feeds": list(window.feeds)}


def expect(
    call: Call,
    district: _Id,
    by: Annotated[
        str, typer.Option("--by", metavar="HH:MM", help="Local time by which it should be in the roster; none: no more.")
    ],
    format: FormatOption = None,
    days: Annotated[str, typer.Option("--days", metavar="mon,tue,…", help="On these days of the week; default: every day.")] = "",
    hours: Annotated[int, typer.Option("--hours", metavar="N", help="An import that ended up to N hours before counts.")] = 12,
) -> int:
    """Set the time by which a district's upload is expected each day. A late feed shows in lists, in the UI, and in a mail."""
    known = call.registry.get(district)
    source = resolve_format(known, format)
    wanted = tuple(day.strip() for day in days.split(",")) if days else ()
    usual = {"expected_by": "", "expected_days": (), "expected_hours": 12}
    given = usual if by == "none" else {"expected_by": by, "expected_days": wanted, "expected_hours": hours}
    feeds = tuple(replace(feed, **given) if feed.format == source else feed for feed in known.feeds)  # type: ignore[arg-type]
    _update_district(call, replace(known, feeds=feeds), "expected_by")
    text = "is expected at no time of day" if by == "none" else f"is expected by {by} on {', '.join(wanted) or 'every day'}"
    return call.show_result({"district_id": district, "format": source, **given}, f"{district}/{source} {text}.")


def contacts(
    call: Call,
    district: _Id,
    addresses: Annotated[
        list[str] | None, typer.Argument(metavar="ADDRESS…", help="All of its contacts; those of before are replaced.")
    ] = None,
    mail: Annotated[
        str | None, typer.Option("--mail", metavar="WHEN", help="always, problems (as before it is set) or never.")
    ] = None,
) -> int:
    """Set who gets mail about a district's imports, and when."""
    known = call.registry.get(district)
    given = {**({"contacts": tuple(addresses)} if addresses else {}), **({"mail": mail} if mail else {})}
    if given:
        known = replace(known, **given)  # type: ignore[arg-type]
        _update_district(call, known, "contacts")
    document = {"district_id": district, "contacts": list(known.contacts), "mail": known.mail}
    return call.show_result(document, f"{district}: mail {known.mail}, to {', '.join(known.contacts) or 'nobody'}.")


def freshness_by_feed(call: Call, districts: Sequence[District]) -> dict[str, Freshness]:
    """Return the freshness of the feeds that have an expected time, by district and format; reads nothing if none has."""
    if not any(feed.expected_by for district in districts for feed in district.feeds):
        return {}
    from roster_etl.pipeline.reporting.freshness import freshness

    return {found.key: found for found in freshness(call.workspace, datetime.now(UTC), districts)}


def print_late_feeds(call: Call, district_id: str | None) -> None:
    """Print the late feeds, below a list of imports."""
    scan = call.registry.scan()
    chosen = [district for district in scan.districts if district_id in (None, district.id)]
    for found in freshness_by_feed(call, chosen).values():
        if found.state == "late":
            call.log(f"late: {found.key}, {found.text}")


def _update_district(call: Call, district: District, changed_field: str) -> None:
    """Write the district's file. Raises UsageError: the registry rejects a value."""
    with registry_errors_as_usage_errors(), audited_change(call, "district_change", district.id, what=changed_field):
        call.registry.update(district)
