"""The commands `changes` and `metrics`: the change feed and the Prometheus exposition."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from roster_etl.cli.context import Call
from roster_etl.cli.global_options import UsageError
from roster_etl.cli.options import DistrictOption, FormatOption, check_import_id, check_place, resolve_format
from roster_etl.cli.text_tables import TextTable
from roster_etl.pipeline.reporting.change_feed import changes_page
from roster_etl.pipeline.reporting.prometheus import Metric, exposition
from roster_etl.pipeline.reporting.prometheus import collect_metrics as measure

_DEFAULT_LIMIT = 10_000
_SHOWN = 50  # for people


def changes(  # noqa: PLR0917 - typer's arguments are positional
    call: Call,
    district: DistrictOption,
    since: Annotated[
        int | None,
        typer.Option(
            "--since",
            metavar="IMPORT",
            min=0,
            callback=check_import_id,
            help="The last import that you have read; 0: none. Needed without --to; with it, the default is the newest one that is there.",
        ),
    ] = None,
    format: FormatOption = None,
    after: Annotated[str | None, typer.Option("--after", metavar="WORD", help="The `after` of the previous page.")] = None,
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit", metavar="N", min=1, max=1_000_000, help="Maximum number of changes (default: 50; with --json: 10,000)."
        ),
    ] = None,
    to: Annotated[
        str | None,
        typer.Option(
            "--to",
            metavar="URL",
            callback=check_place,
            help="Write Parquet instead, a file an import: a folder, or an fsspec URL of one.",
        ),
    ] = None,
) -> int:
    """Change feed (CDC) for downstream consumers: what imports created, updated and deleted after import IMPORT."""
    source = resolve_format(call.registry.get(district), format)
    if to:
        return _write_files(call, district, source, to, since, paged=bool(after or limit))
    if since is None:
        raise UsageError(problem="pass --since IMPORT (0: from the first), or --to URL to write files")
    most = limit or (_DEFAULT_LIMIT if call.json else _SHOWN)
    page = changes_page(call.workspace, district, source, since=since, after=after, limit=most)
    if call.json:
        call.print_json({"district_id": district, "source": source, **asdict(page)})
        return 0
    if page.changes:
        rows = [(c["import_id"], c["table"], c["change"], c["reason"], _key_text(c["key"])) for c in page.changes]
        call.print(TextTable(("import", "table", "change", "why", "key"), rows), "", *_summary(page.changes))
    else:
        call.print(f"Nothing was published after import {since}." if since else "Nothing was published yet.")
    if page.after:
        call.log(f"there is more: --since {since} --after {page.after}")
    elif page.changes:
        call.log(f"that is all; the next time: --since {page.since}")
    return 0


def _write_files(call: Call, district: str, source: str, to: str, since: int | None, *, paged: bool) -> int:
    """Write the changes as Parquet, and print what was written."""
    from roster_etl.pipeline.exports.change_files import write_change_files
    from roster_etl.store.files.urls import has_password

    if paged:
        raise UsageError(problem="--to writes whole imports: --after and --limit do not go with it")
    if has_password(to):
        raise UsageError(
            problem="--to: a password does not belong into a URL; the store's own variables hold it", code="password_in_path"
        )
    written = write_change_files(call.workspace, district, source, to, since)
    document = {"district_id": district, "source": source, "to": written.where, "since": written.since}
    imports = [{"import_id": number, "changes": count} for number, count in written.imports.items()]
    lines = [f"import {number}: {count:,} changes" for number, count in written.imports.items()] or ["Nothing new was published."]
    return call.show_result({**document, "imports": imports}, *lines, f"{written.where}: up to import {written.since}")


def _summary(changes: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the number of changes shown, by table and kind."""
    counts = Counter((change["table"], change["change"]) for change in changes)
    tables = dict.fromkeys(table for table, _ in counts)
    return [
        f"{table}: " + ", ".join(f"{number:,} {kind}" for (of, kind), number in counts.items() if of == table) for table in tables
    ]


def metrics(
    call: Call,
    to: Annotated[Path | None, typer.Option("--to", metavar="FILE", help="Write this file atomically instead.")] = None,
    serve: Annotated[
        str,
        typer.Option("--serve", metavar="[HOST:]PORT", help="Serve /metrics over HTTP until Ctrl-C; without a host: loopback."),
    ] = "",
) -> int:
    """Print numbers for monitoring in Prometheus' text form, or serve them: for a scraper or node_exporter's textfile collector."""
    if serve:
        return _serve(call, serve)
    found = _measure(call)
    text = exposition(found)
    if to is not None:
        _replace_file(to, text)
    if call.json:
        samples = [{"name": m.name, "labels": dict(labels), "value": value} for m in found for labels, value in m.samples.items()]
        call.print_json(samples)
    elif to is None:
        call.write(text)
    return 0


def _measure(call: Call) -> list[Metric]:
    from roster_etl.orchestration.runtime.dagster_storage import last_ticks

    return measure(call.workspace, datetime.now(UTC), last_ticks(call.settings.home))


def _serve(call: Call, address: str) -> int:
    """Serve the metrics until the process is interrupted."""
    from roster_etl.cli.metrics_server import MetricsCollector, parse_address, serve_metrics

    host, port = parse_address(address)
    _measure(call)  # what is wrong with the home is told now, and not at each scrape
    stop, port = serve_metrics(host, port, MetricsCollector(lambda: _measure(call), call.log))
    call.log(f"metrics: http://{host}:{port}/metrics; Ctrl-C ends it")
    try:
        threading.Event().wait()
    finally:
        stop()
    return 0


def _replace_file(path: Path, text: str) -> None:
    """Write a file atomically, because another user's collector may be reading it. Raises UsageError."""
    waiting = path.with_name(f".{path.name}.part")
    try:
        waiting.write_text(text, "utf-8")
        waiting.chmod(0o644)  # names of districts and numbers only: anybody may read them
        waiting.replace(path)
    except OSError as error:
        raise UsageError(problem=f"--to: {path} cannot be written ({error.strerror})") from None


def _key_text(key: dict[str, object]) -> str:
    return " ".join(f"{name}={value}" for name, value in key.items() if value is not None)
