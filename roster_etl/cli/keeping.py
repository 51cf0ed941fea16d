"""``rebuild``, ``purge``, ``sweep``: what makes a warehouse again, takes out of it for good, and tidies up after killed processes."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from roster_etl.cli.call import Call
from roster_etl.cli.failures import FAILED
from roster_etl.cli.options import By, DistrictOption
from roster_etl.cli.words import BadWords

if TYPE_CHECKING:
    from roster_etl.pipeline.purge import Purged


def rebuild(
    ctx: typer.Context,
    district: DistrictOption,
    to: Annotated[str, typer.Option("--to", metavar="URL", help="The warehouse to fill; it has nothing of the district yet.")],
) -> int:
    """Replay a district's archive into an empty warehouse: the same roster and the same history come out."""
    call: Call = ctx.obj
    from roster_etl.pipeline.rebuild import rebuild as replay

    total = len(call.workspace.archive.manifests(district))
    with call.progress(total, f"rebuild {district}") as progress:
        rebuilt = replay(call.workspace, district, to, progress)
    if call.json:
        call.document(asdict(rebuilt))
    else:
        call.print(f"{district}: {rebuilt.imports:,} imports replayed, {rebuilt.published:,} of them published.")
    if rebuilt.differs:
        numbers = ", ".join(str(number) for number in rebuilt.differs)
        call.say(
            f"roster-etl: imports {numbers} plan something else now than they did then: rules or mappings have changed since"
        )
        return FAILED
    return 0


def purge(
    ctx: typer.Context,
    district: DistrictOption,
    by: By,
    user: Annotated[str | None, typer.Option("--user", metavar="KIND:ID", help="Only this user, such as student:1001.")] = None,
    older_than: Annotated[
        str | None, typer.Option("--older-than", metavar="AGE", help="Only what ended longer ago, such as 730d.")
    ] = None,
) -> int:
    """Remove personal data for good, from roster, history, quarantine, archive, frames and reports; nobody can undo it."""
    call: Call = ctx.obj
    from roster_etl.pipeline.decide import somebody

    if user is not None and older_than is not None:
        raise BadWords(problem="--user and --older-than: one of them")
    purged = _purged(call, district, somebody(by), user, older_than)
    if call.json:
        call.document(asdict(purged))
    else:
        rows = sum(purged.versions.values())
        call.print(f"{district}: {rows:,} versions removed, {purged.files:,} archived files rewritten or removed.")
    return 0


def _purged(call: Call, district: str, by: str, user: str | None, older_than: str | None) -> Purged:
    from roster_etl.pipeline.purge import purge_district, purge_older, purge_person

    if user is not None:
        kind, colon, user_id = user.partition(":")
        if not (kind and colon and user_id):
            raise BadWords(problem="--user: expected KIND:ID, such as student:1001")
        return purge_person(call.workspace, district, kind, user_id, by=by)
    if older_than is not None:
        return purge_older(call.workspace, district, _age(older_than), by=by)
    return purge_district(call.workspace, district, by=by)


def _age(text: str) -> timedelta:
    from roster_etl.spec.options import parse_duration

    try:
        return parse_duration(text)
    except ValueError:
        raise BadWords(problem="--older-than: expected an age such as 730d") from None


def sweep(ctx: typer.Context) -> int:
    """End what killed processes left, bring the archive's manifests up to the ledger, and remove frames that are no longer needed."""
    call: Call = ctx.obj
    from roster_etl.pipeline.sweep import sweep as tidy

    swept = tidy(call.workspace)
    if call.json:
        call.document(asdict(swept))
    else:
        call.print(
            f"{len(swept.ended):,} imports ended as failed, {len(swept.manifests):,} manifests brought up to date, "
            f"frames of {swept.frames:,} imports, {swept.scratch:,} temporary folders and {swept.parts:,} half-written files removed."
        )
    return 0
