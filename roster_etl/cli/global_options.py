"""Global options, accepted anywhere on the command line: ``--home``, ``--json``, ``--debug``, ``--no-pager``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any

from roster_etl.spec.errors import PermanentError


class UsageError(PermanentError):
    """The arguments of a call are invalid."""

    code = "bad_words"
    template = "{problem}"


@dataclass(frozen=True, kw_only=True)
class GlobalOptions:
    """The values of the global options. ``home``: None if it was not given."""

    home: Path | None = None
    json: bool = False
    debug: bool = False
    pager: bool = True


_FLAGS = {
    "--json": "Print one JSON document on standard output, and nothing else there.",
    "--debug": "Log more, and print the traceback of a failure.",
    "--no-pager": "Do not show long output in a pager ($ROSTER_ETL_PAGER, $PAGER).",
}


def parse_global_options(argv: Sequence[str]) -> tuple[GlobalOptions, list[str]]:
    """Return the values of the global options, and the other arguments; after ``--`` nothing is parsed.

    Raises: UsageError: ``--home`` without a folder.
    """
    home: Path | None = None
    given: set[str] = set()
    rest: list[str] = []
    words = iter(argv)
    for word in words:
        if word == "--":
            rest += ["--", *words]
        elif word in _FLAGS:
            given.add(word)
        elif word == "--home" or word.startswith("--home="):
            folder = next(words, "") if word == "--home" else word.removeprefix("--home=")
            if not folder or folder.startswith("--"):
                raise UsageError(problem="--home needs a folder")
            home = Path(folder)
        else:
            rest.append(word)
    options = GlobalOptions(home=home, json="--json" in given, debug="--debug" in given, pager="--no-pager" not in given)
    return options, rest


@cache
def global_parameters() -> list[Any]:
    """Return the global options for the help and the completion of a command; they are parsed before it is called."""
    where = "The home; default: $ROSTER_ETL_HOME, else dagster_home/ of the current folder or the nearest above it."
    return [
        _parameter(["--home"], where, str, panel="Global options", metavar="DIR"),
        *(_parameter([word], about, bool, panel="Global options") for word, about in _FLAGS.items()),
    ]


def _parameter(names: list[str], about: str, kind: type, *, panel: str | None = None, metavar: str = "") -> Any:
    """Return an option for the help: a call never sees it."""
    import typer
    from typer.main import get_command

    option: Any = typer.Option(*names, metavar=metavar, help=about, rich_help_panel=panel, expose_value=False, show_default=False)

    def declared(value: Any = None if kind is str else False) -> None:
        """Declare the option."""

    declared.__annotations__ = {"value": Annotated[kind, option], "return": None}
    app = typer.Typer(add_completion=False)
    app.command()(declared)
    parameter: Any = get_command(app).params[0]
    parameter.name = f"global {names[0]}"  # no name of a command's own parameter
    return parameter


# Options of the program itself, and the command that each stands for.
_ROOT_OPTIONS = {
    "--version": (["version"], "Print the version."),
    "-V": (["version"], ""),
    "--show-completion": (["completion"], "Print the completion script of your shell, or of a given one: bash, zsh, fish."),
    "--install-completion": (["completion", "--install"], "Install the completion for your shell."),
}


def resolve_root_options(words: list[str]) -> list[str]:
    """Return the arguments with an option of the program itself replaced by its command."""
    return [*_ROOT_OPTIONS[words[0]][0], *words[1:]] if words and words[0] in _ROOT_OPTIONS else words


def root_parameters() -> list[Any]:
    """Return the options of the program itself for its help."""
    names = [["--version", "-V"], ["--show-completion"], ["--install-completion"]]
    return [_parameter(decls, _ROOT_OPTIONS[decls[0]][1], bool) for decls in names]


def parse_key_values(arguments: Sequence[str], *, label: str) -> dict[str, str]:
    """Return ``KEY=VALUE`` arguments as a mapping; the value may be empty. Raises UsageError with the position, not the text."""
    found: dict[str, str] = {}
    for number, word in enumerate(arguments, start=1):
        key, equals, value = word.partition("=")
        if not equals or not key:
            raise UsageError(problem=f"{label} number {number}: expected KEY=VALUE")
        if key in found:
            raise UsageError(problem=f"{label} {key} is given twice")
        found[key] = value
    return found
