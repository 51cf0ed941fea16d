"""Districts to export from, and the comparison of a roster with what comes back of its export.

Belongs here: what tests of more than one package need to export, import again and compare.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from roster_etl.canonical.roster import TABLES
from roster_etl.projections.samples import write_next_day, write_sample
from roster_etl.store.warehouse import Warehouse
from roster_etl.vendors import vendor
from tests.cli.calling import call

FEEDS = ("canvas", "catapult_connect", "clever", "dyknow", "mastery_connect", "oneroster")
STUDENTS = 24
_ROW_KINDS = ("table_left_out", "row_left_out", "rows_joined")

Rows = list[dict[str, Any]]


def make_home(folder: Path, url: str, *uploads: Path) -> None:
    """Make a home where `uploads` of the district ``lincoln`` were imported, in the format Clever."""
    home = folder / "home"
    home.mkdir()
    (home / "roster_etl.toml").write_text(f'[warehouse]\nurl = "{url}"\n')
    for upload in uploads:
        assert call("import", upload, "--district", "lincoln", "--format", "clever", home=home).code == 0


def make_district(feed: str, folder: Path, url: str) -> None:
    """Make a home with a district that has one feed, two days of it; the second day's roster is the current one."""
    home = folder / "home"
    home.mkdir()
    (home / "roster_etl.toml").write_text(f'[warehouse]\nurl = "{url}"\n')
    if not url.startswith("sqlite"):
        assert call("migrate", home=home).code == 0
    number = FEEDS.index(feed)
    first, second = folder / f"{feed}-1", folder / f"{feed}-2"
    write_sample(vendor(feed), first, students=STUDENTS, seed=40 + number)
    write_next_day(vendor(feed), first, second, seed=50 + number)
    for upload in (first, second):
        answer = call("import", upload, "--district", district_of(feed), "--format", feed, home=home)
        assert answer.code == 0, answer.err


def district_of(feed: str) -> str:
    """Return the district that has a feed."""
    return f"d-{feed.replace('_', '-')}"


def export(home: Path, feed: str, format_name: str, to: Path, *more: object) -> dict[str, Any]:
    """Export a district's roster, and return the document."""
    answer = call("export", format_name, "--district", district_of(feed), "--to", to, "--json", *more, home=home)
    assert answer.code == 0, answer.out + answer.err
    document: dict[str, Any] = answer.document
    return document


def current(url: str, district: str, source: str) -> dict[str, Rows]:
    """Return the current rows of every table of a feed: business columns and extra ones."""
    from datetime import UTC, datetime

    with Warehouse(url) as warehouse, warehouse.read() as session:
        found = {}
        for name, spec in TABLES.items():
            table = session.roster.as_of(datetime.now(UTC), name, district, source)
            found[name] = table.select([*spec.names, "extensions"]).to_pylist()
        return found


def unnamed_differences(before: Mapping[str, Rows], after: Mapping[str, Rows], losses: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return what differs between two rosters and is not named in `losses`, in words."""
    return [line for name in TABLES for line in _unnamed(name, before[name], after[name], losses)]


def _unnamed(name: str, before: Rows, after: Rows, losses: Sequence[Mapping[str, Any]]) -> list[str]:
    ours = [loss for loss in losses if loss["table"] == name]
    lost = sum(loss["count"] for loss in ours if loss["kind"] in _ROW_KINDS)
    made = sum(loss["count"] for loss in ours if loss["kind"] == "value_made_up" and loss["column"] is None)
    split = any(loss["kind"] == "rows_split" for loss in ours)
    found = []
    if len(after) < len(before) - lost or (not split and len(after) != len(before) - lost + made):
        found.append(f"{name}: {len(before)} rows, {lost} named as lost, {made} as made up, {len(after)} came back")
    named = {loss["column"] for loss in ours}
    columns = [column for column in (*TABLES[name].names, "extensions") if column not in named]
    if not lost and not made and not split:
        return found + [
            f"{name}.{column}: other values" for column in columns if _values(before, column) != _values(after, column)
        ]
    return found + _differing_records(name, before, after, columns)


def _values(rows: Rows, column: str) -> Counter[str]:
    return Counter(repr(row[column]) for row in rows)


def _differing_records(name: str, before: Rows, after: Rows, columns: Sequence[str]) -> list[str]:
    key = TABLES[name].key
    there = {tuple(row[column] for column in key): row for row in after}
    pairs = [(row, there[found]) for row in before if (found := tuple(row[column] for column in key)) in there]
    return [f"{name}.{column}: other values" for column in columns if any(one[column] != other[column] for one, other in pairs)]
