"""The words that every command takes, and those that are off."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from roster_etl.cli.global_options import UsageError, parse_global_options, parse_key_values
from tests.cli.calling import call

pytestmark = pytest.mark.usefixtures("direct_imports")

HEAVY = ("dagster", "pandas", "pyarrow", "great_expectations", "sqlalchemy", "asyncssh", "alembic")


def test_home_and_json_stand_before_or_after_the_words(home: Path) -> None:
    before, rest_before = parse_global_options(["--home", str(home), "--json", "imports"])
    after, rest_after = parse_global_options(["imports", f"--home={home}", "--json"])

    assert before == after
    assert rest_before == rest_after == ["imports"]


def test_nothing_is_taken_after_two_dashes() -> None:
    everywhere, rest = parse_global_options(["check", "--", "--json"])

    assert not everywhere.json
    assert rest == ["check", "--", "--json"]


@pytest.mark.parametrize("words", [["plain"], ["=value"], ["a=1", "a=2"]])
def test_pairs_need_a_key_and_a_value_once(words: list[str]) -> None:
    with pytest.raises(UsageError):
        parse_key_values(words, label="--option")


def test_a_value_may_be_empty_and_may_hold_an_equals_sign() -> None:
    assert parse_key_values(["a=", "b=c=d"], label="--option") == {"a": "", "b": "c=d"}


@pytest.mark.parametrize(
    "words",
    [
        ["nonsense"],
        ["import"],
        ["import", "missing-folder", "--district", "d", "--format", "clever"],
        ["show", "seven"],
        ["show", "7"],
        ["holds", "approve", "7", "--by", "A"],
        ["check", ".", "--format", "unknown"],
        ["check", "."],
        ["districts", "add", "Not An Id", "--format", "clever"],
        ["districts", "add", "d", "--format", "clever", "--option", "unknown=1"],
        ["districts", "add", "d", "--format", "clever", "--option", "delete_threshold_pct=many"],
        ["districts", "add", "d", "--format", "clever", "--time-zone", "Nowhere"],
        ["districts", "pause", "d"],
        ["districts", "remove", "d"],
        ["import", ".", "--district", "d"],
        ["rerun", "--district", "d"],
        ["trace", "users", "user_id=1", "--district", "d"],
        ["as-of", "now", "users", "--district", "d"],
        ["imports", "--limit", "0"],
        ["imports", "--district", "../x"],
        ["imports", "--district", "nope"],
        ["new-vendor", "Not-A-Name"],
        ["sample", "unknown", "x"],
        ["sample", "clever", ""],
        ["import", "", "--district", "d", "--format", "clever"],
        ["check", " ", "--format", "clever"],
        ["backup", "--to", ""],
        ["restore", "--from", ""],
        ["rebuild", "--district", "d", "--to", ""],
        ["changes", "--district", "d", "--to", ""],
        ["--home"],
        [],
    ],
)
def test_words_that_are_off_end_with_2_and_one_error_document(words: list[str], home: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)

    answer = call(*words, "--json") if words == ["--home"] else call(*words, "--json", home=home)

    assert answer.code == 2
    assert set(answer.document) == {"error"}
    assert set(answer.document["error"]) == {"code", "message"}
    assert "Traceback" not in answer.err


def test_without_json_an_error_is_one_line_on_standard_error(home: Path) -> None:
    answer = call("show", "7", home=home)

    assert (answer.out, answer.err) == (
        "",
        "roster-etl: import 7 is not in the ledger; `roster-etl imports` lists those that are\n",
    )


def test_help_stands_on_standard_output() -> None:
    answer = call("--help")

    assert answer.code == 0
    assert "Exit codes" in answer.out
    assert all(word in answer.out for word in ("import", "check", "holds", "districts", "trace", "as-of", "demo"))


@pytest.mark.parametrize("words", [["--help"], ["import", "--help"], ["districts", "list"]])
def test_small_commands_import_nothing_heavy(words: list[str], home: Path) -> None:
    program = f"import sys; from roster_etl.cli import main; main(sys.argv[1:]); print([m for m in {HEAVY!r} if m in sys.modules], file=sys.stderr)"

    done = subprocess.run(
        [sys.executable, "-c", program, *words, "--home", str(home)], capture_output=True, text=True, check=True
    )

    assert done.stderr.strip().endswith("[]")


def test_a_module_call_ends_with_the_exit_code(home: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "roster_etl.cli", "show", "7", "--json", "--home", str(home)],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 2
    assert json.loads(done.stdout)["error"]["code"] == "unknown_import"


def test_a_call_leaves_the_process_as_it_was(told: Path, uploads: Path, tmp_path: Path) -> None:
    def state() -> tuple[object, ...]:
        mask = os.umask(0o022)
        os.umask(mask)
        root = logging.getLogger()
        return (
            dict(os.environ),
            signal.getsignal(signal.SIGINT),
            signal.getsignal(signal.SIGTERM),
            list(root.handlers),
            root.level,
            mask,
            os.getcwd(),
        )

    before = state()
    call("show", "1", home=told)
    call("nonsense", home=told)
    call("import", uploads / "a", "--district", "other", "--format", "clever", home=tmp_path / "home")

    assert state() == before


def test_one_process_calls_for_many_homes(told: Path, tmp_path: Path) -> None:
    call("districts", "add", "other", "--format", "clever", home=tmp_path / "second")

    here = call("districts", "list", "--json", home=tmp_path / "second")
    there = call("districts", "list", "--json", home=told)

    assert [district["district_id"] for district in here.document] == ["other"]
    assert [district["district_id"] for district in there.document] == ["lincoln"]


def test_help_does_not_show_the_largest_number_that_an_import_could_have(home: Path) -> None:
    shown = [call(*words, "--help", home=home).out for words in (("show",), ("imports",), ("rerun",))]

    assert ["x<=" in text for text in shown] == [False] * len(shown)
    assert call("show", str(2**63), home=home).code == 2
