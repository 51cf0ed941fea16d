"""Completion: what a shell is offered."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.calling import call


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("im", ["import", "imports"]),
        ("holds ", ["list", "show", "approve", "discard"]),
        ("imports ", ["list", "show", "report", "open"]),
        ("imports --l", ["--limit"]),
        ("imports list --district l", ["lincoln"]),
        ("imports --district x", []),
        ("check --format c", ["canvas", "catapult_connect", "clever"]),
        ("check --ho", ["--home"]),
        ("as-of now use", ["user_identifiers", "user_roles", "users"]),
        ("districts pause l", ["lincoln"]),
    ],
)
def test_a_shell_is_offered_what_may_follow(line: str, offered: list[str], told: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["roster-etl", "--home", str(told), *line.split(" ")]
    monkeypatch.setenv("_ROSTER_ETL_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", " ".join(words))
    monkeypatch.setenv("COMP_CWORD", str(len(words) - 1))

    answer = call()

    assert answer.code == 0
    assert answer.out.split() == offered


def test_a_line_that_is_not_finished_and_a_home_that_cannot_be_read_offer_nothing(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("_ROSTER_ETL_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_CWORD", "3")
    for line in ("roster-etl imports --district 'l", f"roster-etl imports --district l --home {tmp_path / 'none'}"):
        monkeypatch.setenv("COMP_WORDS", line)
        answer = call()
        assert (answer.out.strip(), "Traceback" in answer.err) == ("", False)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_of_each_shell_is_printed(shell: str) -> None:
    answer = call("completion", shell)

    assert answer.code == 0
    assert "_ROSTER_ETL_COMPLETE" in answer.out
    assert call("--show-completion", shell).out == answer.out


def test_completion_is_installed_where_the_shell_looks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))

    answer = call("completion", "bash", "--install", "--json")

    assert Path(answer.document["file"]).is_relative_to(tmp_path)
    assert "_ROSTER_ETL_COMPLETE" in Path(answer.document["file"]).read_text()
