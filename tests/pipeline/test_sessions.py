"""How many connections an import opens, and what it asks for twice; counted where the pool and the sessions are used."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from threading import get_ident
from typing import Any

import pyarrow as pa
import pytest
import sqlalchemy as sa

from roster_etl.canonical.history import history_table
from roster_etl.canonical.ledger import FINDINGS, IMPORTS, REJECTED_ROWS
from roster_etl.canonical.roster import TABLES
from roster_etl.frames import prefetch
from roster_etl.pipeline.import_upload import import_upload
from roster_etl.pipeline.steps import gate
from roster_etl.pipeline.uploads.order import Order
from roster_etl.pipeline.workspace import Workspace
from roster_etl.projections.samples import write_next_day, write_sample
from roster_etl.quality import Verdict
from roster_etl.store.registry.district import District, Feed
from roster_etl.store.warehouse.session import SqlRoster
from roster_etl.vendors import discover_vendors, vendor
from tests.connections import Connections, counted_connections, counted_queries
from tests.csv_files import rewrite

MOST_PUBLISHED, MOST_UNCHANGED = 12, 4
ASKED_TWICE = {
    "SqlRoster.current_hashes",  # of changes: they are applied to the roster before the gates, and compared with it after them
    "SqlRoster.versions",  # as above; only where no row has changed, so that no version is named
}


@pytest.mark.parametrize("source", sorted(discover_vendors()))
def test_an_import_opens_few_connections_one_at_a_time_and_asks_for_a_fact_once(
    source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = _workspace(tmp_path, source)
    _write_two_days(source, tmp_path)
    allowed = ASKED_TWICE if vendor(source).format.mode == "changes" else set()
    opened = {}
    with counted_connections() as connections:
        for name, day in (("first", "day1"), ("again", "day1"), ("next day", "day2")):
            before, made = connections.opened, connections.made
            with counted_queries(monkeypatch) as repeated:
                import_id = import_upload(workspace, _order(tmp_path / day, source))
            count = connections.opened - before
            assert connections.made - made == 1, day
            opened[name] = str(workspace.warehouse.ledger.import_(import_id)["status"]), count
            assert {query for query in repeated if query[0] not in allowed} == set(), day
            assert all(count == 1 for count in repeated.values()), day

    assert {name: status for name, (status, _) in opened.items()} == {
        "first": "published",
        "again": "unchanged",
        "next day": "published",
    }
    most = {"first": MOST_PUBLISHED, "again": MOST_UNCHANGED, "next day": MOST_PUBLISHED}
    assert {name: count for name, (_, count) in opened.items() if count > most[name]} == {}
    assert (connections.most_in_use, connections.in_use) == (1, 0)


@pytest.mark.pg
def test_an_import_into_postgresql_opens_as_few(postgres_url: str, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "roster_etl.toml").write_text(f'[warehouse]\nurl = "{postgres_url}"\n')
    workspace = _workspace(tmp_path, "clever")
    _write_two_days("clever", tmp_path)
    with counted_connections() as connections:
        first = _import(workspace, tmp_path / "day1", "clever", connections)
        again = _import(workspace, tmp_path / "day1", "clever", connections)
    workspace.close()

    assert (first[0], again[0]) == ("published", "unchanged")
    assert first[1] <= MOST_PUBLISHED
    assert again[1] <= MOST_UNCHANGED
    assert (connections.most_in_use, connections.in_use) == (1, 0)


def test_no_session_is_open_while_the_gates_are_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace = _workspace(tmp_path, "clever")
    _write_two_days("clever", tmp_path)
    asked, in_use = gate.evaluate_suites, []

    def watched(*args: Any, **kwargs: Any) -> Iterable[Verdict]:
        verdicts = list(asked(*args, **kwargs))
        in_use.append(connections.in_use)
        return verdicts

    monkeypatch.setattr(gate, "evaluate_suites", watched)
    with counted_connections() as connections:
        for day in ("day1", "day2"):
            _import(workspace, tmp_path / day, "clever", connections)

    assert in_use == [0, 0]


def _workspace(tmp_path: Path, source: str) -> Workspace:
    workspace = Workspace.open(tmp_path / "home")
    workspace.registry.add(District(id="lincoln", feeds=(Feed(format=source),)))
    workspace.warehouse.migrate()
    return workspace


def _write_two_days(source: str, tmp_path: Path) -> None:
    write_sample(vendor(source), tmp_path / "day1", students=24, seed=1)
    write_next_day(vendor(source), tmp_path / "day1", tmp_path / "day2", seed=2)


def _order(path: Path, source: str) -> Order:
    return Order(district_id="lincoln", source=source, path=str(path), file_set=vendor(source).format.file_sets[0].name)


def _import(workspace: Workspace, path: Path, source: str, connections: Connections) -> tuple[str, int]:
    """Import an upload. Returns its status, and how many connections that took."""
    before = connections.opened
    import_id = import_upload(workspace, _order(path, source))
    opened = connections.opened - before
    with workspace.warehouse.read() as session:
        return str(session.ledger.import_(import_id)["status"]), opened


@pytest.mark.both_databases
def test_tables_mapped_two_at_a_time_are_those_mapped_one_by_one_and_read_by_connections_of_their_own(
    warehouse_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A column is missing on the second day, and ids are: mapping reads the roster for the values that stay."""
    monkeypatch.setenv("ROSTER_ETL_WAREHOUSE", warehouse_url)
    workspace = _workspace(tmp_path, "clever")
    workspace.registry.add(District(id="madison", feeds=(Feed(format="clever"),)))
    _write_two_days("clever", tmp_path)
    rewrite(tmp_path / "day2" / "students.csv", lambda rows: [{**rows[0], "Student_id": ""}, *rows[1:]])
    _drop_column(tmp_path / "day2" / "students.csv", "Middle_name")
    _drop_column(tmp_path / "day2" / "sections.csv", "Period")
    read_in, versions = set(), SqlRoster.versions

    def noted(*args: Any) -> pa.Table:
        read_in.add(get_ident())
        return versions(*args)

    monkeypatch.setattr(SqlRoster, "versions", noted)
    for day in ("day1", "day2"):
        monkeypatch.setattr(prefetch, "_WORTH_THREADS", 0)
        with counted_connections() as connections:
            assert _import(workspace, tmp_path / day, "clever", connections)[0] == "published"
        assert connections.in_use == 0
        monkeypatch.setattr(prefetch, "_WORTH_THREADS", 1 << 20)
        import_upload(workspace, replace(_order(tmp_path / day, "clever"), district_id="madison"))

    assert len(read_in) > 1
    assert _said(workspace, "lincoln") == _said(workspace, "madison")
    workspace.close()


