"""The commands, put together.

Belongs here: which word runs which function. The functions stand beside this module, one module a subject.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from functools import cache
from typing import Any

import typer
from typer.main import get_command

from roster_etl.cli import (
    audit,
    backfill,
    districts,
    doctor,
    exports,
    generate,
    history,
    holds,
    imports,
    lineage,
    maintenance,
    outbox,
    overrides,
    renames,
    reports,
)
from roster_etl.cli.demo import story

_HELP_TEXT = """School rosters from many vendors' CSV uploads: judged, planned, and published with their whole history.

Every command takes --home DIR (default: $ROSTER_ETL_HOME, else dagster_home/ of the project), --json (one document on standard output) and
--debug, before or after its own words. Exit codes: 0 done · 1 failed · 2 the words are off · 3 rejected · 4 held."""

Command = Callable[..., int]
_MARKUP = re.compile(r"\[(?=[a-z#/@])")
_COMMANDS: dict[str, dict[str, Command]] = {
    "Begin": {"demo": story.demo, "sample": generate.sample},
    "Import": {"import": imports.import_, "check": imports.check, "rerun": imports.rerun, "backfill": backfill.backfill},
    "Look": {
        "imports": history.imports,
        "show": history.show,
        "trace": lineage.trace,
        "as-of": lineage.as_of,
        "report": reports.report,
        "data-docs": reports.data_docs,
        "refused": reports.list_refused,
        "changes": exports.changes,
        "audit": audit.audit,
    },
    "Set up": {"doctor": doctor.doctor, "migrate": doctor.migrate, "metrics": exports.metrics},
    "Keep": {
        "rebuild": maintenance.rebuild,
        "purge": maintenance.purge,
        "sweep": maintenance.sweep,
        "backup": maintenance.backup,
        "restore": maintenance.restore,
    },
    "Formats": {"generate": generate.generate, "new-vendor": generate.new_vendor},
}
_HOLDS: dict[str, Command] = {"list": holds.list_, "show": holds.show, "approve": holds.approve, "discard": holds.discard}
_RENAMES: dict[str, Command] = {"list": renames.list_, "approve": renames.approve}
_OUTBOX: dict[str, Command] = {"list": outbox.outbox_list, "send": outbox.outbox_send, "discard": outbox.outbox_discard}
_OVERRIDES: dict[str, Command] = {"set": overrides.set_, "clear": overrides.clear, "list": overrides.list_}
_DISTRICTS: dict[str, Command] = {
    "add": districts.add,
    "list": districts.list_,
    "contacts": districts.contacts,
    "expect": districts.expect,
    "pause": districts.pause,
    "resume": districts.resume,
    "remove": districts.remove,
}


@cache
def root_command() -> Any:
    """Return the whole command line."""
    app = _typer(_HELP_TEXT)
    for panel, words in _COMMANDS.items():
        for word, function in words.items():
            _add_command(app, word, function, panel)
    _add_command(app, "undo", holds.undo, "Decide")
    app.add_typer(_group("Review what a gate or a threshold stopped.", _HOLDS), name="holds", rich_help_panel="Decide")
    app.add_typer(
        _group("Say of people under new ids that they are who they were.", _RENAMES), name="renames", rich_help_panel="Decide"
    )
    app.add_typer(
        _group("Edit a record by hand, so that imports keep it.", _OVERRIDES), name="override", rich_help_panel="Decide"
    )
    app.add_typer(
        _group("Register districts, pause them, stop importing them.", _DISTRICTS), name="districts", rich_help_panel="Set up"
    )
    app.add_typer(_group("What is to be told outside, and was not sent yet.", _OUTBOX), name="outbox", rich_help_panel="Look")
    return get_command(app)


def _group(help_text: str, commands: dict[str, Command]) -> typer.Typer:
    app = _typer(help_text)
    for word, function in commands.items():
        _add_command(app, word, function)
    return app


def _add_command(app: typer.Typer, name: str, function: Command, panel: str | None = None) -> None:
    app.command(name, rich_help_panel=panel, help=_escape_markup(inspect.getdoc(function) or ""))(function)


def _escape_markup(text: str) -> str:
    """Return help so that words in brackets, such as a table of the settings, are shown, and not read as markup."""
    return _MARKUP.sub(r"\\[", text)


def _typer(help_text: str) -> typer.Typer:
    return typer.Typer(
        help=_escape_markup(help_text),
        add_completion=False,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
