"""What cannot be undone: counted by a dry run, asked for on a terminal, and refused elsewhere without ``--yes``."""

from __future__ import annotations

import os
import pty
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from roster_etl.pipeline.maintenance import backup
from tests.cli.calling import call

pytestmark = pytest.mark.usefixtures("direct_imports")

PURGE = ("purge", "--district", "lincoln", "--by", "A. Steward")


@pytest.fixture
def full(told: Path, tmp_path: Path) -> Path:
    """A home with two imports, to remove or to replace."""
    return shutil.copytree(told, tmp_path / "full")


def files_of(home: Path) -> set[str]:
    return {str(path.relative_to(home)) for path in home.rglob("*") if path.is_file() and path.suffix != ".sqlite-shm"}


def users(home: Path) -> int:
    return len(call("as-of", "now", "users", "--district", "lincoln", "--json", home=home).document)


def typed(home: Path, answer: str, *words: object) -> tuple[int, str]:
    """Run the words on a terminal, where `answer` is typed. Returns the exit code, and what the terminal showed."""
    terminal, inside = pty.openpty()
    argv = [sys.executable, "-m", "roster_etl.cli", *map(str, words), "--home", str(home)]
    process = subprocess.Popen(argv, stdin=inside, stderr=inside, stdout=subprocess.DEVNULL)
    os.close(inside)
    os.write(terminal, f"{answer}\n".encode())
    shown = b""
    while process.poll() is None or shown == b"":
        try:
            shown += os.read(terminal, 4096)
        except OSError:  # the other end is closed
            break
    return process.wait(timeout=60), shown.decode()


def test_a_purge_counts_first_and_changes_nothing_without_a_yes(full: Path) -> None:
    before = users(full)

    counted = call(*PURGE, "--dry-run", home=full)
    refused = call(*PURGE, home=full)

    assert (counted.code, refused.code) == (0, 2)
    assert "versions would be removed" in counted.out
    assert "--dry-run" in refused.err
    assert "--yes" in refused.err
    assert users(full) == before > 0
    assert not any(row["kind"] == "purge" for row in call("imports", "--json", home=full).document)


@pytest.mark.parametrize("what", [("--user", "student:ID"), ("--older-than", "0s")])
def test_the_dry_run_counts_what_is_removed(full: Path, what: tuple[str, str]) -> None:
    (student, *_) = [
        row
        for row in call("as-of", "now", "users", "--district", "lincoln", "--json", home=full).document
        if row["user_kind"] == "student"
    ]
    words = [word.replace("ID", student["user_id"]) for word in what]
    objects = files_of(full / "archive")

    counted = call(*PURGE, *words, "--dry-run", "--json", home=full).document

    assert files_of(full / "archive") == objects
    purged = call(*PURGE, *words, "--yes", "--json", home=full).document
    names = ("what", "versions", "records", "files", "holds")
    assert {name: counted[name] for name in names} == {name: purged[name] for name in names}
    assert purged["versions"]


def test_a_purge_asks_for_the_id_of_the_district_on_a_terminal(full: Path) -> None:
    code, shown = typed(full, "lincol", *PURGE)
    assert (code, users(full) > 0) == (2, True), shown
    assert "Type the district's id, lincoln" in shown

    code, shown = typed(full, "lincoln", *PURGE)
    assert (code, users(full)) == (0, 0), shown


def test_a_restore_into_a_home_that_holds_something_sets_that_aside_once_it_is_confirmed(full: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    assert call("backup", "--to", copy, home=full).code == 0
    call(*PURGE, "--yes", home=full)
    restore = ("restore", "--from", copy)
    before = files_of(full)

    counted = call(*restore, "--dry-run", "--json", home=full)
    refused = call(*restore, "--json", home=full)
    assert (counted.code, counted.document["newest"]) == (0, 2)
    assert counted.document["holds"]["files"] > 3
    assert (refused.code, refused.document["error"]["code"]) == (2, "not_empty")
    assert "--yes" in refused.err
    assert files_of(full) == before

    done = call(*restore, "--yes", "--json", home=full)
    assert (done.code, done.document["newest"]) == (0, 2), done.err
    assert users(full) > 0
    aside = Path(done.document["set_aside"])
    assert aside.parent == full.parent
    assert aside.stat().st_mode & 0o077 == 0
    assert users(aside) == 0


def test_a_restore_that_fails_leaves_the_home_as_it_was(full: Path, tmp_path: Path) -> None:
    assert call("backup", "--to", tmp_path / "copy", home=full).code == 0
    (tmp_path / "copy" / "warehouse.sqlite").write_bytes(b"")
    before = files_of(full)

    assert call("restore", "--from", tmp_path / "copy", "--yes", home=full).code == 1
    assert files_of(full) == before
    assert [path.name for path in tmp_path.iterdir() if "before-restore" in path.name] == []


def test_a_restore_that_breaks_off_moves_everything_back(full: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert call("backup", "--to", tmp_path / "copy", home=full).code == 0
    before = files_of(full)

    def breaks(*_: object) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr(backup, "_fail_running_imports", breaks)  # the last step: warehouse, registry and archive are written

    assert call("restore", "--from", tmp_path / "copy", "--yes", home=full).code == 1
    assert before <= files_of(full)
    assert users(full) > 0
    assert [path.name for path in tmp_path.iterdir() if "before-restore" in path.name] == []
