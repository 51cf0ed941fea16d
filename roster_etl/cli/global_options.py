"""Global options, accepted anywhere on the command line: ``--home``, ``--json``, ``--debug``.

Belongs here: parsing them and removing them from the arguments. All other arguments are parsed by the commands.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

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


def parse_global_options(argv: Sequence[str]) -> tuple[GlobalOptions, list[str]]:
    """Return the values of ``--home``, ``--json`` and ``--debug``, and the other arguments; after ``--`` nothing is parsed.

    Raises: UsageError: ``--home`` without a folder.
    """
    home: Path | None = None
    flags = {"--json": False, "--debug": False}
    rest: list[str] = []
    words = iter(argv)
    for word in words:
        if word == "--":
            rest += ["--", *words]
        elif word in flags:
            flags[word] = True
        elif word == "--home" or word.startswith("--home="):
            folder = next(words, "") if word == "--home" else word.removeprefix("--home=")
            if not folder or folder.startswith("--"):
                raise UsageError(problem="--home needs a folder")
            home = Path(folder)
        else:
            rest.append(word)
    return GlobalOptions(home=home, json=flags["--json"], debug=flags["--debug"]), rest


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
