"""What a terminal can show: its width, colours, and a pager for output that is longer than the screen.

Belongs here: when colours and a pager are used. A pipe or a file gets plain text in full. ``rich`` is imported on a terminal only.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, TextIO

from roster_etl.cli.text_tables import TextTable, strip_control_chars

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

PAGER_VARIABLES = ("ROSTER_ETL_PAGER", "PAGER")
_STATUS_STYLES = {
    **dict.fromkeys(("published", "publishable", "written", "passed", "sent"), "green"),
    **dict.fromkeys(("held", "late", "paused", "parked", "refused", "superseded"), "yellow"),
    **dict.fromkeys(("failed", "rejected"), "bold red"),
    **dict.fromkeys(("running",), "cyan"),
    **dict.fromkeys(("unchanged", "discarded"), "dim"),
}
_KEPT_WHOLE = 20  # longer words of a cell may be broken
_STATUS_IN_LINE = rf"(?:(?<=· )|^)({'|'.join(_STATUS_STYLES)})(?=$|:| ·)"


def is_terminal(stream: TextIO | None) -> bool:
    """Return whether a person looks at the stream."""
    return stream is not None and not getattr(stream, "closed", False) and stream.isatty()


def has_colours(stream: TextIO | None) -> bool:
    """Return whether to write colours: on a terminal, unless ``NO_COLOR`` is set or ``TERM`` is ``dumb``; ``FORCE_COLOR`` asks for them."""
    if os.environ.get("NO_COLOR"):
        return False
    return bool(os.environ.get("FORCE_COLOR")) or (is_terminal(stream) and os.environ.get("TERM") != "dumb")


def screen_size() -> tuple[int, int]:
    """Return the columns and lines of the terminal; ``COLUMNS`` and ``LINES`` win."""
    size = shutil.get_terminal_size((100, 40))
    return size.columns, size.lines


def render(lines: Iterable[str | TextTable], *, colours: bool, width: int) -> str:
    """Return lines and tables for a terminal: tables as wide as it is, and statuses in their colours."""
    from rich.console import Console

    console = Console(width=width, force_terminal=colours, no_color=not colours, highlight=False, markup=False, emoji=False)
    parts = []
    for line in lines:
        with console.capture() as captured:
            if isinstance(line, TextTable):
                console.print(_rich_table(line), width=max(20, width - line.indent), crop=False)
            else:
                console.print(_coloured(strip_control_chars(line)), soft_wrap=True)
        indent = " " * line.indent if isinstance(line, TextTable) else ""
        parts += [f"{indent}{one.rstrip()}\n" for one in captured.get().removesuffix("\n").split("\n")]
    return "".join(parts)


def _rich_table(table: TextTable) -> Table:
    """Return a table whose columns share the width: numbers are never broken, texts go on in the next line or end with an ellipsis."""
    from rich.table import Table

    header, *rows = table.cells()
    shown = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    for place, (name, right) in enumerate(zip(header, table.right_aligned(), strict=True)):
        short = name in table.shortened
        longest = max(len(word) for row in (header, *rows) for word in (row[place].split() or [""]))
        shown.add_column(
            name,
            justify="right" if right else "left",
            no_wrap=right or short,
            overflow="ellipsis" if short else "fold",
            min_width=4 if short else min(longest, _KEPT_WHOLE),
        )
    for row in rows:
        shown.add_row(*(_status_cell(cell) for cell in row))
    return shown


def _status_cell(cell: str) -> Text:
    from rich.text import Text

    return Text(cell, style=_STATUS_STYLES.get(re.split("[ ,]", cell, maxsplit=1)[0], ""))


def _coloured(line: str) -> Text:
    from rich.text import Text

    text = Text(line)
    text.highlight_regex(_STATUS_IN_LINE, style=lambda found: _STATUS_STYLES.get(found, ""))
    return text


def coloured_label(stream: TextIO | None, message: str) -> str:
    """Return an error message with its label, ``roster-etl:``, in red where the stream has colours."""
    label = "roster-etl:"
    if message.startswith(label) and has_colours(stream):
        return f"\x1b[1;31m{label}\x1b[0m{message.removeprefix(label)}"
    return message


def page(text: str, *, pager: bool) -> bool:
    """Show text in the pager, if it is longer than the screen of this process's terminal; return whether it was shown.

    The pager is ``$ROSTER_ETL_PAGER``, else ``$PAGER``, else ``less``; an empty variable switches it off. Where it cannot be
    started, nothing is shown.
    """
    if not pager or text.count("\n") < screen_size()[1]:
        return False
    words = _pager_command()
    if not words or shutil.which(words[0]) is None:
        return False
    # -F: leave a text that fits; -R: colours; -X: leave it on the screen
    process = subprocess.Popen(words, stdin=subprocess.PIPE, text=True, encoding="utf-8", env={"LESS": "FRX", **os.environ})
    try:
        process.communicate(text)
    except BrokenPipeError:  # its reader has seen enough
        pass
    except KeyboardInterrupt:  # Ctrl-C is the pager's
        pass
    process.wait()
    return True


def _pager_command() -> list[str]:
    """Return the words of the pager's command; none, with a line on standard error, where its quotation marks are not closed."""
    name = next((name for name in PAGER_VARIABLES if name in os.environ), "")
    try:
        return shlex.split(os.environ[name] if name else "less")
    except ValueError:
        problem = f"${name} has a quotation mark or a backslash without its counterpart; the text is shown without a pager"
        print(f"roster-etl: {problem}", file=sys.stderr)
        return []


def is_own_stdout(stream: TextIO | None) -> bool:
    """Return whether the stream is standard output of this process, which a pager inherits."""
    return stream is not None and stream is sys.__stdout__
