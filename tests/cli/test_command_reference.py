"""The reference page of the commands: every command, its arguments and options, and nothing that is hidden."""

from __future__ import annotations

import re

from roster_etl.cli.app import root_command
from roster_etl.cli.command_reference import commands_page
from roster_etl.cli.examples import EXAMPLES


def section(words: str) -> str:
    """Return the part of the page about one command."""
    return re.search(rf"^#+ {re.escape(words)}\n(.*?)(?=^#|\Z)", commands_page(), re.MULTILINE | re.DOTALL)[1]


def test_every_command_has_a_section():
    headings = set(re.findall(r"^#{3,4} (.+)$", commands_page(), re.MULTILINE))
    shown = {word: command for word, command in root_command().commands.items() if not command.hidden}
    inner = {f"{word} {name}" for word, command in shown.items() for name in getattr(command, "commands", ())}

    assert headings == set(shown) | inner
    assert "version" not in headings


def test_a_section_shows_usage_arguments_options_with_defaults_and_examples():
    text = section("sample")

    assert "roster-etl sample [OPTIONS] FORMAT DIR" in text
    assert "| `FORMAT` | Such as clever. |" in text
    assert "| `--students` `N` | About how many students. Default: `100`. |" in text
    assert EXAMPLES["sample"][0][1] in text
    assert "--json" not in text.partition("```sh")[0]


def test_brackets_of_the_help_are_shown_as_they_are():
    assert "older than [retention] allows" in section("sweep").replace("\n", " ")
