"""The command line: the same operations as the Dagster jobs, for a person at a prompt or a script.

Belongs here: options, exit codes, and how a result is printed. Not here: what a command does (``pipeline``). No module imports
Dagster at the top; only the commands that run a job import it, when they are called.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

__all__ = ["entry", "main"]


def main(argv: Sequence[str]) -> int:
    """Run one command and return its exit code.

    Can be called any number of times in one process, with different homes; environment, logging and signal handlers are
    left as they were.

    Args: argv: the arguments without the program's name, such as ``["imports", "--json"]``.
    """
    from roster_etl.cli.entry_point import run

    return run(list(argv))


def entry() -> None:
    """Run the command line of this process, and exit with its exit code."""
    from roster_etl.cli.gc_tuning import GC_TUNING

    GC_TUNING.pause()
    code = main(sys.argv[1:])
    GC_TUNING.skip_final_collection()
    raise SystemExit(code)
