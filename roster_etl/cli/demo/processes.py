"""Start processes for a command, and end them with all of their child processes."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from roster_etl.cli.global_options import UsageError
from roster_etl.spec.errors import RosterError
from roster_etl.store.child_path import child_python_path

_SHUTDOWN_SECONDS = 12.0


class DemoStuck(RosterError):
    """An event that the demo waits for did not happen."""

    code = "demo_stuck"
    template = "the demo waited {seconds:.0f} seconds for {what}; see {log}"


@contextmanager
def running_process(
    module: str, arguments: Sequence[str], *, environment: Mapping[str, str], folder: Path, log: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """Run ``python -m module arguments`` in its own process group and in `folder`, with the output in `log`; the group ends with the block."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            env={**os.environ, "PYTHONPATH": child_python_path(), **environment},
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        terminate_group(process)


def terminate_group(process: subprocess.Popen[bytes]) -> None:
    """End the process and all of its group: SIGINT, then SIGTERM, then SIGKILL, each after a timeout."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        if _wait_for_exit(process, _SHUTDOWN_SECONDS if number != signal.SIGKILL else 5.0):
            return


def require_free_port(port: int) -> None:
    """Check that nothing listens on a port of this machine. Raises UsageError."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise UsageError(
                problem=f"--port {port}: cannot be used ({error.strerror}): 127.0.0.1:{port}; name another"
            ) from None


def free_port() -> int:
    """Return a loopback port on which no process listens now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for_exit(process: subprocess.Popen[bytes], timeout: float) -> bool:
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        process.poll()
        try:
            os.killpg(process.pid, 0)
        except (ProcessLookupError, PermissionError):
            return True
        time.sleep(0.1)
    return False
