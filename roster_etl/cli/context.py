"""The context of one call of the command line: its home, and its output streams.

Standard output has the result and nothing else, standard error everything that a person may want to read meanwhile.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from roster_etl.cli.errors import Failure
from roster_etl.cli.gc_tuning import GC_TUNING
from roster_etl.cli.terminal import coloured_label, has_colours, is_own_stdout, is_terminal, page, render, screen_size
from roster_etl.cli.text_tables import TextTable, strip_control_chars
from roster_etl.spec.errors import PermanentError

if TYPE_CHECKING:
    from roster_etl.pipeline.workspace import Workspace
    from roster_etl.store.registry.registry import Registry
    from roster_etl.store.settings import Settings
    from roster_etl.store.warehouse import Warehouse


class OutputGone(PermanentError):
    """Standard output cannot be written: its reader has exited, or the disk behind it is full."""

    code = "output_gone"
    template = "standard output cannot be written to ({problem})"


class NotConfirmed(PermanentError):
    """A person has not confirmed what cannot be undone."""

    code = "not_confirmed"
    template = "{problem}"


@dataclass
class Call:
    """The context of one call.

    ``home_named``: the home was given in the call. ``creates_home``: the command creates a missing home; others refuse it. ``json``: the result is one JSON document.
    ``pager``: long output for people may be shown in a pager. ``out``, ``err``: the process's streams when the call began, None if it had none.
    """

    home: Path
    home_named: bool = False
    creates_home: bool = False
    json: bool = False
    pager: bool = True
    out: TextIO | None = field(default_factory=lambda: sys.stdout)
    err: TextIO | None = field(default_factory=lambda: sys.stderr)

    @cached_property
    def settings(self) -> Settings:
        """The settings of the home. Raises NoHome: it is missing, and the command does not create it."""
        from roster_etl.store.settings import Settings

        return Settings.load(self.home, create=self.creates_home)

    @cached_property
    def registry(self) -> Registry:
        """The districts; no heavy module is imported for them."""
        from roster_etl.store.registry.registry import open_registry

        return open_registry(self.settings)

    @cached_property
    def warehouse(self) -> Warehouse:
        """The ledger and the roster, without the rest of the pipeline."""
        if "workspace" in self.__dict__:
            return self.workspace.warehouse
        from roster_etl.store.warehouse import Warehouse

        return Warehouse(self.settings.warehouse)

    @cached_property
    def workspace(self) -> Workspace:
        """All stores of the home."""
        from roster_etl.pipeline.workspace import Workspace

        return Workspace(self.settings)

    def require_safe_home(self) -> None:
        """Refuse a home that other users may change. Raises UnsafeHome, SettingsError."""
        from roster_etl.store.home_integrity import require_safe_home

        if self.home.exists():
            require_safe_home(self.settings)

    def close(self) -> None:
        """Close the stores that were opened."""
        if "warehouse" in self.__dict__:
            self.warehouse.close()
        if "workspace" in self.__dict__ and "warehouse" in self.workspace.__dict__:
            self.workspace.warehouse.close()

    # ---- standard output: the result

    def print_json(self, document: Any) -> None:
        """Print the one JSON document of a call."""
        from roster_etl.pipeline.reporting.json_text import indented_json

        utf8 = (getattr(self.out, "encoding", None) or "utf-8").casefold().replace("-", "") == "utf8"
        self.write(indented_json(document, ensure_ascii=not utf8, default=_to_json_value) + "\n")

    def print(self, *lines: str | TextTable) -> None:
        """Print lines and tables of the result for people; an empty line if none is given. A pager shows what is longer than the screen."""
        if is_terminal(self.out):
            text = render(lines or ("",), colours=has_colours(self.out), width=screen_size()[0])
            if not page(text, pager=self.pager and is_own_stdout(self.out)):
                self.write(_encodable_text(self.out, text, "replace"))
            return
        for line in lines or ("",):
            for plain in line.lines() if isinstance(line, TextTable) else [strip_control_chars(line)]:
                self.write(_encodable_text(self.out, plain, "replace") + "\n")

    def write(self, text: str) -> None:
        """Write to standard output; characters outside its encoding are escaped. Raises OutputGone."""
        if self.out is None:  # closed before the process began
            raise OutputGone(problem=os.strerror(errno.EBADF))
        try:
            self.out.write(_encodable_text(self.out, text, "backslashreplace"))
            self.out.flush()
        except (OSError, ValueError) as error:  # ValueError: the stream is closed
            raise OutputGone(problem=getattr(error, "strerror", None) or "it is closed") from error

    def print_table(self, header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """Print an aligned table for people; numbers are aligned to the right."""
        self.print(TextTable(header, rows))

    def show_result(self, document: Any, *lines: str | TextTable) -> int:
        """Print a result, as the one JSON document or as `lines` for people, and return exit code 0."""
        if self.json:
            self.print_json(document)
        elif lines:
            self.print(*lines)
        return 0

    def show_rows(
        self,
        documents: Sequence[Any],
        header: Sequence[str],
        rows: Sequence[Sequence[object]],
        *,
        none: str,
        shortened: Iterable[str] = (),
    ) -> int:
        """Print a list, as JSON or as a table for people; return exit code 0.

        Args: none: the text for people if it is empty. shortened: columns of which a terminal shows only what fits.
        """
        return self.show_result(documents, TextTable(header, rows, shortened=frozenset(shortened)) if rows else none)

    def confirm(self, word: str, question: str, *warnings: str, otherwise: PermanentError | None = None) -> None:
        """Ask on a terminal for `word`, after `warnings`. Raises NotConfirmed; where nobody can be asked, `otherwise`."""
        if self.json or self.err is None or not (self.err.isatty() and sys.stdin is not None and sys.stdin.isatty()):
            hint = "it cannot be undone: look with --dry-run what it would do, and repeat it with --yes"
            raise otherwise or NotConfirmed(problem=hint)
        for line in warnings:
            self.log(line)
        self.err.write(f"{question}: ")
        self.err.flush()
        if sys.stdin.readline().strip() != word:
            raise NotConfirmed(problem="what was typed is something else; nothing was changed")

    # ---- standard error: everything else

    def log(self, text: str) -> None:
        """Write a message beside the result to standard error."""
        if self.err is not None:
            with suppress(OSError, ValueError):  # standard error is closed as well: there is no other place to report it
                self.err.write(coloured_label(self.err, _encodable_text(self.err, strip_control_chars(text), "replace")) + "\n")
                self.err.flush()

    def report_failure(self, failure: Failure) -> int:
        """Report a failure on standard error and, with ``--json``, as the one document. Returns its exit code."""
        self.log(f"roster-etl: {failure.message}")
        if self.json:
            try:
                self.print_json(failure.json_document())
            except OutputGone:
                self.discard_output()
        return failure.exit_code

    def discard_output(self) -> None:
        """Discard further output: the reader of standard output has exited."""
        if self.out is not None and self.out is sys.__stdout__:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.__stdout__.fileno())

    @contextmanager
    def progress(self, total: int, label: str) -> Iterator[Progress]:
        """Show the progress of a long operation: a bar on a terminal, plain lines in a pipe."""
        if self.err is None or not self.err.isatty():
            yield Progress(lambda step: self.log(f"{label}: {step}"))
            return
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as Bar

        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Bar(*columns, console=Console(file=self.err), transient=True) as bar:
            task = bar.add_task(label, total=total)
            yield Progress(lambda step: bar.update(task, advance=1, description=f"{label}: {strip_control_chars(step)}"))


class Progress:
    """Callback that is called with the name of each finished step."""

    def __init__(self, callback: Any) -> None:
        self._callback = callback

    def __call__(self, step: str) -> None:
        """Report that `step` is finished."""
        GC_TUNING.resume()  # the work that follows does create garbage
        self._callback(step)


def _encodable_text(stream: TextIO | None, text: str, errors: str) -> str:
    """Return `text` as the stream can encode it; ``errors``: the handling of other characters."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return text.encode(encoding, errors).decode(encoding)


def _to_json_value(value: Any) -> Any:
    if hasattr(value, "isoformat"):
        return value.isoformat()
    if isinstance(value, Mapping):
        return dict(value)
    return str(value)
