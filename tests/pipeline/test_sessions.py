"""How many connections an import opens, counted where the driver opens them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import adbc_driver_manager.dbapi as adbc
import pytest
import sqlalchemy as sa
from sqlalchemy.pool import Pool

from roster_etl.pipeline.import_upload import import_upload
from roster_etl.pipeline.uploads.order import Order
from roster_etl.pipeline.workspace import Workspace
from roster_etl.projections.samples import write_sample
from roster_etl.store.registry.district import District, Feed
from roster_etl.vendors import discover_vendors, vendor

MOST_PUBLISHED, MOST_UNCHANGED = 12, 8


class Connections:
    """Counts the connections to a warehouse that are taken, and how many are in use at one time."""

    def __init__(self) -> None:
        self.opened = self.in_use = self.most_in_use = 0

    def taken(self, connection: object, *_: object) -> None:
        """Count a connection."""
        if isinstance(connection, adbc.Connection):
            self.opened += 1
            self.in_use += 1
            self.most_in_use = max(self.most_in_use, self.in_use)

    def returned(self, connection: object, *_: object) -> None:
        """Count a connection that is given back."""
        self.in_use -= isinstance(connection, adbc.Connection)


@pytest.fixture
def connections() -> Iterator[Connections]:
    """Count from here on."""
    counted = Connections()
    sa.event.listen(Pool, "checkout", counted.taken)
    sa.event.listen(Pool, "checkin", counted.returned)
    yield counted
    sa.event.remove(Pool, "checkout", counted.taken)
    sa.event.remove(Pool, "checkin", counted.returned)


@pytest.mark.parametrize("source", sorted(discover_vendors()))
def test_an_import_opens_few_connections_and_one_at_a_time(source: str, tmp_path: Path, connections: Connections) -> None:
    workspace = Workspace.open(tmp_path / "home")
    workspace.registry.add(District(id="lincoln", feeds=(Feed(format=source),)))
    workspace.warehouse.migrate()
    write_sample(vendor(source), tmp_path / "upload", students=10, seed=1)
    order = Order(district_id="lincoln", source=source, path=str(tmp_path / "upload"), file_set=_first_set(source))

    opened, status = _count(workspace, order, connections)
    assert (status, opened <= MOST_PUBLISHED) == ("published", True), opened

    opened, status = _count(workspace, order, connections)
    assert (status, opened <= MOST_UNCHANGED) == ("unchanged", True), opened
    assert (connections.most_in_use, connections.in_use) == (1, 0)


def _first_set(source: str) -> str:
    return vendor(source).format.file_sets[0].name


def _count(workspace: Workspace, order: Order, connections: Connections) -> tuple[int, str]:
    before = connections.opened
    import_id = import_upload(workspace, order)
    opened = connections.opened - before
    with workspace.warehouse.read() as session:
        return opened, str(session.ledger.import_(import_id)["status"])
