"""The commands, put together.

Belongs here: which word runs which function. The functions stand beside this module, one module a subject.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import typer
from typer.main import get_command

from roster_etl.cli import districts, doctor, holds, importing, ledger, projecting, tracing

_ABOUT = """School rosters from many vendors' CSV uploads: judged, planned, and published with their whole history.

Every command takes --home DIR (default: $ROSTER_ETL_HOME, else dagster_home/ of the project), --json (one document on standard output) and
--debug, before or after its own words. Exit codes: 0 done · 1 failed · 2 the words are off · 3 rejected · 4 held."""


@cache
def command() -> Any:
    """Return the whole command line."""
    app = _typer(_ABOUT)
    app.command("sample", rich_help_panel="Begin")(projecting.sample)
    for name, function in (("import", importing.import_), ("check", importing.check), ("rerun", importing.rerun)):
        app.command(name, rich_help_panel="Import")(function)
    for name, function in (("imports", ledger.imports), ("show", ledger.show), ("trace", tracing.trace), ("as-of", tracing.as_of)):
        app.command(name, rich_help_panel="Look")(function)
    app.add_typer(_holds(), name="holds", rich_help_panel="Decide")
    app.add_typer(_districts(), name="districts", rich_help_panel="Set up")
    for name, function in (("doctor", doctor.doctor), ("migrate", doctor.migrate)):
        app.command(name, rich_help_panel="Set up")(function)
    for name, function in (("generate", projecting.generate), ("new-vendor", projecting.new_vendor)):
        app.command(name, rich_help_panel="Formats")(function)
    return get_command(app)


def _holds() -> typer.Typer:
    app = _typer("Review what a gate or a threshold stopped.")
    for name, function in (("list", holds.list_), ("show", holds.show), ("approve", holds.approve), ("discard", holds.discard)):
        app.command(name)(function)
    return app


def _districts() -> typer.Typer:
    app = _typer("Register districts, pause them, stop importing them.")
    functions = (districts.add, districts.list_, districts.pause, districts.resume, districts.remove)
    for name, function in zip(("add", "list", "pause", "resume", "remove"), functions, strict=True):
        app.command(name)(function)
    return app


def _typer(about: str) -> typer.Typer:
    return typer.Typer(
        help=about,
        add_completion=False,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
