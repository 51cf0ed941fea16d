"""Mistakes that people make at the command line, and what answers each: where it is, what was expected, what to do.

Numbered as they were collected. One that needs a world of its own (a port that is taken, a file that nobody may read) has a test of its own.
"""

from __future__ import annotations

import os
import shutil
import socket
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from roster_etl.cli.app import READING_COMMANDS, root_command
from roster_etl.cli.demo.processes import require_free_port
from roster_etl.cli.errors import failure_of
from roster_etl.cli.global_options import UsageError
from tests.cli.calling import call

pytestmark = pytest.mark.usefixtures("direct_imports")


@dataclass(frozen=True)
class Mistake:
    """What was typed, the exit code, and words of the answer. ``answered_before``: words that must not be in it any more."""

    number: int
    words: Sequence[str]
    code: int
    says: tuple[str, ...]
    not_any_more: tuple[str, ...] = ()
    environment: tuple[tuple[str, str], ...] = ()


REFUSED_PORT = "9"  # nothing listens on it, and no name is looked up
MISTAKES = [
    Mistake(1, ("--version",), 0, ("roster-etl 0.",)),
    Mistake(1, ("-V",), 0, ("roster-etl 0.",)),
    Mistake(1, ("--show-completion", "bash"), 0, ("complete -o default",)),
    Mistake(1, ("completion", "tcsh"), 2, ("bash, zsh, fish",)),
    Mistake(2, ("import", "{upload}", "--district", "lincoln", "--format", "canvas"), 2, ("has no feed in format canvas", "--register")),
    Mistake(4, ("purge", "--district", "lincoln"), 2, ("--dry-run", "--yes")),
    Mistake(4, ("purge", "--district", "lincoln", "--dry-run"), 0, ("would be removed", "Nothing was changed")),
    Mistake(5, ("imports", "--home", "{nowhere}"), 2, ("there is no home", "--home DIR")),
    Mistake(6, ("districts", "add", "foo", "--format", "clever", "--path", "sftp://u@h/x", "--home", "{new}"), 0, ("ssh-keyscan", "doctor", "--password-file")),
    Mistake(7, ("imports", "--district", "lincon"), 2, ("did you mean lincoln?",)),
    Mistake(8, ("trace", "user", "a=1", "--district", "lincoln"), 2, ("did you mean users?",), ("organizations",)),
    Mistake(8, ("trace", "users", "a=1", "user_id=1", "--district", "lincoln"), 2, ("it has: ",)),
    Mistake(8, ("trace", "users", "userid=1", "--district", "lincoln"), 2, ("did you mean user_id?",)),
    Mistake(8, ("check", "{upload}", "--format", "clever", "--option", "delete_treshold_pct=5"), 2, ("did you mean delete_threshold_pct?",), ("time_zone",)),
    Mistake(8, ("check", "{upload}", "--format", "clevr"), 2, ("did you mean clever?",)),
    Mistake(8, ("imprt", "x"), 2, ("Did you mean 'import'",)),
    Mistake(8, ("imports", "--distrct", "x"), 2, ("Did you mean --district?",)),
    Mistake(9, ("show", "abc"), 2, ("IMPORT", "expected a number, such as 12"), ("Input should be",)),
    Mistake(10, ("holds", "approve", "1"), 2, ("has no open hold", "holds list")),
    Mistake(11, ("holds", "discard", "1"), 2, ("has no open hold",), ("--by",)),
    Mistake(12, ("rerun", "--district", "lincoln", "--import", "1"), 2, ("--rollback",)),
    Mistake(13, ("imports", "--home", "{unmigrated}"), 1, ("roster-etl migrate",)),
    Mistake(14, ("imports",), 1, (f"connection refused: 127.0.0.1:{REFUSED_PORT}",), ("SQLSTATE", "hush"), (("ROSTER_ETL_WAREHOUSE", f"postgresql://me:hush@127.0.0.1:{REFUSED_PORT}/x"),)),
    Mistake(15, ("imports", "--home", "{garbage}"), 1, ("not a SQLite database: ", "warehouse.sqlite"), ("SQLSTATE",)),
    Mistake(16, ("imports",), 1, ("postgres is not supported", "postgresql://"), ("hush",), (("ROSTER_ETL_WAREHOUSE", "postgres://me:hush@h/x"),)),
    Mistake(19, ("import", "http://127.0.0.1:9/up.zip", "--district", "lincoln"), 1, ("Nothing of the upload was stored", "roster-etl import http://127.0.0.1:9/up.zip --district lincoln"), ("landing zone, and is imported",)),
    Mistake(20, ("check", "{upload}"), 0, ("format clever, by the names and headers",)),
    Mistake(20, ("check", "{empty}"), 2, ("--format is needed", "known formats: canvas")),
    Mistake(21, ("as-of", "yesterday", "users", "--district", "lincoln"), 0, ("no record of users was known",)),
    Mistake(21, ("as-of", "7d", "users", "--district", "lincoln"), 0, ("no record of users was known",)),
    Mistake(21, ("audit", "--since", "yesterday"), 0, ("district_add",)),
    Mistake(21, ("as-of", "soon", "users", "--district", "lincoln"), 2, ("yesterday", "7d")),
    Mistake(22, ("renames", "list"), 0, ("No import has ID changes to decide.",)),
    Mistake(23, ("imports", "list"), 0, ("lincoln",)),
    Mistake(23, ("imports", "--district", "lincoln"), 0, ("lincoln",)),
    Mistake(23, ("overrides", "list"), 0, ("No edit is in force.",)),
    Mistake(23, ("override", "list"), 0, ("No edit is in force.",)),
    Mistake(25, ("changes", "--district", "lincoln", "--since", "0"), 0, ("there is more", " created")),
    Mistake(29, ("imports",), 0, ("lincoln",), (), (("DAGSTER_HOME", ""),)),
]  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda one: f"{one.number}-{' '.join(one.words[:3])}")
def test_a_mistake_is_answered(mistake: Mistake, told: Path, uploads: Path, tmp_path: Path, monkeypatch) -> None:
    for name, value in mistake.environment:
        monkeypatch.setenv(name, value)
    (tmp_path / "empty").mkdir()
    places = {
        "upload": uploads / "a",
        "empty": tmp_path / "empty",
        "nowhere": tmp_path / "typo" / "deep",
        "new": tmp_path / "new",
        "unmigrated": _home_with(tmp_path / "unmigrated", _an_empty_database()),
        "garbage": _home_with(tmp_path / "garbage", b"no database at all " * 100),
    }
    words = [word.format(**places) for word in mistake.words]

    home = shutil.copytree(told, tmp_path / "home")
    answer = call(*words) if "--home" in words else call(*words, home=home)

    said = answer.out + answer.err
    assert answer.code == mistake.code, said
    assert [word for word in mistake.says if word not in said] == [], said
    assert [word for word in mistake.not_any_more if word in said] == [], said
    assert "Traceback" not in said
    assert not (tmp_path / "typo").exists()


