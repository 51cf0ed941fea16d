"""The command line: the same verbs as the jobs, for a person at a prompt or a script.

Belongs here: words, options, exit codes, and how an outcome is printed. Not here: what a verb does (``pipeline``), and no import of
Dagster at the top of a module; only the commands that run a job import it, when they are called.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

__all__ = ["entry", "main"]


def main(argv: Sequence[str]) -> int:
    """Run one command and return its exit code.

    Can be called any number of times in one process, with different homes; environment, logging and signal handlers are
    left as they were.

    Args: argv: the words without the program's name, such as ``["imports", "--json"]``.
    """
    from roster_etl.cli.entry_point import run

    return run(list(argv))


def entry() -> None:
    """Run the words of this process, and end it with the exit code."""
    from roster_etl.cli.gc_tuning import GC_TUNING

    GC_TUNING.pause()
    code = main(sys.argv[1:])
    GC_TUNING.skip_final_collection()
    raise SystemExit(code)
