"""Where words go: the result, the progress, and what could steer a terminal."""

from __future__ import annotations

import io
from pathlib import Path

from roster_etl.cli.call import Call
from roster_etl.cli.layout import aligned, plain


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_progress_is_plain_lines_in_a_pipe_and_a_bar_on_a_terminal(home: Path) -> None:
    pipe, terminal = io.StringIO(), Terminal()
    for err in (pipe, terminal):
        with Call(home=home, out=io.StringIO(), err=err).progress(2, "work") as progress:
            progress("first")
            progress("second")

    assert pipe.getvalue() == "work: first\nwork: second\n"
    assert "\x1b[" in terminal.getvalue()


def test_a_table_is_aligned_with_numbers_to_the_right() -> None:
    assert aligned(("name", "rows"), [("a", 5), ("李", 1200)]) == ["name   rows", "a         5", "李    1,200"]


def test_nothing_that_steers_a_terminal_is_printed() -> None:
    assert plain("a\x1b[31mb\u202ec\nd") == "a�[31mb�c\nd"


def test_a_stream_that_cannot_say_a_sign_says_a_question_mark(home: Path) -> None:
    raw = io.BytesIO()
    out = io.TextIOWrapper(raw, encoding="ascii")

    Call(home=home, out=out, err=io.StringIO()).print("one · 李")

    assert raw.getvalue() == b"one ? ?\n"
