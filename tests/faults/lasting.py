"""A process that lasts: one child of the forge that does act after act, as a daemon does, and says what it has come to hold.

Belongs here: both ends of it, and counting descriptors, threads, children and memory. What is done is in ``acts``.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import traceback
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tests.faults.forge import Forge

_ORDERS, _ANSWERS, _LOG = "orders", "answers", "lasting.log"


@dataclass(frozen=True, kw_only=True)
class Held:
    """What a process has: open descriptors, threads, children, and memory (MiB) that is its own at this moment; 0 where nobody can tell."""

    descriptors: int
    threads: int
    children: int
    memory: int


class Lasting:
    """The client: has acts done in one home by one process."""

    def __init__(self, forge: Forge, home: Path, environment: Mapping[str, str], folder: Path, *, gates: bool = False) -> None:
        """Start the process, which talks by pipes in `folder`; with `gates` it asks Great Expectations itself, in a process of theirs."""
        folder.mkdir()
        for name in (_ORDERS, _ANSWERS):
            os.mkfifo(folder / name)
        self._home, self._log = home, folder / _LOG
        ended = forge.run("stay", home, environment, folder=str(folder), gates=gates)
        assert ended.code == 0, ended.log
        self._orders = (folder / _ORDERS).open("w")
        self._answers = (folder / _ANSWERS).open()

    def do(self, act: str, how: Mapping[str, Any]) -> Held:
        """Have `act` done, and return what the process holds afterwards."""
        self._orders.write(json.dumps([act, dict(how)]) + "\n")
        self._orders.flush()
        answer = self._answers.readline()
        assert answer, self._log.read_text("utf-8", "replace")
        return Held(**json.loads(answer))

    def close(self) -> None:
        """End the process."""
        self._orders.close()
        self._answers.close()


def stay(home: Path, folder: str, *, gates: bool) -> None:
    """Leave a process behind that does what it is told (an act)."""
    if os.fork():
        return
    try:
        _serve(home, Path(folder), gates=gates)
    except BaseException:  # noqa: BLE001 - whatever it is, the process ends here
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(0)


def _serve(home: Path, folder: Path, *, gates: bool) -> None:
    from roster_etl.quality.gx_client import GX_CLIENT
    from tests.faults.acts import ACTS

    log = os.open(folder / _LOG, os.O_WRONLY | os.O_CREAT, 0o600)
    for stream in (1, 2):
        os.dup2(log, stream)
    if gates:
        del GX_CLIENT.run_expectations, GX_CLIENT.render_data_docs, GX_CLIENT.start  # what the forge has put in their place
    with (folder / _ORDERS).open() as orders, (folder / _ANSWERS).open("w") as answers:
        for line in orders:
            act, how = json.loads(line)
            ACTS[act](home, **how)
            answers.write(json.dumps(asdict(_held())) + "\n")
            answers.flush()


def _held() -> Held:
    children = [pid for file in Path("/proc/self/task").glob("*/children") for pid in file.read_text().split()]
    memory = Path("/proc/self/statm")
    pages = int(memory.read_text().split()[1]) if memory.exists() else 0
    return Held(
        descriptors=len(os.listdir("/dev/fd")),
        threads=threading.active_count(),
        children=len(children),
        memory=pages * os.sysconf("SC_PAGE_SIZE") >> 20,
    )
