"""The process that serves the definitions to the demo's daemon.

Belongs here: starting it, and the file by which the daemon finds it. A daemon that is given the module instead starts a process for it anew every
minute, which takes ten seconds of a core to load it and to prepare warm runs.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from roster_etl.cli.demo.processes import DemoStuck, running_process

if TYPE_CHECKING:
    from subprocess import Popen

MODULE, LOCATION = "roster_etl.orchestration.definitions", "roster_etl"
_START_SECONDS, _POLL_SECONDS = 180.0, 0.1


@contextmanager
def code_server(environment: Mapping[str, str], *, folder: Path, log: Path) -> Iterator[Path]:
    """Serve the definitions until the block ends, and yield the workspace file of those who use them. Raises DemoStuck."""
    with tempfile.TemporaryDirectory(prefix="roster-demo-") as private:  # the path of a socket must be short
        socket, workspace_file = Path(private, "socket"), Path(private, "workspace.yaml")
        server = {"grpc_server": {"socket": str(socket), "location_name": LOCATION}}
        workspace_file.write_text(json.dumps({"load_from": [server]}), "utf-8")
        words = ["api", "grpc", "-m", MODULE, "-s", str(socket), "--location-name", LOCATION]
        more = ["--use-python-environment-entry-point", "--log-level", "warning"]
        with running_process("dagster", [*words, *more], environment=environment, folder=folder, log=log) as process:
            _wait_for(socket, process, log)
            yield workspace_file


def _wait_for(socket: Path, process: Popen[bytes], log: Path) -> None:
    started = time.monotonic()
    while not socket.exists():  # it is there when all is loaded
        seconds = time.monotonic() - started
        if process.poll() is not None or seconds > _START_SECONDS:
            raise DemoStuck(seconds=seconds, what="the process that serves the definitions", log=log)
        time.sleep(_POLL_SECONDS)
