"""Shell completion: which home it reads, and the values that options complete to. The shells' scripts are typer's."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from roster_etl.cli.global_options import GlobalOptions, UsageError, parse_global_options
from roster_etl.spec.errors import RosterError

COMPLETION_VARIABLE = "_ROSTER_ETL_COMPLETE"
_LINE_VARIABLES = ("COMP_WORDS", "_TYPER_COMPLETE_ARGS")  # the line that is being completed: of bash, and of the other shells


def completed_options() -> GlobalOptions:
    """Return the global options in the line that is being completed; the defaults where it cannot be read yet."""
    line = next((os.environ[name] for name in _LINE_VARIABLES if name in os.environ), "")
    try:
        return parse_global_options(shlex.split(line)[1:])[0]
    except (ValueError, UsageError):  # an open quotation mark; --home before its folder is typed
        return GlobalOptions()


def register_shells() -> None:
    """Let the library know its shells; it does so by itself only for programs that keep its own options."""
    from typer.completion import completion_init

    completion_init()


def complete_district(ctx: Any, incomplete: str) -> list[str]:
    """Return the districts of the home that begin with `incomplete`; none where the home cannot be read."""
    try:
        return _beginning(ctx.find_root().obj.registry.ids(), incomplete)
    except (RosterError, OSError):
        return []


def complete_format(incomplete: str) -> list[str]:
    """Return the formats that begin with `incomplete`, by the folders of the vendors."""
    import roster_etl.vendors

    folders = (path.parent.name for path in Path(roster_etl.vendors.__path__[0]).glob("*/__init__.py"))
    return _beginning((name for name in folders if not name.startswith("_")), incomplete)


def complete_table(incomplete: str) -> list[str]:
    """Return the roster tables that begin with `incomplete`."""
    from roster_etl.canonical.roster import TABLES

    return _beginning(TABLES, incomplete)


def _beginning(names: Iterable[str], incomplete: str) -> list[str]:
    return sorted(name for name in names if name.startswith(incomplete))
