"""The tutorial: every command of the page, run in order in one folder, exits and prints as the page says."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Iterator

import pytest

from tests.cli.calling import call
from tests.conftest import ROOT

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

PAGE = ROOT / "docs/tutorial.md"
BLOCK = re.compile(r"^```(sh|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def steps(page: str) -> Iterator[tuple[list[str], list[str]]]:
    """Yield the commands of each block, and the lines that the block after it shows of their output."""
    blocks = BLOCK.findall(page)
    for number, (kind, text) in enumerate(blocks):
        if kind == "sh":
            shown = blocks[number + 1][1] if number + 1 < len(blocks) and blocks[number + 1][0] == "text" else ""
            yield text.splitlines(), shown.splitlines()


def exit_code(line: str) -> int:
    """Return the exit code that a comment behind a command announces."""
    announced = re.search(r"# exit code (\d)", line)
    return int(announced[1]) if announced else 0


def plain(text: str) -> str:
    """Return a text with one space where there are several: columns of tables are as wide as their contents."""
    return re.sub(r" +", " ", text)


def run(line: str) -> tuple[int, str]:
    """Run a line and return its exit code and output; commands of the program in this process, which has its packages loaded."""
    words = shlex.split(line, comments=True)
    if words[0] == "roster-etl":
        answer = call(*words[1:])
        return answer.code, answer.out + answer.err
    done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def test_every_command_of_the_tutorial_does_what_the_page_says(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ROSTER_ETL_HOME", raising=False)
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    seen = 0
    for lines, shown in steps(PAGE.read_text("utf-8")):
        printed = ""
        for line in lines:
            if line.startswith("cd "):
                monkeypatch.chdir(line.removeprefix("cd "))
                continue
            code, output = run(line)
            seen += 1

            assert code == exit_code(line), f"{line}\n{output}"
            printed += plain(output)

        missing = [text for text in shown if plain(text).strip() not in printed]
        assert missing == [], f"{lines}\n{printed}"

    assert seen > 15
