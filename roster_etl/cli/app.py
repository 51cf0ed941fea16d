"""Register the commands.

Belongs here: which command runs which function, as ``module:function`` below ``roster_etl.cli``. A command's module is imported
when the command is called; a help page that lists commands reads their docstrings from the source instead.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, wraps
from importlib import import_module
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from roster_etl.cli.context import Call
from roster_etl.cli.examples import examples_text
from roster_etl.cli.global_options import global_parameters, root_parameters

_HELP_TEXT = """School rosters from many vendors' CSV uploads: validated, compared with the current roster, and published as versioned tables.

Global options may stand before or after a command and its arguments.

Exit codes: 0 done · 1 failed · 2 usage error · 3 rejected · 4 held."""

_MARKUP = re.compile(r"\[(?=[a-z#/@])")
_CONTEXT = {"help_option_names": ["-h", "--help"]}
_COMMANDS = {
    "Get started": {"demo": "demo.story:demo", "sample": "generate:sample"},
    "Import": {"import": "imports:import_", "check": "imports:check", "rerun": "imports:rerun", "backfill": "backfill:backfill"},
    "Inspect": {
        "status": "status:status",
        "show": "history:show",
        "trace": "lineage:trace",
        "as-of": "lineage:as_of",
        "report": "reports:report",
        "open": "open_page:open_",
        "data-docs": "reports:data_docs",
        "refused": "reports:list_refused",
        "changes": "change_feed:changes",
        "audit": "audit:audit",
        "reconcile": "reconcile:reconcile",
    },
    "Export": {"export": "exports:export"},
    "Set up": {
        "completion": "about:completion",
        "doctor": "doctor:doctor",
        "migrate": "doctor:migrate",
        "metrics": "change_feed:metrics",
    },
    "Maintenance": {
        "rebuild": "maintenance:rebuild",
        "purge": "maintenance:purge",
        "sweep": "maintenance:sweep",
        "backup": "maintenance:backup",
        "restore": "maintenance:restore",
    },
    "Formats": {"generate": "generate:generate", "new-vendor": "generate:new_vendor"},
    "Approvals": {"undo": "holds:undo"},
    "": {"version": "about:version"},  # hidden: --version
}


@dataclass(frozen=True)
class Group:
    """Commands under one word. ``panel``: where the help lists it. ``default``: the command that runs where none is named."""

    panel: str
    about: str
    commands: Mapping[str, str]
    default: str = ""


_GROUPS = {
    "imports": Group(
        "Inspect",
        "The ledger of imports. Without a command: list, with its options.",
        {"list": "history:imports", "show": "history:show", "report": "reports:report", "open": "open_page:open_"},
        default="list",
    ),
    "exports": Group(
        "Export",
        "What was exported. Without a command: list, with its options.",
        {"list": "exports:exports", "write": "exports:export"},
        default="list",
    ),
    "destinations": Group(
        "Export",
        "Outgoing feeds: where the roster of a district is sent.",
        {name.rstrip("_"): f"destinations:{name}" for name in ("add", "list_", "remove", "check", "send")},
    ),
    "holds": Group(
        "Approvals",
        "Review imports that a gate or a threshold stopped.",
        {"list": "holds:list_", "show": "holds:show", "approve": "holds:approve", "discard": "holds:discard"},
    ),
    "renames": Group(
        "Approvals",
        "Review probable ID changes (same person, new ID).",
        {"list": "renames:list_", "approve": "renames:approve"},
    ),
    "people": Group(
        "Approvals",
        "Who is one human across the feeds of a district.",
        {"links": "people:links", "link": "people:link", "unlink": "people:unlink"},
    ),
    "overrides": Group(
        "Approvals",
        "Edit a record by hand; imports keep the edit.",
        {"set": "overrides:set_", "clear": "overrides:clear", "list": "overrides:list_"},
    ),
    "districts": Group(
        "Set up",
        "Register districts, pause them, stop importing them.",
        {name.rstrip("_"): f"districts:{name}" for name in ("add", "list_", "contacts", "expect", "pause", "resume", "remove")},
    ),
    "receipts": Group(
        "Inspect",
        "Signed statements of what a district sent, and what became of it.",
        {
            "list": "receipts:list_",
            "show": "receipts:show",
            "outcomes": "receipts:outcomes",
            "verify": "receipts:verify",
            "sign": "receipts:sign",
        },
    ),
    "keys": Group("Set up", "The key that signs receipts.", {"init": "keys:init", "rotate": "keys:rotate"}),
    "outbox": Group(
        "Inspect",
        "Undelivered notifications.",
        {"list": "outbox:outbox_list", "send": "outbox:outbox_send", "discard": "outbox:outbox_discard"},
    ),
}
_ALIASES = {"override": "overrides"}  # names of before, which keep working

# Commands that change nothing, and those that use no home. All others refuse a home that other users may change.
READING_COMMANDS = frozenset([
    "audit", "as-of", "changes", "completion", "demo", "doctor", "exports", "generate", "imports", "links", "list", "metrics",
    "new-vendor", "refused", "sample", "show", "status", "trace", "verify", "version",
])  # fmt: skip


class HelpfulCommand(TyperCommand):
    """A command whose usage names its arguments plainly, and whose help shows no type for a switch."""

    def __init__(self, *args: Any, **extra: Any) -> None:
        super().__init__(*args, **extra)
        for parameter in self.params:
            if getattr(parameter, "is_flag", False):
                parameter.metavar = ""
        self.params += global_parameters()

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Return the parts of the usage line, with an argument as FORMAT and not as {FORMAT}, which reads like a choice."""
        return [
            piece.replace("{", "").replace("}", "").replace("[[", "[").replace("]]", "]")
            for piece in super().collect_usage_pieces(ctx)
        ]

    def get_help_option(self, ctx: Any) -> Any:
        """Return ``--help``, without a type."""
        option = super().get_help_option(ctx)
        if option is not None:
            option.metavar = ""
        return option


