"""``version`` and ``completion``: the program itself."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from roster_etl.cli.context import Call
from roster_etl.cli.global_options import UsageError
from roster_etl.cli.versions import version_text, versions

PROGRAM = "roster-etl"
SHELLS = ("bash", "zsh", "fish", "powershell", "pwsh")


def version(call: Call) -> int:
    """Print the version; with --json those of Python and of the libraries that matter for a report of a bug."""
    return call.show_result(versions(), version_text())


def completion(
    call: Call,
    shell: Annotated[str, typer.Argument(metavar="[SHELL]", help="bash, zsh, fish or powershell; default: that of $SHELL.")] = "",
    install: Annotated[bool, typer.Option("--install", help="Add it to the start-up files of the shell.")] = False,
) -> int:
    """Print the shell's completion script, which completes commands, options, districts, formats and tables."""
    from typer.completion import get_completion_script
    from typer.completion import install as install_script

    from roster_etl.cli.completions import COMPLETION_VARIABLE

    chosen = shell or Path(os.environ.get("SHELL", "")).name
    if chosen not in SHELLS:
        raise UsageError(problem=f"SHELL: expected one of {', '.join(SHELLS)}")
    if not install:
        script = get_completion_script(prog_name=PROGRAM, complete_var=COMPLETION_VARIABLE, shell=chosen)
        return call.show_result({"shell": chosen, "script": script}, script)
    _, path = install_script(shell=chosen, prog_name=PROGRAM, complete_var=COMPLETION_VARIABLE)
    text = f"Completion for {chosen} is installed in {path}; it takes effect in the next shell."
    return call.show_result({"shell": chosen, "file": str(path)}, text)
