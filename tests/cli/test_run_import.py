"""How many connections an import opens through the command line, with Dagster in the same process."""

from __future__ import annotations

from pathlib import Path

from roster_etl.pipeline.workspace import Workspace
from tests.cli.calling import call
from tests.connections import counted_connections

MOST_PUBLISHED, MOST_UNCHANGED = 12, 5
"""Connections to the warehouse that one call may open, its steps being Dagster's; the first of them compares sizes of files."""


def test_an_import_by_the_command_line_opens_few_connections(home: Path, uploads: Path):
    Workspace.open(home).warehouse.migrate()
    opened = []
    for day in ("a", "a", "b"):
        with counted_connections() as connections:
            answer = call("import", uploads / day, "--district", "lincoln", "--format", "clever", "--json", home=home)
        opened.append((answer.document["status"], connections.opened))
        assert (connections.most_in_use, connections.in_use) == (1, 0)

    assert [status for status, _ in opened] == ["published", "unchanged", "published"]
    most = (MOST_PUBLISHED, MOST_UNCHANGED, MOST_PUBLISHED)
    assert all(count <= bound for (_, count), bound in zip(opened, most, strict=True)), opened
