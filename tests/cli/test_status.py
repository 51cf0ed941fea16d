"""``status``: how every feed stands."""

from __future__ import annotations

from pathlib import Path

import pytest

from roster_etl.pipeline.workspace import Workspace
from roster_etl.store.registry.registry import District, Feed
from tests.cli.calling import call
from tests.ledgers import ended


@pytest.fixture
def home(tmp_path: Path) -> Path:
    workspace = Workspace.open(tmp_path / "home")
    for name in ("east", "lincoln"):
        workspace.registry.add(District(id=name, feeds=(Feed(format="clever"),)))
        ended(workspace, "published", district=name)
    workspace.close()
    return tmp_path / "home"


def test_feeds_that_need_nobody_are_listed_with_exit_code_0(home: Path) -> None:
    answer = call("status", home=home)

    assert answer.code == 0
    assert answer.out.startswith("None of 2 feeds needs a person. 2 published.")
    assert "lincoln/clever" in answer.out


@pytest.mark.parametrize(("status", "code"), [("held", 4), ("rejected", 3), ("failed", 1)])
def test_the_exit_code_is_that_of_what_needs_a_person(home: Path, status: str, code: int) -> None:
    ended(Workspace.open(home), status, district="lincoln")
    answer, one = call("status", "--json", home=home), call("status", "--district", "east", home=home)

    assert (answer.code, one.code) == (code, 0)
    assert answer.document["rows"][0]["needs"] == [status]
    assert answer.document["summary"].startswith(f"1 of 2 feeds needs a person: 1 {status}.")


def test_many_feeds_that_need_nobody_are_counted(home: Path) -> None:
    workspace = Workspace.open(home)
    for number in range(60):
        workspace.registry.add(District(id=f"d{number:02}", feeds=(Feed(format="clever"),)))
    some, every = call("status", home=home).out, call("status", "--all", home=home).out

    assert "and 22 more, none of which needs a person; --all shows them" in some
    assert len(every.splitlines()) == len(some.splitlines()) + 21


def test_an_unknown_district_is_a_usage_error(home: Path) -> None:
    assert call("status", "--district", "nowhere", home=home).code == 2
