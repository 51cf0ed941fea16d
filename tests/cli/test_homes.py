"""Which commands create a home, which refuse a missing one, and what each answers in an empty one."""

from __future__ import annotations

from pathlib import Path

import pytest

from roster_etl.cli.app import _COMMANDS, _GROUPS
from tests.cli.calling import call

pytestmark = pytest.mark.usefixtures("direct_imports")

CREATING = {"import", "districts add", "migrate", "demo", "restore"}
WITHOUT_HOME = {"sample", "generate", "new-vendor", "receipts verify", "completion", "version"}
EMPTY_HOME = {
    **dict.fromkeys(("audit", "backfill", "backup", "districts list", "doctor", "holds list", "imports list", "keys init"), 0),
    **dict.fromkeys(
        ("destinations list", "exports list", "renames list", "status", "metrics", "outbox list", "outbox send", "sweep"), 0
    ),
    "check": 3,  # the upload has no file
}
"""Exit codes in an empty home; of all other commands 2, since what they name does not exist."""
WORDS = {
    "as-of": ("now", "users", "--district", "lincoln"),
    "backfill": ("--all",),
    "backup": ("--to", "PATH"),
    "changes": ("--district", "lincoln", "--since", "0"),
    "destinations add": ("out", "--to", "PATH", "--district", "lincoln", "--format", "clever"),
    "destinations check": ("out", "--district", "lincoln"),
    "destinations remove": ("out", "--district", "lincoln"),
    "destinations send": ("out", "--district", "lincoln"),
    "export": ("clever", "--district", "lincoln", "--to", "PATH"),
    "exports write": ("clever", "--district", "lincoln", "--to", "PATH"),
    "imports report": ("1",),
    "imports show": ("1",),
    "check": ("UPLOAD", "--format", "clever"),
    "data-docs": ("1",),
    "districts contacts": ("lincoln",),
    "districts expect": ("lincoln", "--by", "06:00"),
    "districts pause": ("lincoln",),
    "districts remove": ("lincoln",),
    "districts resume": ("lincoln",),
    "holds approve": ("1", "--by", "A"),
    "holds discard": ("1", "--by", "A"),
    "holds show": ("1",),
    "outbox discard": ("1",),
    "overrides clear": ("users", "user_id=1", "--district", "lincoln", "--field", "title", "--by", "A"),
    "overrides list": ("--district", "lincoln"),
    "overrides set": ("users", "user_id=1", "--district", "lincoln", "--field", "title", "--value", "x", "--by", "A"),
    "people link": ("clever:student:1", "canvas:user:2", "--district", "lincoln", "--by", "A"),
    "people links": ("--district", "lincoln"),
    "people unlink": ("1", "--district", "lincoln", "--by", "A"),
    "purge": ("--district", "lincoln", "--by", "A"),
    "reconcile": ("--district", "lincoln"),
    "rebuild": ("--district", "lincoln", "--to", "sqlite:///PATH"),
    "receipts list": ("--district", "lincoln"),
    "receipts outcomes": ("1", "--to", "PATH"),
    "receipts show": ("1",),
    "refused": ("--district", "lincoln"),
    "renames approve": ("1", "--by", "A"),
    "report": ("1",),
    "rerun": ("--district", "lincoln"),
    "show": ("1",),
    "trace": ("users", "user_id=1", "--district", "lincoln"),
    "undo": ("1", "--by", "A"),
}
ALL = [
    *(word for targets in _COMMANDS.values() for word in targets),
    *(f"{group} {name}" for group, found in _GROUPS.items() for name in found.commands),
]
NEED_HOME = sorted(set(ALL) - CREATING - WITHOUT_HOME)


def words(command: str, tmp_path: Path) -> list[str]:
    (tmp_path / "upload").mkdir(exist_ok=True)
    places = {"UPLOAD": str(tmp_path / "upload"), "PATH": str(tmp_path / "target")}
    given = []
    for word in WORDS.get(command, ()):
        for name, path in places.items():
            word = word.replace(name, path)  # noqa: PLW2901 - the word as it is called
        given.append(word)
    return [*command.split(), *given]


@pytest.mark.parametrize("command", NEED_HOME)
def test_a_command_that_needs_a_home_refuses_a_missing_one_and_creates_nothing(command: str, tmp_path: Path) -> None:
    home = tmp_path / "typo" / "deep"

    answer = call(*words(command, tmp_path), "--json", home=home)

    assert (answer.code, answer.document["error"]["code"]) == (2, "no_home"), answer.err
    assert "--home" in answer.err
    assert not (tmp_path / "typo").exists()


@pytest.mark.parametrize("command", NEED_HOME)
def test_an_empty_folder_is_an_empty_home(command: str, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)

    answer = call(*words(command, tmp_path), home=home)

    assert "Traceback" not in answer.err
    assert "--debug shows the way" not in answer.err
    assert answer.code == EMPTY_HOME.get(command, 2), (answer.out, answer.err)


@pytest.mark.parametrize(
    "given",
    [
        ("import", "UPLOAD", "--district", "lincoln"),
        ("import", "UPLOAD", "--district", "lincoln", "--format", "clever", "--option", "nosuch=1"),
        ("import", "UPLOAD", "--district", "lincoln", "--format", "nosuch"),
        ("import", "PATH", "--district", "lincoln", "--format", "clever"),
        ("districts", "add", "lincoln", "--format", "nosuch"),
    ],
)
def test_what_would_create_a_home_creates_none_if_its_words_are_wrong(given: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "upload").mkdir()
    places = {"UPLOAD": tmp_path / "upload", "PATH": tmp_path / "nothing"}

    answer = call(*(places.get(word, word) for word in given), home=tmp_path / "home")

    assert answer.code == 2, answer.err
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize("given", [("districts", "add", "lincoln", "--format", "clever"), ("migrate",)])
def test_a_command_that_writes_creates_a_missing_home(given: tuple[str, ...], tmp_path: Path) -> None:
    assert call(*given, home=tmp_path / "new" / "home").code == 0
    assert call("imports", home=tmp_path / "new" / "home").code == 0


def test_an_upload_is_checked_without_any_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ROSTER_ETL_HOME", raising=False)
    assert call("sample", "clever", "upload", "--students", "6").code == 0

    answer = call("check", "upload", "--format", "clever", "--json")

    assert (answer.code, answer.document["status"]) == (0, "publishable"), answer.err
    assert [path.name for path in tmp_path.iterdir()] == ["upload"]
    assert call("check", "upload", "--format", "clever", "--district", "lincoln").code == 2