class LazyCommand(TyperCommand):
    """A command whose module is imported when it is called. ``target``: ``module:function`` below ``roster_etl.cli``."""

    def __init__(self, name: str, target: str, panel: str | None = None, *, words: str = "", hidden: bool = False) -> None:
        super().__init__(name, rich_help_panel=panel, hidden=hidden)
        self._words = words or name
        self._module, _, self._function = target.partition(":")

    def load(self) -> Any:
        """Return the complete command, with its options."""
        function: Callable[..., int] = getattr(import_module(f"{__package__}.{self._module}"), self._function)
        app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, context_settings=_CONTEXT)
        about, epilog = _escaped(inspect.getdoc(function) or ""), _escaped(examples_text(self._words))
        app.command(self.name, cls=HelpfulCommand, help=about, epilog=epilog)(_with_context(function))
        return get_command(app)

    def make_context(self, *args: Any, **extra: Any) -> Any:
        """Return the context of the complete command, which then runs in place of this one. Raises UnsafeHome."""
        context = self.load().make_context(*args, **extra)
        if self.name not in READING_COMMANDS and isinstance(context.obj, Call) and not context.resilient_parsing:
            context.obj.require_safe_home()
        return context

    def read_help(self) -> None:
        """Set the help from the docstring, without importing the module."""
        self.help = _escaped(_docstring(self._module, self._function))


class LazyGroup(TyperGroup):
    """A group of commands that are imported when they are called. ``default``: the command that runs where none is named."""

    def __init__(self, *args: Any, default: str = "", **extra: Any) -> None:
        super().__init__(*args, **extra, no_args_is_help=not default)
        self._default = default
        self.params += global_parameters()

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the arguments, those of the default command if no other is named: as an older script calls it."""
        named = args and (not args[0].startswith("-") or args[0] in _CONTEXT["help_option_names"])
        if self._default and not named and not (ctx.resilient_parsing and not args):
            args = [self._default, *args]
        return super().parse_args(ctx, args)

    def shell_complete(self, ctx: Any, incomplete: str) -> list[Any]:
        """Return what may follow: commands, and options, also those of the default command."""
        found = super().shell_complete(ctx, incomplete)
        if self._default and incomplete.startswith("-"):
            found += self.commands[self._default].load().shell_complete(ctx, incomplete)  # type: ignore[attr-defined]
        return found

    def get_help_option(self, ctx: Any) -> Any:
        """Return ``--help``, without a type."""
        option = super().get_help_option(ctx)
        if option is not None:
            option.metavar = ""
        return option

    def format_help(self, *args: Any) -> None:
        """Write the help, after the help of the commands was read."""
        for inner in self.commands.values():
            if isinstance(inner, LazyCommand):
                inner.read_help()
        super().format_help(*args)


def _with_context(function: Callable[..., int]) -> Callable[..., int]:
    """Return a command as typer calls it: with a context, of which the command gets the call."""
    _, *options = inspect.signature(function, eval_str=True).parameters.values()
    context = inspect.Parameter("ctx", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context)

    @wraps(function)
    def command(ctx: typer.Context, **given: Any) -> int:
        return function(ctx.obj, **given)

    command.__signature__ = inspect.Signature([context, *options])  # type: ignore[attr-defined]
    return command


@cache
def root_command() -> LazyGroup:
    """Return the root command."""
    commands: dict[str, Any] = {
        word: LazyCommand(word, target, panel, hidden=not panel)
        for panel, targets in _COMMANDS.items()
        for word, target in targets.items()
    }
    for word, group in _GROUPS.items():
        commands[word] = _group_of(word, group)
    for alias, word in _ALIASES.items():
        commands[alias] = _group_of(word, _GROUPS[word], hidden=True)
    root = _group(_HELP_TEXT, commands, epilog=_escaped(examples_text("")))
    root.params[:0] = root_parameters()
    return root


def _group_of(word: str, group: Group, *, hidden: bool = False) -> LazyGroup:
    inner = {name: LazyCommand(name, target, words=f"{word} {name}") for name, target in group.commands.items()}
    return _group(group.about, inner, name=word, rich_help_panel=group.panel, default=group.default, hidden=hidden)


def _group(help_text: str, commands: Mapping[str, Any], **attributes: Any) -> LazyGroup:
    return LazyGroup(commands=dict(commands), help=_escaped(help_text), context_settings=_CONTEXT, **attributes)


@cache
def _source(module: str) -> str:
    return Path(__file__).parent.joinpath(*module.split(".")).with_suffix(".py").read_text("utf-8")


def _docstring(module: str, function: str) -> str:
    """Return the docstring of a function in a module of commands: the first text in triple quotes after its name."""
    after = _source(module).partition(f"\ndef {function}(")[2]
    return inspect.cleandoc(after.partition('"""')[2].partition('"""')[0])


def _escaped(text: str) -> str:
    """Return a help text with escaped brackets, such as in a table name of the settings, so that they are not read as markup."""
    return _MARKUP.sub(r"\\[", text)
