"""Where words go: the result, the progress, and what could steer a terminal."""

from __future__ import annotations

import io
import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from roster_etl.cli.context import Call
from roster_etl.cli.text_tables import TextTable, strip_control_chars
from tests.cli.calling import call

ROOT = Path(__file__).parents[2]


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
    assert TextTable(("name", "rows"), [("a", 5), ("李", 1200)]).lines() == ["name   rows", "a         5", "李    1,200"]


def test_nothing_that_steers_a_terminal_is_printed() -> None:
    assert strip_control_chars("a\x1b[31mb\u202ec\nd") == "a�[31mb�c\nd"


def test_a_stream_that_cannot_say_a_sign_says_a_question_mark(home: Path) -> None:
    raw = io.BytesIO()
    out = io.TextIOWrapper(raw, encoding="ascii")

    Call(home=home, out=out, err=io.StringIO()).print("one · 李")

    assert raw.getvalue() == b"one ? ?\n"


def test_a_document_keeps_every_sign_on_a_stream_that_cannot_say_it(home: Path) -> None:
    raw = io.BytesIO()

    out = io.TextIOWrapper(raw, encoding="ascii")

    Call(home=home, out=out, err=io.StringIO()).print_json({"name": "李"})

    assert json.loads(raw.getvalue()) == {"name": "李"}


def process(home: Path, words: str, **environment: str) -> tuple[int, str]:
    """Run words of a shell as a process of their own; return its exit code and what it said on standard error."""
    line = f"{shlex.quote(sys.executable)} -m roster_etl.cli {words}"
    settings = os.environ | {"ROSTER_ETL_HOME": str(home)} | environment
    done = subprocess.run(["/bin/sh", "-c", line], capture_output=True, text=True, env=settings, cwd=ROOT, check=False)
    return done.returncode, done.stderr


@pytest.mark.parametrize("where", [">&-", "> /dev/full"])
def test_an_output_that_takes_nothing_is_one_line_and_exit_code_1(home: Path, where: str) -> None:
    code, err = process(home, f"districts list --json {where}")

    assert (code, err.count("\n")) == (1, 1)
    assert err.startswith("roster-etl: standard output cannot be written to (")
    assert process(home, f"districts list --json {where} 2>&-") == (1, "")


def test_help_can_be_read_where_only_ascii_can_be_said(home: Path) -> None:
    assert process(home, "--help", LC_ALL="C", PYTHONIOENCODING="ascii") == (0, "")


@pytest.mark.parametrize(
    "words",
    [("show", "9" * 23), ("check", "nosuch://x", "--format", "clever"), ("check", "/etc/passwd", "--format", "clever")],
)
def test_words_that_can_name_nothing_are_off(home: Path, words: tuple[str, ...]) -> None:
    answer = call(*words, "--json", home=home)

    assert (answer.code, answer.document["error"]["code"]) == (2, "bad_words")
