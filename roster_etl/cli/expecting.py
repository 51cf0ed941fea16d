"""``districts expect`` and ``districts contacts``: by when a feed is expected, and who is told of it. How late feeds are shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from roster_etl.cli.context import Call
from roster_etl.cli.global_options import BadWords
from roster_etl.cli.options import FormatOption, one_format

if TYPE_CHECKING:
    from roster_etl.pipeline.reporting.freshness import Freshness
    from roster_etl.store.registry.registry import District

_Id = Annotated[str, typer.Argument(metavar="ID", help="The district's id.")]


def expect(
    ctx: typer.Context,
    district: _Id,
    by: Annotated[
        str, typer.Option("--by", metavar="HH:MM", help="Local time by which it should be in the roster; none: no more.")
    ],
    format: FormatOption = None,
    days: Annotated[str, typer.Option("--days", metavar="mon,tue,…", help="On these days of the week; default: every day.")] = "",
    hours: Annotated[int, typer.Option("--hours", metavar="N", help="An import that ended up to N hours before counts.")] = 12,
) -> int:
    """Say by when a district's upload is expected each day. A feed that is late shows in lists, in the UI, and in a mail."""
    call: Call = ctx.obj
    known = call.registry.get(district)
    source = one_format(known, format)
    wanted = tuple(day.strip() for day in days.split(",")) if days else ()
    usual = {"expected_by": "", "expected_days": (), "expected_hours": 12}
    given = usual if by == "none" else {"expected_by": by, "expected_days": wanted, "expected_hours": hours}
    feeds = tuple(replace(feed, **given) if feed.format == source else feed for feed in known.feeds)  # type: ignore[arg-type]
    _keep(call, replace(known, feeds=feeds), "expected_by")
    if call.json:
        call.document({"district_id": district, "format": source, **given})
    else:
        text = "is expected at no time of day" if by == "none" else f"is expected by {by} on {', '.join(wanted) or 'every day'}"
        call.print(f"{district}/{source} {text}.")
    return 0


def contacts(
    ctx: typer.Context,
    district: _Id,
    addresses: Annotated[
        list[str] | None, typer.Argument(metavar="ADDRESS…", help="All of its contacts; those of before are replaced.")
    ] = None,
    mail: Annotated[
        str | None, typer.Option("--mail", metavar="WHEN", help="always, problems (as before it is set) or never.")
    ] = None,
) -> int:
    """Say who gets mail about a district's imports, and when."""
    call: Call = ctx.obj
    known = call.registry.get(district)
    given = {**({"contacts": tuple(addresses)} if addresses else {}), **({"mail": mail} if mail else {})}
    if given:
        known = replace(known, **given)  # type: ignore[arg-type]
        _keep(call, known, "contacts")
    if call.json:
        call.document({"district_id": district, "contacts": list(known.contacts), "mail": known.mail})
    else:
        call.print(f"{district}: mail {known.mail}, to {', '.join(known.contacts) or 'nobody'}.")
    return 0


def stands(call: Call, districts: Sequence[District]) -> dict[str, Freshness]:
    """Return how the feeds of `districts` stand that are expected by a time of day, by district and format; nothing is read if none is."""
    if not any(feed.expected_by for district in districts for feed in district.feeds):
        return {}
    from roster_etl.pipeline.reporting.freshness import freshness

    return {found.key: found for found in freshness(call.workspace, datetime.now(UTC), districts)}


def say_late(call: Call, district_id: str | None) -> None:
    """Tell of the feeds that are late, below a list of imports."""
    scan = call.registry.scan()
    chosen = [district for district in scan.districts if district_id in (None, district.id)]
    for found in stands(call, chosen).values():
        if found.state == "late":
            call.say(f"late: {found.key}, {found.text}")


def _keep(call: Call, district: District, what: str) -> None:
    """Write the district's file. Raises BadWords: what the registry refuses."""
    from roster_etl.cli.districts import noted
    from roster_etl.spec.errors import RegistryError

    try:
        with noted(call, "district_change", district.id, what=what):
            call.registry.update(district)
    except RegistryError as error:
        if error.code == RegistryError.code:
            raise BadWords(error.message) from None
        raise
