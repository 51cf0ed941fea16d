"""Client of the Great Expectations process: start it, send requests, restart it once if it dies, and end it with this process.

Belongs here: a child that loads Great Expectations, which takes seconds and 250 MB, in parallel to the work of this process. A warm
run needs none: it is forked from a process that has loaded the library (``gx_preload``).
Rules and counts are sent, and counts are returned, as lines of JSON. Not here: the child's code (``gx_server``), severities and
texts (``gate``).
"""

from __future__ import annotations

import atexit
import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import IO, Any, TypeVar

from roster_etl.quality.expectation_result import ExpectationResult, SuiteBroken
from roster_etl.spec.errors import RetryableError
from roster_etl.store.child_path import child_python_path

_SERVER = "roster_etl.quality.gx_server"
_TIMEOUT_SECONDS = 300.0  # seconds per answer; a slow machine needs half a minute to load the library
_INHERITED_VARIABLES = (
    "PATH",
    "HOME",
    "TMPDIR",
    "TZ",
    "LANG",
    "LC_ALL",
    "LD_LIBRARY_PATH",
    "PYTHONDONTWRITEBYTECODE",
    "PYTHONPYCACHEPREFIX",
)
_T = TypeVar("_T")
_INVALID_ANSWER = "gave an answer that cannot be understood"


class GatesUnavailable(RetryableError):
    """The Great Expectations process did not answer, twice."""

    code = "gates_unavailable"
    template = (
        "suite {suite} could not be evaluated: the gates' own process {problem}. Run the import again; "
        "`python -c 'import great_expectations'` shows whether the library can be loaded, and memory may have run out"
    )


class _NoAnswer(Exception):
    """The child gave no answer, or an invalid one."""


@dataclass(frozen=True)
class _BrokenSuite:
    """The child's answer that a suite cannot be evaluated. ``suite`` empty: the requested one."""

    suite: str
    problems: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class SuiteRequest:
    """One suite to evaluate in the child. ``lines``: its verdict table, column → values; rules and counts, no cell."""

    name: str
    expectations: Sequence[Mapping[str, Any]]
    lines: Mapping[str, list[Any]]

    def to_dict(self) -> dict[str, Any]:
        """Return the request for the child, without the parts of an expectation that only people read."""
        wanted = [{key: expectation[key] for key in ("type", "kwargs", "severity")} for expectation in self.expectations]
        return {"suite": self.name, "expectations": wanted, "lines": dict(self.lines)}


