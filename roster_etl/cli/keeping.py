"""``rebuild``: what keeps a warehouse, or makes it again."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from roster_etl.cli.call import Call
from roster_etl.cli.failures import FAILED
from roster_etl.cli.options import DistrictOption


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
