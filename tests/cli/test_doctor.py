"""``doctor``: what is wrong, and what is not."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from roster_etl.cli.app import READING_COMMANDS, root_command
from roster_etl.cli.doctor import HealthCheck, deduplicate
from tests.cli.calling import Answer, call


def found(answer: Answer, what: str) -> tuple[bool, str]:
    """Return whether the thing `what` is in order, and what was found."""
    thing = next(thing for thing in answer.document if thing["what"] == what)
    return thing["ok"], thing["found"]


@pytest.fixture
def shared(told: Path, tmp_path: Path) -> Path:
    """A home that is a folder of a checkout: others can look into it, not into what holds personal data."""
    home = shutil.copytree(told, tmp_path / "home")
    home.chmod(0o755)
    return home


def test_a_home_may_be_seen_where_what_it_holds_may_not(shared: Path) -> None:
    answer = call("doctor", "--json", home=shared)

    assert found(answer, "home") == (True, "only its owner can look into what holds personal data")
    assert answer.code == 0


@pytest.mark.parametrize("name", ["warehouse.sqlite", "archive", "staging", "reports", "history"])
def test_personal_data_that_others_can_read_is_wrong(name: str, shared: Path) -> None:
    (shared / name).chmod(0o755)

    answer = call("doctor", "--json", home=shared)

    ok, text = found(answer, "home")
    assert (answer.code, ok) == (1, False)
    assert str(shared / name) in text
    assert "chmod" in text


@pytest.mark.parametrize(("share", "fine"), [("60", True), ("600", False)])
def test_a_threshold_of_next_summer_is_looked_at_now(share: str, fine: bool, tmp_path: Path) -> None:
    call("districts", "add", "lincoln", "--format", "clever", home=tmp_path)
    window = f"[[calendar]]\nfrom = 2999-08-01\nto = 2999-08-02\nreason = 'r'\noptions = {{ delete_threshold_pct = '{share}' }}\n"
    with (tmp_path / "districts" / "lincoln.toml").open("a", encoding="utf-8") as file:
        file.write(window)

    ok, text = found(call("doctor", "--district", "lincoln", "--json", home=tmp_path), "lincoln/clever options")

    assert ok is fine
    assert fine or "delete_threshold_pct" in text


def test_what_is_wrong_with_several_things_is_told_once() -> None:
    same = "warehouse: its schema is empty, this version needs 1; run `roster-etl migrate`"
    results = [
        HealthCheck(what="home", ok=True, found="private"),
        HealthCheck(what="warehouse", ok=False, found=same),
        HealthCheck(what="imports", ok=False, found=same),
        HealthCheck(what="disk", ok=False, found="full"),
        HealthCheck(what="holds", ok=False, found=same),
    ]

    assert [(result.what, result.found) for result in deduplicate(results)] == [
        ("home", "private"),
        ("warehouse", "its schema is empty, this version needs 1; run `roster-etl migrate`"),
        ("imports", "cannot be checked: see warehouse"),
        ("disk", "full"),
        ("holds", "cannot be checked: see warehouse"),
    ]


def test_a_home_that_others_may_change_is_wrong_and_refused_by_what_writes(shared: Path, uploads: Path) -> None:
    (shared / "districts").chmod(0o777)
    before = call("imports", "--json", home=shared).document

    health = call("doctor", "--json", home=shared)
    answers = [
        call("import", uploads / "a", "--district", "lincoln", "--format", "clever", "--json", home=shared),
        call("districts", "pause", "lincoln", "--json", home=shared),
        call("sweep", "--json", home=shared),
    ]

    assert found(health, "integrity") == (
        False,
        f"other users may change {shared / 'districts'}; run `chmod go-w {shared / 'districts'}`",
    )
    assert [(answer.code, answer.document["error"]["code"]) for answer in answers] == [(1, "unsafe_home")] * 3
    assert call("imports", "--json", home=shared).document == before


def test_every_command_says_whether_it_reads() -> None:
    names = {name for name, command in root_command().commands.items() if not hasattr(command, "commands")}
    inner = {name for command in root_command().commands.values() for name in getattr(command, "commands", ())}
    writing = (
        "add approve backfill backup check clear contacts data-docs discard expect export import init link migrate open outcomes pause purge rebuild reconcile remove report "
        "rerun restore resume rotate send set sign sweep undo unlink write"
    )

    assert (names | inner) - READING_COMMANDS == set(writing.split())