def _drop_column(file: Path, column: str) -> None:
    rows = list(csv.reader(file.read_text("utf-8").splitlines()))
    place = rows[0].index(column)
    with file.open("w", newline="", encoding="utf-8") as out:
        csv.writer(out).writerows([*row[:place], *row[place + 1 :]] for row in rows)


def _said(workspace: Workspace, district: str) -> dict[str, list[tuple[Any, ...]]]:
    """Return the versions of a district's roster, its findings and its rejected rows; imports by their place in the district's history."""
    version = ("row_hash", "source_file", "source_row", "derived", "close_reason")
    with workspace.warehouse.reading() as connection:
        numbers = sa.select(IMPORTS.c.import_id).where(IMPORTS.c.district_id == district).order_by(IMPORTS.c.import_id)
        place = {number: place for place, number in enumerate(connection.execute(numbers).scalars())} | {None: -1}

        def read(table: sa.Table, columns: tuple[str, ...], imports: tuple[str, ...]) -> list[tuple[Any, ...]]:
            wanted = sa.select(*(table.c[name] for name in (*imports, *columns))).where(table.c[imports[0]].in_(place))
            rows = connection.execute(wanted).all()
            return sorted((*map(place.get, row[: len(imports)]), *map(str, row[len(imports) :])) for row in rows)

        said = {name: read(history_table(name), version, ("valid_from_import", "valid_to_import")) for name in TABLES}
        said["findings"] = read(FINDINGS, ("code", "file", "row", "field", "count"), ("import_id",))
        return said | {"rejected": read(REJECTED_ROWS, ("code", "file", "row"), ("import_id",))}
