"""The commands as they are put together: what their help shows, and that every command which is suggested anywhere is one."""

from __future__ import annotations

import ast
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from roster_etl.cli.app import _ALIASES, LazyCommand, root_command
from roster_etl.cli.examples import EXAMPLES
from tests.cli.calling import call

ROOT = Path(__file__).parents[2]
_STANDS_FOR = {"N": "1", "IMPORT": "1", "DAY": "2026-09-01"}
_GAPS = {"feed": "--district 1 --format 1", "key": "a=1", "verb": "rerun", "approving_words(document)": ""}
_USAGE_ERROR: type[Any] = typer.BadParameter.__mro__[1]  # typer shows the narrower one only
_BRACKETS = re.compile(r"\[[^\]]+\]")


def commands(group: Any, *words: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield every command, and every group, with its words."""
    yield words, group
    for word, inner in getattr(group, "commands", {}).items():
        yield from commands(inner, *words, word)


def test_no_help_loses_a_word_in_brackets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    lost = []
    for words, found in commands(root_command()):
        one = found.load() if isinstance(found, LazyCommand) else found
        said = [one.callback.__doc__ or ""] if words and not hasattr(one, "commands") else []
        said += [getattr(parameter, "help", None) or "" for parameter in one.params]
        wanted = {found for text in said for found in _BRACKETS.findall(text)}
        shown = call(*words, "--help").out if wanted else ""
        lost += [(words, word) for word in wanted if word not in shown]

    assert lost == []
    assert "[retention]" in call("sweep", "--help").out


def suggested() -> Iterator[tuple[str, str]]:
    """Yield the commands with words of their own that the program or its documents suggest, and where; a bare verb only names one."""
    for path in sorted((ROOT / "roster_etl").rglob("*.py")):
        for text in _texts(ast.parse(path.read_text("utf-8"))):
            found = [text] if text.startswith("roster-etl ") else re.findall(r"`(roster-etl [^`]+)`", text)
            yield from ((str(path.relative_to(ROOT)), one) for one in found)
    for path in (*ROOT.glob("docs/*.md"), *ROOT.glob("docs/operations/*.md"), *ROOT.glob("roster_etl/vendors/*/README.md")):
        if path.name == "commands.md":  # the synopsis of each command, from its own help
            continue
        text = path.read_text("utf-8").replace("\\\n", " ")
        found = re.findall(r"`(roster-etl [^`\n]+)`|^(roster-etl [^#\n]+)", text, re.MULTILINE)
        yield from ((str(path.relative_to(ROOT)), inline or line) for inline, line in found)


def _texts(tree: ast.AST) -> Iterator[str]:
    """Yield the texts of a module; what is filled in stands as a number, and a text within another is not told twice."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.JoinedStr):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else _filled(part) for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield re.sub(r"\{\w+\}", "1", node.value)
        else:
            yield from _texts(node)


def _filled(part: ast.expr) -> str:
    """Return what may stand in a gap of a text: words where its name says that several do, else a number."""
    name = ast.unparse(part).strip("{}")
    return _GAPS.get(name, "1")


def _wrong(text: str) -> str | None:
    """Return what is wrong with a command as it is suggested; None: nothing is."""
    first = re.sub(r" …(?= \|)|\[[^\]]*\]|--home \S+", "", text).split(" | ")[0]  # of alternatives
    words = [_STANDS_FOR.get(word, word) for word in shlex.split(first)[1:]]
    found = root_command()
    while words and words[0] in getattr(found, "commands", {}):
        found = found.commands[words.pop(0)]
    if default := getattr(found, "_default", ""):
        found = found.commands[default]
    rest = [word for word in words if word not in ("--json", "--debug", "--version", "COMMAND", "--help")]
    if not rest:
        return None
    if hasattr(found, "commands"):
        return "no such command"
    try:
        found.make_context("roster-etl", rest)
    except _USAGE_ERROR as error:
        return error.format_message()
    return None


def test_every_command_that_is_suggested_can_be_called() -> None:
    wrong = [(where, text, problem) for where, text in suggested() if (problem := _wrong(text))]

    assert wrong == []


@pytest.mark.parametrize("words", [["--help"], ["holds", "--help"], []])
def test_help_that_lists_commands_loads_none_of_them(words: list[str]) -> None:
    code = (
        "import sys; from roster_etl.cli import main; from roster_etl.cli.app import root_command; sys.stdout = sys.stderr;"
        f"main({words!r}); print(sorted({{'roster_etl.cli.holds', 'roster_etl.cli.imports', 'pandas'}} & set(sys.modules)), file=sys.__stdout__)"
    )
    loaded = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)

    assert loaded.stdout.strip() == "[]"


def test_every_command_names_a_function_and_shows_its_docstring() -> None:
    for words, found in commands(root_command()):
        if isinstance(found, LazyCommand):
            found.read_help()

            assert found.help == found.load().help, words


def test_every_command_has_an_example_that_can_be_called_and_its_help_shows_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "400")
    names = {" ".join(words) for words, found in commands(root_command()) if isinstance(found, LazyCommand)}
    own = {name for name in names if name.split()[0] not in _ALIASES}

    assert own - set(EXAMPLES) == set()
    assert set(EXAMPLES) - own == {""}
    wrong = [(call_, found) for pairs in EXAMPLES.values() for _, call_ in pairs if (found := _wrong(f"roster-etl {call_}"))]
    assert wrong == []
    assert "roster-etl undo 7" in call("undo", "--help").out
    assert "roster-etl check upload" in call("--help").out


def test_an_alias_has_the_commands_of_its_group() -> None:
    root = root_command()
    for alias, word in _ALIASES.items():
        assert set(root.commands[alias].commands) == set(root.commands[word].commands)
        assert alias not in call("--help").out.replace(word, "")
