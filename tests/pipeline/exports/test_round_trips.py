"""Round trips: what an import makes of an export is the roster, except for what the losses name."""

from __future__ import annotations

import csv
from functools import partial
from pathlib import Path

import pytest

from roster_etl.store.warehouse import Warehouse
from roster_etl.vendors import discover_vendors
from roster_etl.vendors.export_formats import export_formats
from tests.cli.calling import call
from tests.exporting import FEEDS, current, district_of, export, make_district, unnamed_differences
from tests.sampling import every

pytestmark = [pytest.mark.sampled, pytest.mark.usefixtures("prepared_storage", "direct_imports")]

IMPORTED = [name for name, found in export_formats().items() if found.vendor in discover_vendors()]
SAME = [(feed, feed) for feed in FEEDS]
NEWEST = "oneroster 1.2"
"""The newest version of a format that is written in several; its own name means the default one."""
OTHERS = [(feed, name) for feed in FEEDS for name in (*IMPORTED, NEWEST) if feed != name.partition(" ")[0]]
VERSION = ("--option", "oneroster_version=1.2")
FULL = {"catapult_connect": ("--option", "schools=true", "--option", "attendance=true"), "oneroster": VERSION}


def on_both(sqlite, postgresql):
    """Return pairs with their database. What an export says is the same on both, so that PostgreSQL needs a part of the pairs."""
    pairs = [pytest.param(*pair, "sqlite") for pair in sqlite]
    return pairs + [pytest.param(*pair, "postgresql", marks=pytest.mark.pg) for pair in postgresql]


@pytest.fixture
def districts(saved, database, feed, tmp_path):
    """A home with a district that has the feed, and the URL of its warehouse."""
    url = saved.copy(f"district-{feed}", partial(make_district, feed), tmp_path, database)
    yield tmp_path / "home", url
    saved.drop(url)


def words_for(feed: str, name: str) -> tuple[str, ...]:
    """Return the options with which a feed can be said in a format that has one space of ids."""
    name, _, version = name.partition(" ")
    known = {option.name for option in export_formats()[name].options}
    kinded = ("--option", "user_ids=kinded") if "user_ids" in known and feed not in ("canvas", "mastery_connect") else ()
    return (*(FULL.get(name, ()) if feed == name else ()), *kinded, *(VERSION if version else ()))


def import_again(home: Path, name: str, folder: Path) -> None:
    """Import an export into a district that has nothing yet, as one upload for each set of files."""
    answer = call("import", folder, "--district", "again", "--format", name, home=home)
    assert answer.code == 0, answer.out + answer.err


@pytest.mark.parametrize(("feed", "name", "database"), on_both(SAME, every(len(SAME), SAME)), indirect=["database"])
def test_an_export_in_the_feeds_own_format_comes_back(districts, tmp_path, feed, name):
    home, url = districts
    document = export(home, feed, name, tmp_path / "out", *FULL.get(name, ()))
    import_again(home, name, tmp_path / "out")

    before, after = current(url, district_of(feed), feed), current(url, "again", name)

    assert unnamed_differences(before, after, document["losses"]) == []
    if feed != "mastery_connect":  # its document asks for a number of digits of every teacher
        assert {(loss["kind"], loss["table"]) for loss in document["losses"]} <= {
            ("row_left_out", "attendance"),
            ("table_left_out", "id_changes"),
        }


@pytest.mark.slow
@pytest.mark.parametrize(
    ("feed", "name", "database"), on_both(every(7, OTHERS), every(len(OTHERS), OTHERS)), indirect=["database"]
)
def test_whatever_differs_after_an_export_to_another_format_is_named(districts, tmp_path, feed, name):
    home, url = districts
    words, name = words_for(feed, name), name.partition(" ")[0]
    document = export(home, feed, name, tmp_path / "out", *words)
    if any(not file["rows"] for file in document["files"]):
        pytest.skip("a file that the format requires has its header only, which no import takes")
    import_again(home, name, tmp_path / "out")

    before, after = current(url, district_of(feed), feed), current(url, "again", name)

    assert unnamed_differences(before, after, document["losses"]) == []


KINDED = ("--option", "user_ids=kinded")
DELTAS = [
    pytest.param("clever", "oneroster", ("--option", "oneroster_version=1.1", *KINDED), "sqlite", id="oneroster-1.1"),
    pytest.param("clever", "oneroster", (*VERSION, *KINDED), "sqlite", id="oneroster-1.2"),
    pytest.param("canvas", "canvas", (), "postgresql", id="canvas", marks=pytest.mark.pg),
]


@pytest.mark.parametrize(("feed", "name", "words", "database"), DELTAS, indirect=["database"])
def test_whole_files_and_then_the_changes_are_imported_as_the_roster_of_now(districts, feed, tmp_path, name, words):
    home, url = districts
    since = _first_import(url, feed)
    for folder, more in (("then", ("--as-of", f"import:{since}")), ("changes", ("--since", since)), ("now", ())):
        export(home, feed, name, tmp_path / folder, *words, *more)

    for folder in ("then", "changes"):
        import_again(home, name, tmp_path / folder)
    answer = call("import", tmp_path / "now", "--district", "whole", "--format", name, home=home)

    assert answer.code == 0
    again, whole = current(url, "again", name), current(url, "whole", name)
    del again["id_changes"], whole["id_changes"]
    assert {name: _as_set(rows) for name, rows in again.items()} == {name: _as_set(rows) for name, rows in whole.items()}


@pytest.mark.parametrize(("feed", "database"), [("canvas", "sqlite")], indirect=["database"])
def test_a_delta_says_that_an_id_changed_where_the_format_can(districts, feed, tmp_path):
    home, url = districts
    since = _first_import(url, feed)
    changed = [row for row in current(url, district_of(feed), feed)["id_changes"] if row["entity"] == "users"]

    export(home, feed, "canvas", tmp_path / "changes", "--since", since)

    with (tmp_path / "changes" / "change_sis_id.csv").open() as file:
        said = list(csv.DictReader(file))
    assert {(row["old_id"], row["new_id"]) for row in said if row["type"] == "user"} == {
        (row["old_id"], row["new_id"]) for row in changed
    }
    assert changed
    with (tmp_path / "changes" / "users.csv").open() as file:
        written = {row["user_id"]: row["status"] for row in csv.DictReader(file)}
    assert not {row["old_id"] for row in changed} & set(written)


def _first_import(url: str, feed: str) -> int:
    with Warehouse(url) as warehouse, warehouse.read() as session:
        return min(row["import_id"] for row in session.ledger.imports(district_of(feed), feed, "published"))


def _as_set(rows: list[dict[str, object]]) -> set[str]:
    return {repr(sorted(row.items())) for row in rows}
