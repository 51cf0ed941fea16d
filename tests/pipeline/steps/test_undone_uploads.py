"""Over random uploads, a district with undone imports is as one that never had them: what each row does, and what is told of it."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from roster_etl.canonical.roster import TABLES
from roster_etl.pipeline.maintenance.purge import PurgeTarget, purge
from roster_etl.pipeline.maintenance.rebuild import rebuild_district
from roster_etl.pipeline.review.undo import plan_undo, publish_undo
from roster_etl.store.warehouse import Warehouse
from tests.dumps import dump
from tests.engine.changes.test_retries import WaitingRows
from tests.pipeline.steps.test_apply_changes import Roster
from tests.pipeline.steps.test_waiting_rows import decided, without_marks
from tests.sampling import every

pytestmark = pytest.mark.sampled
FEED = ("lincoln", "canvas")


@pytest.fixture
def districts(tmp_path: Path) -> Iterator[tuple[Roster, Roster]]:
    """The district with undone imports, and the one without."""
    made = Roster(tmp_path / "undone", tmp_path / "of undone"), Roster(tmp_path / "plain", tmp_path / "of plain")
    yield made
    for roster in made:
        roster.workspace.close()


def records(roster: Roster) -> dict[str, list[str]]:
    """Return all records, without numbers of versions and imports."""
    reader, found = roster.workspace.warehouse.roster, {}
    for name, table in TABLES.items():
        rows = reader.versions(name, reader.current_hashes(*FEED, name).column("version_id")).to_pylist()
        found[name] = sorted(repr([row[column] for column in (*table.names, "extensions")]) for row in rows)
    return found


def upload(roster: Roster, options: dict[str, str], files: dict[str, str]) -> tuple[Any, ...]:
    """Upload, approve what is held, and return what was done and told, without numbers of imports."""
    document = roster.upload(options, **files)
    decided(roster, document)
    told = [
        (f["severity"], f["code"], f["file"], f["row"], re.sub(r"import \d+", "import", f["message"]))
        for f in document["findings"]
    ]
    return document["status"], document["changes"], sorted(told, key=repr)


def undo(roster: Roster, import_id: int) -> int | None:
    """Undo an import; None: that changes nothing."""
    number = plan_undo(roster.workspace, import_id, "Pat")
    hold = roster.workspace.warehouse.ledger.hold(number)
    if hold:
        publish_undo(roster.workspace, number, hold["plan_sha256"], "Pat")
    return number if hold else None


def waiting(roster: Roster) -> list[str]:
    """Return the rows in quarantine, without numbers of imports."""
    rows = roster.workspace.warehouse.roster.open_quarantine(*FEED).to_pylist()
    return sorted(repr([row[column] for column in ("file", "row", "code", "record")]) for row in rows)


def published(roster: Roster) -> list[int]:
    return [row["import_id"] for row in roster.workspace.warehouse.roster.published_imports(*FEED)]


@pytest.mark.parametrize("seed", every(40, range(10, 50)))
def test_what_is_undone_leaves_nothing_and_what_is_undone_twice_leaves_all(seed: int, districts: tuple[Roster, Roster]) -> None:
    rows, choose, (undone, plain) = WaitingRows(seed), random.Random(seed), districts
    options = {name: str(value).lower() for name, value in rows.options().items() if not name.startswith("batch")}
    options |= {"delete_threshold_pct": "100"}

    def files() -> dict[str, str]:
        return {name: without_marks(text) for name, text in rows.upload(most=8).items()}

    for some in [files() for _ in range(3)]:
        assert upload(undone, options, some) == upload(plain, options, some)
    before, more = published(undone), [files() for _ in range(2)]
    for some in more:
        upload(undone, options, some)
    last: int | None = min(set(published(undone)) - {*before}, default=None)
    times = choose.choice((1, 2, 3))
    done = 0
    while last is not None and done < times:
        last = undo(undone, last)
        done += last is not None
    if done % 2 == 0:
        for some in more:
            upload(plain, options, some)
    assert (records(undone), waiting(undone)) == (records(plain), waiting(plain))
    for some in [files() for _ in range(3)]:
        assert upload(undone, options, some) == upload(plain, options, some)
        assert (records(undone), waiting(undone)) == (records(plain), waiting(plain))


@pytest.mark.parametrize("seed", every(10, range(10, 40, 3)))
def test_a_rebuild_gives_back_what_undone_imports_took_out(seed: int, districts: tuple[Roster, Roster], tmp_path: Path) -> None:
    rows, (roster, _) = WaitingRows(seed), districts
    options = {name: str(value).lower() for name, value in rows.options().items() if not name.startswith("batch")}
    options |= {"delete_threshold_pct": "100"}
    for _ in range(5):
        upload(roster, options, {name: without_marks(text) for name, text in rows.upload(most=8).items()})
    last: int | None = published(roster)[1]
    for _ in range(2):
        last = last and undo(roster, last)

    url = f"sqlite:///{tmp_path}/again.sqlite"
    rebuild_district(roster.workspace, "lincoln", url)

    before = dump(roster.workspace.warehouse, "lincoln")
    assert before["left_quarantine"]
    with Warehouse(url) as again:
        assert dump(again, "lincoln") == before


def test_after_a_purge_a_rebuild_knows_as_little_of_what_left_the_quarantine(
    districts: tuple[Roster, Roster], tmp_path: Path
) -> None:
    rows, (roster, _) = WaitingRows(10), districts
    options = {name: str(value).lower() for name, value in rows.options().items() if not name.startswith("batch")}
    for _ in range(4):
        upload(
            roster,
            options | {"delete_threshold_pct": "100"},
            {name: without_marks(text) for name, text in rows.upload(most=8).items()},
        )
    assert dump(roster.workspace.warehouse, "lincoln")["left_quarantine"]
    user = roster.workspace.warehouse.roster.current(*FEED, "users").to_pylist()[0]

    purge(roster.workspace, PurgeTarget(district_id="lincoln", person=(user["user_kind"], user["user_id"])), by="Pat")

    url = f"sqlite:///{tmp_path}/again.sqlite"
    rebuild_district(roster.workspace, "lincoln", url)
    before = dump(roster.workspace.warehouse, "lincoln")
    assert before["left_quarantine"] == []
    with Warehouse(url) as again:
        assert dump(again, "lincoln") == before
