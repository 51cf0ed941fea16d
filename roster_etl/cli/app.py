"""Register the commands.

Belongs here: which command runs which function, as ``module:function`` below ``roster_etl.cli``. A command's module is imported
when the command is called; a help page that lists commands reads their docstrings from the source instead.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable, Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from roster_etl.cli.context import Call

_HELP_TEXT = """School rosters from many vendors' CSV uploads: validated, compared with the current roster, and published as versioned tables.

Every command takes --home DIR (default: $ROSTER_ETL_HOME, else dagster_home/ of the project), --json (one document on standard output) and
--debug, before or after its own arguments. Exit codes: 0 done · 1 failed · 2 usage error · 3 rejected · 4 held."""

_MARKUP = re.compile(r"\[(?=[a-z#/@])")
_CONTEXT = {"help_option_names": ["-h", "--help"]}
_COMMANDS = {
    "Get started": {"demo": "demo.story:demo", "sample": "generate:sample"},
    "Import": {"import": "imports:import_", "check": "imports:check", "rerun": "imports:rerun", "backfill": "backfill:backfill"},
    "Inspect": {
        "imports": "history:imports",
        "show": "history:show",
        "trace": "lineage:trace",
        "as-of": "lineage:as_of",
        "report": "reports:report",
        "data-docs": "reports:data_docs",
        "refused": "reports:list_refused",
        "changes": "change_feed:changes",
        "audit": "audit:audit",
        "reconcile": "reconcile:reconcile",
    },
    "Export": {"export": "exports:export", "exports": "exports:exports"},
    "Set up": {"doctor": "doctor:doctor", "migrate": "doctor:migrate", "metrics": "change_feed:metrics"},
    "Maintenance": {
        "rebuild": "maintenance:rebuild",
        "purge": "maintenance:purge",
        "sweep": "maintenance:sweep",
        "backup": "maintenance:backup",
        "restore": "maintenance:restore",
    },
    "Formats": {"generate": "generate:generate", "new-vendor": "generate:new_vendor"},
    "Approvals": {"undo": "holds:undo"},
}
# Groups of commands: panel, help, command -> function.
_GROUPS: dict[str, tuple[str, str, dict[str, str]]] = {
    "destinations": (
        "Export",
        "Outgoing feeds: where the roster of a district is sent.",
        {name.rstrip("_"): f"destinations:{name}" for name in ("add", "list_", "remove", "check", "send")},
    ),
    "holds": (
        "Approvals",
        "Review imports that a gate or a threshold stopped.",
        {"list": "holds:list_", "show": "holds:show", "approve": "holds:approve", "discard": "holds:discard"},
    ),
    "renames": (
        "Approvals",
        "Review probable ID changes (same person, new ID).",
        {"list": "renames:list_", "approve": "renames:approve"},
    ),
    "people": (
        "Approvals",
        "Who is one human across the feeds of a district.",
        {"links": "people:links", "link": "people:link", "unlink": "people:unlink"},
    ),
    "override": (
        "Approvals",
        "Edit a record by hand; imports keep the edit.",
        {"set": "overrides:set_", "clear": "overrides:clear", "list": "overrides:list_"},
    ),
    "districts": (
        "Set up",
        "Register districts, pause them, stop importing them.",
        {name.rstrip("_"): f"districts:{name}" for name in ("add", "list_", "contacts", "expect", "pause", "resume", "remove")},
    ),
    "receipts": (
        "Inspect",
        "Signed statements of what a district sent, and what became of it.",
        {"list": "receipts:list_", "show": "receipts:show", "verify": "receipts:verify", "sign": "receipts:sign"},
    ),
    "keys": ("Set up", "The key that signs receipts.", {"init": "keys:init", "rotate": "keys:rotate"}),
    "outbox": (
        "Inspect",
        "Undelivered notifications.",
        {"list": "outbox:outbox_list", "send": "outbox:outbox_send", "discard": "outbox:outbox_discard"},
    ),
}

# Commands that change nothing, and those that use no home. All others refuse a home that other users may change.
READING_COMMANDS = frozenset(
    [
        "audit",
        "as-of",
        "changes",
        "demo",
        "doctor",
        "exports",
        "generate",
        "imports",
        "links",
        "list",
        "metrics",
        "new-vendor",
        "refused",
        "sample",
        "show",
        "trace",
        "verify",
    ]
)


class LazyCommand(TyperCommand):
    """A command whose module is imported when it is called. ``target``: ``module:function`` below ``roster_etl.cli``."""

    def __init__(self, name: str, target: str, panel: str | None = None) -> None:
        super().__init__(name, rich_help_panel=panel)
        self._module, _, self._function = target.partition(":")

    def load(self) -> Any:
        """Return the complete command, with its options."""
        function: Callable[..., int] = getattr(import_module(f"{__package__}.{self._module}"), self._function)
        app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, context_settings=_CONTEXT)
        app.command(self.name, help=_escaped(inspect.getdoc(function) or ""))(function)
        return get_command(app)

    def make_context(self, *args: Any, **extra: Any) -> Any:
        """Return the context of the complete command, which then runs in place of this one. Raises UnsafeHome."""
        context = self.load().make_context(*args, **extra)
        if self.name not in READING_COMMANDS and isinstance(context.obj, Call):
            context.obj.require_safe_home()
        return context

    def read_help(self) -> None:
        """Set the help from the docstring, without importing the module."""
        self.help = _escaped(_docstrings(self._module)[self._function])


class LazyGroup(TyperGroup):
    """A group of commands that are imported when they are called."""

    def format_help(self, *args: Any) -> None:
        """Write the help, after the help of the commands was read."""
        for inner in self.commands.values():
            if isinstance(inner, LazyCommand):
                inner.read_help()
        super().format_help(*args)


@cache
def root_command() -> LazyGroup:
    """Return the root command."""
    commands: dict[str, Any] = {
        word: LazyCommand(word, target, panel) for panel, targets in _COMMANDS.items() for word, target in targets.items()
    }
    for word, (panel, about, targets) in _GROUPS.items():
        inner = {name: LazyCommand(name, target) for name, target in targets.items()}
        commands[word] = _group(about, inner, name=word, rich_help_panel=panel)
    return _group(_HELP_TEXT, commands)


def _group(help_text: str, commands: Mapping[str, Any], **attributes: Any) -> LazyGroup:
    return LazyGroup(
        commands=dict(commands), help=_escaped(help_text), no_args_is_help=True, context_settings=_CONTEXT, **attributes
    )


@cache
def _docstrings(module: str) -> dict[str, str]:
    """Return the docstrings of the functions in a module of commands, by name."""
    tree = ast.parse(Path(__file__).parent.joinpath(*module.split(".")).with_suffix(".py").read_bytes())
    return {node.name: ast.get_docstring(node) or "" for node in tree.body if isinstance(node, ast.FunctionDef)}


def _escaped(text: str) -> str:
    """Return a help text with escaped brackets, such as in a table name of the settings, so that they are not read as markup."""
    return _MARKUP.sub(r"\\[", text)