def _home_with(home: Path, warehouse: bytes) -> Path:
    home.mkdir(mode=0o700)
    (home / "warehouse.sqlite").write_bytes(warehouse)
    (home / "warehouse.sqlite").chmod(0o600)
    return home


def _an_empty_database() -> bytes:
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE other (x)")
    return connection.serialize()


def test_3_a_rejected_upload_closes_no_hold(held: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()

    rejected = call("import", tmp_path / "empty", "--district", "lincoln", home=held)

    assert rejected.code == 3
    assert "lincoln" in call("holds", "list", home=held).out


def test_17_a_file_that_cannot_be_read_is_named(uploads: Path, tmp_path: Path, told: Path) -> None:
    if os.geteuid() == 0:
        from roster_etl.spec.errors import LandingUnavailable
        from roster_etl.store.landing.local import LocalLanding
        from roster_etl.store.settings import UploadLimits

        landing = LocalLanding(tmp_path, UploadLimits())
        (tmp_path / "file").write_text("x")
        with pytest.raises(LandingUnavailable, match="file/deep cannot be read"):
            landing._read("file/deep", lambda _: None)
        return
    folder = tmp_path / "up"
    folder.mkdir()
    (folder / "students.csv").write_text("a")
    (folder / "students.csv").chmod(0)

    assert "students.csv cannot be read" in call("check", folder, "--format", "clever", home=told).err


def test_18_and_27_every_help_lists_the_global_options(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    for words in ((), ("import",), ("holds",), ("holds", "approve"), ("overrides", "set")):
        shown = call(*words, "--help").out
        assert [word for word in ("Global options", "--home", "--json", "--debug", "--no-pager") if word not in shown] == [], (
            words
        )


def test_24_and_26_tables_are_as_wide_as_the_terminal() -> None:
    from roster_etl.cli.terminal import render
    from roster_etl.cli.text_tables import TextTable

    table = TextTable(("district", "path"), [("lincoln", "sftp://lincoln@sftp.example.org/home/" + "x" * 200)])
    short = TextTable(table.header, table.rows, shortened=frozenset({"path"}))

    assert max(map(len, render([table], colours=False, width=80).splitlines())) <= 80
    assert render([table], colours=False, width=80).count("x") == table.rows[0][1].count("x")  # nothing is lost
    assert len(render([short], colours=False, width=80).splitlines()) == 2
    assert "…" in render([short], colours=False, width=80)


def test_28_a_usage_line_names_arguments_plainly_and_a_switch_has_no_type(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    shown = call("sample", "--help").out + call("import", "--help").out + call("export", "--help").out

    assert "sample [OPTIONS] FORMAT DIR" in shown
    assert "export [OPTIONS] [FORMAT]" in shown
    assert "{" not in shown
    assert "<bool>" not in shown


def test_30_a_port_that_is_taken_is_named_before_anything_starts() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        with pytest.raises(UsageError, match=rf"--port {port}: .*127.0.0.1:{port}"):
            require_free_port(port)


def test_31_an_error_of_ours_asks_for_a_report_with_versions() -> None:
    try:
        {}["cell value"]
    except KeyError as error:
        message = failure_of(error).message

    assert "please report it" in message
    assert "--debug" in message
    assert "roster-etl 0." in message
    assert "python 3." in message
    assert "cell value" not in message


def test_every_number_of_the_list_has_a_test() -> None:
    apart = {3, 17, 18, 24, 26, 27, 28, 30, 31}

    assert {mistake.number for mistake in MISTAKES} | apart == set(range(1, 32))
    assert set(root_command().commands) > {"imports", "overrides", "override", "exports", "open", "completion"}
    assert {"version", "completion"} <= READING_COMMANDS
