"""A warmed process that forks a child for each call, so that a process can be killed anywhere for a tenth of a second and not for ten.

Belongs here: the fork server (``python -m tests.faults.forge``) and its client. A child does what a fresh process would: it opens the home
anew, and ends by ``_exit`` or by the signal. Two things are not a fresh process's: modules are imported already, and the verdicts of suites
come from a folder once Great Expectations has given them (what a killed gate does is ``test_killed_gates``).
"""

from __future__ import annotations

import hashlib
import json
import os
import select
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
KILLED = -9
_PASSED = "points that were passed: "


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How a child ended.

    ``code``: its exit code, or the number of the signal, negative; ``log``: all that it said; ``passed``: the points that it went
    through, if a fault was set and it was not killed.
    """

    code: int
    log: str
    passed: tuple[str, ...] = ()


class Forge:
    """The client: starts the server, and has things done in children of it."""

    def __init__(self, folder: Path) -> None:
        """Keep logs and verdicts in `folder`."""
        self._log = folder / "child.log"
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "FORGE_VERDICTS": str(folder / "verdicts")}
        self._server = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "tests.faults.forge"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            cwd=ROOT,
        )

    def run(
        self, act: str, home: Path, environment: Mapping[str, str], meanwhile: Callable[[], None] = lambda: None, **how: Any
    ) -> Ended:
        """Do `act` (``tests.faults.acts``) in a child; `meanwhile` is called again and again until it has ended."""
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        job = {"act": act, "home": str(home), "environment": dict(environment), "how": how, "log": str(self._log)}
        self._server.stdin.write(json.dumps(job).encode() + b"\n")
        self._server.stdin.flush()
        while not select.select([self._server.stdout], [], [], 0.05)[0]:
            meanwhile()
        code = int(self._server.stdout.readline())
        log, _, passed = self._log.read_text("utf-8", "replace").rpartition(_PASSED)
        return Ended(code=code, log=log or passed, passed=tuple(passed.split()) if log else ())

    def close(self) -> None:
        """End the server."""
        for stream in (self._server.stdin, self._server.stdout):
            assert stream is not None
            stream.close()
        try:
            self._server.wait(60)
        except subprocess.TimeoutExpired:  # nothing that it would still do is wanted
            self._server.kill()
            self._server.wait()


class Fresh:
    """Stands for a Forge where each act is a command in a process of its own, as a person or cron starts it."""

    def run(
        self, act: str, home: Path, environment: Mapping[str, str], meanwhile: Callable[[], None] = lambda: None, **how: Any
    ) -> Ended:
        """Say at the command line what `act` is there."""
        words = {"import": ["import", how.get("path", ""), "--district", "lincoln"], "sweep": ["sweep"]}[act]
        log = home / "command.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "roster_etl.cli", *words, "--home", str(home)],
                env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
                cwd=ROOT,
                stdout=output,
                stderr=output,
            )
            while process.poll() is None:
                meanwhile()
                time.sleep(0.1)
        return Ended(code=process.returncode, log=log.read_text("utf-8", "replace"))


def _serve() -> None:
    from tests.faults import acts

    os.umask(0o077)
    _remember_verdicts(Path(os.environ["FORGE_VERDICTS"]))
    acts.warm()
    answers = os.fdopen(os.dup(1), "w")
    for line in sys.stdin.buffer:
        job = json.loads(line)
        child = os.fork()
        if child == 0:
            _child(job, acts.ACTS)
        answers.write(f"{os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])}\n")
        answers.flush()


def _child(job: Mapping[str, Any], acts: Mapping[str, Callable[..., int | None]]) -> None:
    from roster_etl.store.fault_injection import pass_counts

    code = 70
    try:
        os.setsid()
        log = os.open(job["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        for stream in (1, 2):
            os.dup2(log, stream)
        os.environ.update(job["environment"])
        code = acts[job["act"]](Path(job["home"]), **job["how"]) or 0
        sys.stdout.write(f"\n{_PASSED}{' '.join(pass_counts())}")
    except BaseException:  # noqa: BLE001 - whatever it is, the child ends here
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _remember_verdicts(folder: Path) -> None:
    """Let suites be judged, and Data Docs written, in this process, and answer from `folder` what was asked before."""
    from roster_etl.quality.data_docs import write_pages
    from roster_etl.quality.expectation_result import ExpectationResult
    from roster_etl.quality.gx_client import GX_CLIENT, SuiteRequest
    from roster_etl.quality.gx_server import handle_request

    def observe(suites: Sequence[SuiteRequest]) -> Any:
        if not suites:  # no rule was broken: nobody loads Great Expectations for that
            return []
        request = {"suites": [one.to_dict() for one in suites]}
        file = folder / hashlib.sha256(json.dumps(request, sort_keys=True).encode()).hexdigest()
        if not file.exists():
            folder.mkdir(exist_ok=True)
            file.write_text(json.dumps(handle_request(request)["observed"]))
        return [
            tuple(ExpectationResult(passed=p, judged=j, failing=f) for p, j, f in found) for found in json.loads(file.read_text())
        ]

    GX_CLIENT.run_expectations = observe  # type: ignore[method-assign]
    GX_CLIENT.render_data_docs = write_pages  # type: ignore[method-assign]
    GX_CLIENT.start = lambda: None  # type: ignore[method-assign]


if __name__ == "__main__":
    _serve()
