"""What a terminal gets that a pipe does not: tables of its width, colours, a pager."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from roster_etl.cli.context import Call
from roster_etl.cli.terminal import coloured_label, has_colours, page, render
from roster_etl.cli.text_tables import TextTable, indented


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "PAGER", "ROSTER_ETL_PAGER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setenv("LINES", "10")


@pytest.mark.parametrize(
    ("stream", "environment", "expected"),
    [
        (Terminal(), {}, True),
        (Terminal(), {"NO_COLOR": "1"}, False),
        (Terminal(), {"NO_COLOR": ""}, True),
        (Terminal(), {"TERM": "dumb"}, False),
        (io.StringIO(), {}, False),
        (io.StringIO(), {"FORCE_COLOR": "1"}, True),
        (Terminal(), {"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
        (None, {}, False),
    ],
)
def test_colours_are_for_a_terminal_unless_the_environment_says_otherwise(stream, environment, expected, monkeypatch) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    assert has_colours(stream) is expected


def test_a_status_has_its_colour_in_a_line_and_in_a_cell() -> None:
    line = render(["import 7 · lincoln · held · 2026"], colours=True, width=80)
    cell = render([TextTable(("import", "status"), [(7, "failed")])], colours=True, width=80)

    assert "\x1b[33mheld\x1b[0m" in line
    assert "\x1b[1;31mfailed" in cell
    assert "\x1b" not in render(["import 7 · held", TextTable(("status",), [("failed",)])], colours=False, width=80)


def test_control_characters_of_an_upload_do_not_reach_the_terminal() -> None:
    shown = render(["name \x1b[31mred", TextTable(("file",), [("\x1b]0;title\x07.csv",)])], colours=True, width=80)

    assert "\x1b[31mred" not in shown
    assert "\x1b]0" not in shown


def test_markup_in_a_text_is_text() -> None:
    assert render(["[bold]x[/bold] :smile: [retention]"], colours=False, width=80) == "[bold]x[/bold] :smile: [retention]\n"


def test_a_table_breaks_neither_numbers_nor_short_words() -> None:
    table = TextTable(("import", "why", "rows"), [(1234567, "because of " + "long " * 40, 9_999_999)], indent=2)
    lines = render([table], colours=False, width=50).splitlines()

    assert all(len(line) <= 50 for line in lines)
    assert "1,234,567" in lines[1]
    assert "9,999,999" in lines[1]
    assert sum(line.count("long") for line in lines) == 40
    assert all(line.startswith("  ") for line in lines)


def test_a_pipe_gets_the_table_as_wide_as_it_is(tmp_path: Path) -> None:
    wide = "x" * 300
    out = io.StringIO()
    Call(home=tmp_path, out=out).print("title", *indented([TextTable(("a",), [(wide,)])], 2))

    assert out.getvalue() == f"title\n  a\n  {wide}\n"


def test_a_terminal_gets_what_fits_and_a_label_in_red(tmp_path: Path) -> None:
    out, err = Terminal(), Terminal()
    call = Call(home=tmp_path, out=out, err=err)
    call.print(TextTable(("a", "b"), [("word " * 30, 1)]))
    call.log("roster-etl: something is wrong")

    assert max(map(len, out.getvalue().replace("\x1b[1m", "").replace("\x1b[0m", "").splitlines())) <= 60
    assert err.getvalue() == "\x1b[1;31mroster-etl:\x1b[0m something is wrong\n"
    assert coloured_label(io.StringIO(), "roster-etl: x") == "roster-etl: x"


def test_the_pager_gets_what_is_longer_than_the_screen(tmp_path: Path, monkeypatch) -> None:
    seen = tmp_path / "seen"
    script = tmp_path / "pager"
    script.write_text(f'#!/bin/sh\ncat > "{seen}"\n')
    script.chmod(0o700)
    monkeypatch.setenv("PAGER", "no-such-pager")
    monkeypatch.setenv("ROSTER_ETL_PAGER", f"{script} --option")
    text = "line\n" * 20

    assert page(text, pager=True)
    assert seen.read_text() == text
    assert not page("line\n" * 5, pager=True)
    assert not page(text, pager=False)


@pytest.mark.parametrize("pager", ["", "no-such-pager-anywhere"])
def test_without_a_pager_the_text_is_printed(pager: str, monkeypatch) -> None:
    monkeypatch.setenv("PAGER", pager)

    assert not page("line\n" * 20, pager=True)


def test_a_pager_whose_quotation_mark_is_not_closed_is_told_and_left_out(monkeypatch, capsys) -> None:
    monkeypatch.setenv("PAGER", 'less -P "page')

    assert not page("line\n" * 100, pager=True)
    assert "$PAGER has a quotation mark or a backslash without its counterpart" in capsys.readouterr().err


def test_a_pager_that_ends_early_is_no_error(monkeypatch) -> None:
    monkeypatch.setenv("PAGER", "true")

    assert page("a long line of text\n" * 100_000, pager=True)
