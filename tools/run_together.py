"""Run two commands at the same time, and print their outputs one after the other: `make check` runs the static checks beside the tests.

    python tools/run_together.py 'make static' 'make tests'

The output of the first command is printed as it comes. That of the second is kept until the first has ended, and then printed as it comes, so that
its last line is the last line of all. Exits with the code of the first command that failed, or 0.
"""

from __future__ import annotations

import shlex
import subprocess
import sys
import tempfile
import time
from typing import BinaryIO

_POLL_SECONDS = 0.2


def main(first: str, second: str) -> int:
    """Run both commands to their ends, and return the exit code."""
    with tempfile.NamedTemporaryFile() as output:
        later = subprocess.Popen(shlex.split(second), stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)
        code = subprocess.run(shlex.split(first), check=False).returncode
        with open(output.name, "rb") as kept:  # noqa: PTH123 - a position of its own, and not the writer's
            print_until_end(later, kept)
    return code or later.returncode


def print_until_end(process: subprocess.Popen[bytes], kept: BinaryIO) -> None:
    """Print what `process` has written so far, and then what it writes until it ends."""
    ended = False
    while not ended:
        ended = process.poll() is not None  # before the last look, so that nothing is left out
        sys.stdout.buffer.write(kept.read())
        sys.stdout.flush()
        if not ended:
            time.sleep(_POLL_SECONDS)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
