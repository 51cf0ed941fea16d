"""Nights on end with kills anywhere come to the same as nights without. `make soak` runs many of them, a check two."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from roster_etl.canonical.history import history_table
from roster_etl.store.warehouse import Warehouse
from tests.faults.forge import Forge
from tests.faults.soak import DISTRICTS, Looks, Night, Soak
from tests.pg import _database
from tests.rosters import change, published, user

pytestmark = [pytest.mark.faults]
NIGHTS = int(os.environ.get("SOAK_NIGHTS", "0"))  # the long form: make soak
SEED = int(os.environ.get("SOAK_SEED", "0"))


def told(soak: Soak, nights: int) -> list[Night]:
    """Live through nights, a line each."""
    lived = []
    for _ in range(nights):
        lived.append(soak.night())
        sys.stdout.write(f"{lived[-1]}\n")
        sys.stdout.flush()
    return lived


@pytest.fixture
def urls(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[tuple[str, str]]:
    """Two warehouses without any import."""
    if getattr(request, "param", "sqlite") == "sqlite":
        found = tuple(f"sqlite:///{tmp_path}/{name}/warehouse.sqlite" for name in ("soaked", "twin"))
        yield (found[0], found[1])
        return
    server, template = request.getfixturevalue("postgres_server"), request.getfixturevalue("postgres_template")
    with _database(server, template) as soaked, _database(server, template) as twin:
        yield (soaked, twin)


@pytest.mark.skipif(bool(NIGHTS), reason="the long form is run")
def test_two_nights_with_kills_come_to_the_same_as_without(tmp_path: Path, forge: Forge, urls: tuple[str, str]) -> None:
    soak = Soak(
        tmp_path,
        forge,
        urls,
        seed=13,
        districts=("lake", "elm"),
        points=("judge.done", "publish.commit", "manifest.write", "arrival.forget"),
    )
    try:
        nights = told(soak, 2)
    finally:
        soak.close()

    assert nights[1].kills
    assert nights[1].uploads


@pytest.mark.skipif(not NIGHTS, reason="many nights: make soak")
@pytest.mark.slow_after
@pytest.mark.pg
@pytest.mark.timeout(86_400)
@pytest.mark.parametrize("urls", ["sqlite", "postgresql"], indirect=True)
def test_many_nights_with_kills_come_to_the_same_as_without(tmp_path: Path, forge: Forge, urls: tuple[str, str]) -> None:
    seed = SEED or int.from_bytes(os.urandom(4), "big")
    sys.stdout.write(f"\n{NIGHTS} nights of {len(DISTRICTS)} districts on {urls[0].partition(':')[0]}, SEED={seed}\n")
    soak = Soak(tmp_path, forge, urls, seed=seed, districts=tuple(DISTRICTS), gates=True)
    try:
        told(soak, NIGHTS)
    finally:
        soak.close()


def test_a_state_that_no_import_left_would_be_noticed(tmp_path: Path) -> None:
    with Warehouse(f"sqlite:///{tmp_path}/w.sqlite") as warehouse:
        warehouse.migrate()
        published(warehouse, {"users": change("users", [user("1"), user("2")])})
        looks = Looks(warehouse)
        looks.look()
        assert looks.problems() == []
        table = history_table("users")
        for row_hash in ("0" * 16, "0" * 15 + "1"):  # wrong for a moment
            with warehouse._writing() as connection:
                connection.execute(sa.update(table).values(row_hash=row_hash))
            looks.look()

        assert looks.problems() == ["a half state of lincoln was visible after 1 imports"]