class GxClient:
    """One child process, and the pipe to it. Safe to share between threads; a forked process starts without a child."""

    def __init__(self, command: Sequence[str] | None = None, *, timeout_seconds: float = _TIMEOUT_SECONDS) -> None:
        self._command = tuple(command or (sys.executable, "-P", "-W", "ignore", "-m", _SERVER))
        self._patience = timeout_seconds
        self._lock = Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._unread = b""
        self._handle: Callable[[Mapping[str, Any]], Mapping[str, Any]] | None = None

    def handle_in_process(self, handle: Callable[[Mapping[str, Any]], Mapping[str, Any]]) -> None:
        """Answer requests in this process, and in those that are forked from it, where the library is loaded already.

        Args: handle: answers a request as the child does. A request that it cannot answer is sent to a child.
        """
        self._handle = handle

    def start(self) -> None:
        """Start the child unless it is running, or not needed; it loads its library in parallel to this process."""
        if self._handle is None:
            with self._lock:
                self._ensure_started()

    def run_expectations(self, suites: Sequence[SuiteRequest]) -> list[tuple[ExpectationResult, ...]]:
        """Return the result of each expectation of each of `suites`, in their order; one request, whatever their number.

        Raises: SuiteBroken: as raised by ``gx_runner.run_suites`` in the child. GatesUnavailable: two children gave no answer.
        """
        if not suites:
            return []
        sizes = [len(one.expectations) for one in suites]

        def observed(answer: Any) -> list[tuple[ExpectationResult, ...]]:
            found = [tuple(ExpectationResult(passed=p, judged=j, failing=f) for p, j, f in one) for one in answer["observed"]]
            if [len(one) for one in found] != sizes:
                raise ValueError(len(found))
            return found

        name = suites[0].name if len(suites) == 1 else f"{suites[0].name} and {len(suites) - 1} more"
        return self._request(name, {"suites": [one.to_dict() for one in suites]}, observed)

    def render_data_docs(self, folder: Path, about: Mapping[str, str], suites: Sequence[Mapping[str, Any]]) -> int:
        """Write Data Docs of `suites` into `folder`; return the number of pages. Args and errors: see `render_data_docs` below."""
        return self._request(
            "of the Data Docs", {"docs": str(folder), "about": about, "suites": suites}, lambda a: int(a["pages"])
        )

    def close(self) -> None:
        """End the child if it is running; it has no state to save."""
        with self._lock:
            self._stop()

    def detach(self) -> None:
        """Detach from the child, which belongs to the process from which this one was forked."""
        process, self._process, self._unread, self._lock = self._process, None, b"", Lock()
        if process is not None:
            process.returncode = 0  # another process's child: this one must not wait for it
            for stream in (process.stdin, process.stdout):
                if stream is not None:
                    stream.close()

    def _ensure_started(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            self._unread = b""
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=_environment(),
                umask=0o077,
            )
        return self._process

    def _request(self, name: str, request: Mapping[str, Any], parse: Callable[[Any], _T]) -> _T:
        """Return the answer as converted by `parse`. Raises SuiteBroken, GatesUnavailable."""
        line = json.dumps(request).encode() + b"\n"
        with self._lock:
            try:
                answer = self._answer_here(line, parse) if self._handle else self._send_request(line, parse)
            except _NoAnswer:
                answer = self._retry_request(name, line, parse)
        if isinstance(answer, _BrokenSuite):
            raise SuiteBroken(answer.suite or name, answer.problems)
        return answer

    def _answer_here(self, request: bytes, parse: Callable[[Any], _T]) -> _T | _BrokenSuite:
        """Return the answer of this process. Raises _NoAnswer: the library raised an error."""
        assert self._handle is not None
        try:
            answer = json.dumps(self._handle(json.loads(request))).encode()
        except Exception as error:  # noqa: BLE001 - what would have ended the child; another one is asked
            raise _NoAnswer(f"failed ({type(error).__name__})") from None
        return _parse_answer(answer, parse)

    def _retry_request(self, name: str, request: bytes, parse: Callable[[Any], _T]) -> _T | _BrokenSuite:
        try:
            return self._send_request(request, parse)
        except _NoAnswer as error:
            raise GatesUnavailable(suite=name, problem=str(error)) from None

    def _send_request(self, request: bytes, parse: Callable[[Any], _T]) -> _T | _BrokenSuite:
        """Return the child's answer; the child keeps running. Raises _NoAnswer: it gave none, and has been stopped."""
        try:
            process = self._ensure_started()
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(request)
            process.stdin.flush()
            return _parse_answer(self._read_line(process.stdout), parse)
        except OSError as error:
            self._stop()
            raise _NoAnswer(f"cannot be reached ({type(error).__name__})") from None
        except BaseException:  # interrupted, perhaps: a late answer must not be taken for the next suite's
            self._stop()
            raise

    def _read_line(self, stream: IO[bytes]) -> bytes:
        """Return the next line of the child's output. Raises _NoAnswer: it ended, or wrote none in time."""
        until = time.monotonic() + self._patience
        while b"\n" not in self._unread:
            if not select.select([stream], [], [], max(0.0, until - time.monotonic()))[0]:
                raise _NoAnswer(f"gave no answer for {self._patience:.0f} seconds")
            some = os.read(stream.fileno(), 1 << 16)
            if not some:
                raise _NoAnswer(self._exit_reason())
            self._unread += some
        line, _, self._unread = self._unread.partition(b"\n")
        return line

    def _exit_reason(self) -> str:
        assert self._process is not None
        with suppress(subprocess.TimeoutExpired):
            return f"ended with code {self._process.wait(timeout=5)}"
        return "closed its output"

    def _stop(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                with suppress(OSError):  # a request that the child never read
                    stream.close()


def _parse_answer(line: bytes, parse: Callable[[Any], _T]) -> _T | _BrokenSuite:
    """Return the answer as converted by `parse`, or the error of a broken suite. Raises _NoAnswer: the line is neither."""
    try:
        answer = json.loads(line)
        if "broken" in answer:
            return _BrokenSuite(str(answer.get("suite", "")), tuple(map(str, answer["broken"])))
        return parse(answer)
    except (ValueError, TypeError, KeyError):
        raise _NoAnswer(_INVALID_ANSWER) from None


def _environment() -> dict[str, str]:
    """Return the environment variables that the child needs, and no others: they may hold passwords."""
    ours = {name: os.environ[name] for name in _INHERITED_VARIABLES if name in os.environ}
    return {
        **ours,
        "PYTHONPATH": child_python_path(),
        "GX_ANALYTICS_ENABLED": "false",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }


GX_CLIENT = GxClient()
atexit.register(GX_CLIENT.close)
os.register_at_fork(after_in_child=GX_CLIENT.detach)


def start_gx_process() -> None:
    """Start the Great Expectations process, so that it is ready when the first suite is evaluated."""
    with suppress(OSError):  # the first suite starts it again, and reports the error
        GX_CLIENT.start()


def render_data_docs(folder: Path, about: Mapping[str, str], suites: Sequence[Mapping[str, Any]]) -> int:
    """Write Data Docs of `suites` into the empty `folder`, in the Great Expectations process; return the number of pages.

    Args: as for ``data_docs.write_pages``.
    Raises: SuiteBroken, GatesUnavailable.
    """
    return GX_CLIENT.render_data_docs(folder, about, suites)
