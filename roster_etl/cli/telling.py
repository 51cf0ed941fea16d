"""``report``, ``data-docs``, ``refused``, ``outbox``, ``changes``, ``metrics``: what is told, to people and to other programs."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from roster_etl.cli.context import Call
from roster_etl.cli.errors import FAILED
from roster_etl.cli.global_options import BadWords
from roster_etl.cli.options import DistrictOption, FormatOption, ImportNumber, one_format, within

_PAGE = 10_000


def report(ctx: typer.Context, import_id: ImportNumber) -> int:
    """Write the report of an import again from the ledger, and say where it lies."""
    call: Call = ctx.obj
    from roster_etl.pipeline.reporting.report_files import report_url, write_report

    page = write_report(call.workspace, import_id)
    url = report_url(call.workspace, call.warehouse.import_(import_id)["district_id"], import_id)
    if call.json:
        files = {kind: str(page.with_suffix(f".{kind}")) for kind in ("html", "json", "csv")}
        call.document({"import_id": import_id, **files, "url": url})
    else:
        call.print(url or str(page))
    return 0


def data_docs(ctx: typer.Context, import_id: ImportNumber) -> int:
    """Build Great Expectations' Data Docs of an import, beside its report: every expectation, and how many rows failed it."""
    call: Call = ctx.obj
    from roster_etl.pipeline.reporting.data_docs import data_docs_url, write_data_docs
    from roster_etl.pipeline.reporting.report_files import write_report

    index = write_data_docs(call.workspace, import_id)
    write_report(call.workspace, import_id)
    url = data_docs_url(call.workspace, call.warehouse.import_(import_id)["district_id"], import_id)
    if call.json:
        call.document({"import_id": import_id, "index": str(index), "url": url})
    else:
        call.print(url or str(index))
    return 0


def refused(ctx: typer.Context, district: DistrictOption, format: FormatOption = None) -> int:
    """Count the rows that are refused now, by file, reason and age; `show` says where each stands."""
    call: Call = ctx.obj
    from roster_etl.pipeline.reporting.quarantine_age import AGES, refused_rows

    source = one_format(call.registry.get(district), format)
    found = refused_rows(call.workspace, district, source, datetime.now(UTC))
    if call.json:
        call.document([asdict(line) for line in found])
    elif found:
        rows = [(line.file, line.code, *(line.ages[age] for age in AGES), f"{line.oldest:%Y-%m-%d %H:%M} UTC") for line in found]
        call.table(("file", "why", *AGES, "the oldest since"), rows)
    else:
        call.print("No row is refused.")
    return 0


def outbox_list(ctx: typer.Context) -> int:
    """List the messages that were not sent yet: to whom, about what, how often they were tried, and what hindered them."""
    call: Call = ctx.obj
    outbox = call.workspace.outbox
    messages = outbox.messages()
    for name in outbox.damaged():
        call.say(f"roster-etl: outbox/{name} holds no message; remove it")
    if call.json:
        names = ("id", "kind", "to", "about", "created", "due", "tries", "parked", "problem")
        call.document([{name: getattr(message, name) for name in names} for message in messages])
    elif messages:
        rows = [
            (
                m.id,
                m.to or m.kind,
                m.about,
                m.tries,
                "parked" if m.parked else f"{datetime.fromisoformat(m.due):%m-%d %H:%M}",
                m.problem,
            )
            for m in messages
        ]
        call.table(("message", "to", "about", "tries", "next try (UTC)", "what hindered it"), rows)
    else:
        call.print("Nothing waits to be sent.")
    return 0


def outbox_send(ctx: typer.Context) -> int:
    """Send all that is in the outbox now, also what is parked. Exit code 1: something could not be sent."""
    call: Call = ctx.obj
    from roster_etl.pipeline.reporting.announce import send_out

    done = send_out(call.workspace, everything=True, seconds=600)
    left = len(call.workspace.outbox.messages())
    for problem in done.problems:
        call.say(f"roster-etl: {problem}")
    if call.json:
        call.document({**asdict(done), "left": left})
    else:
        call.print(f"{done.sent} sent, {left} left.")
    return FAILED if left else 0


def outbox_discard(
    ctx: typer.Context, message: Annotated[str, typer.Argument(metavar="MESSAGE", help="Its name in the list.")]
) -> int:
    """Forget a message: it is not sent, and not queued again."""
    call: Call = ctx.obj
    from roster_etl.spec.errors import UnsafePath

    try:
        found = call.workspace.outbox.discard(message)
    except UnsafePath:
        found = False
    if not found:
        raise BadWords(problem=f"no message {message} is in the outbox; `roster-etl outbox list` shows those that are")
    if call.json:
        call.document({"id": message, "discarded": True})
    else:
        call.print(f"{message} is discarded.")
    return 0


def changes(
    ctx: typer.Context,
    district: DistrictOption,
    since: Annotated[
        int, typer.Option("--since", metavar="IMPORT", min=0, callback=within, help="The last import that you know; 0: none.")
    ],
    format: FormatOption = None,
    after: Annotated[
        str | None, typer.Option("--after", metavar="WORD", help="Where the page before has ended: its `after`.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", metavar="N", min=1, max=1_000_000, help="At most so many.")] = _PAGE,
) -> int:
    """List what imports created, updated and deleted after import IMPORT: a cursor for those who keep a copy of the roster."""
    call: Call = ctx.obj
    from roster_etl.pipeline.reporting.change_feed import changes_page

    source = one_format(call.registry.get(district), format)
    page = changes_page(call.workspace, district, source, since=since, after=after, limit=limit)
    if call.json:
        call.document({"district_id": district, "source": source, **asdict(page)})
        return 0
    if page.changes:
        rows = [(c["import_id"], c["table"], c["change"], c["reason"], _key(c["key"])) for c in page.changes]
        call.table(("import", "table", "change", "why", "key"), rows)
    else:
        call.print(f"Nothing was published after import {since}." if since else "Nothing was published yet.")
    if page.after:
        call.say(f"there is more: --since {since} --after {page.after}")
    elif page.changes:
        call.say(f"that is all; the next time: --since {page.since}")
    return 0


def metrics(
    ctx: typer.Context,
    to: Annotated[
        Path | None, typer.Option("--to", metavar="FILE", help="Write this file, as a whole or not at all, instead.")
    ] = None,
) -> int:
    """Print numbers for monitoring in Prometheus' text form, for a scraper or node_exporter's textfile collector."""
    call: Call = ctx.obj
    from roster_etl.orchestration.sensors.sensor_heartbeat import last_ticks
    from roster_etl.pipeline.reporting.prometheus import exposition
    from roster_etl.pipeline.reporting.prometheus import metrics as measure

    found = measure(call.workspace, datetime.now(UTC), last_ticks(call.settings.home))
    text = exposition(found)
    if to is not None:
        _replace(to, text)
    if call.json:
        samples = [{"name": m.name, "labels": dict(labels), "value": value} for m in found for labels, value in m.samples.items()]
        call.document(samples)
    elif to is None:
        call.write(text)
    return 0


def _replace(path: Path, text: str) -> None:
    """Write a file that another user's collector reads, while it may be reading. Raises BadWords."""
    waiting = path.with_name(f".{path.name}.part")
    try:
        waiting.write_text(text, "utf-8")
        waiting.chmod(0o644)  # names of districts and numbers: nothing that others may not read
        waiting.replace(path)
    except OSError as error:
        raise BadWords(problem=f"--to: {path} cannot be written ({error.strerror})") from None


def _key(key: dict[str, object]) -> str:
    return " ".join(f"{name}={value}" for name, value in key.items() if value is not None)
