"""Count what a block does, for tests of costs that must not grow: statements, rows, files opened and listed.

Counts are the same on every machine, and a time is not.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from roster_etl.canonical.ledger import IMPORT_COUNTS, IMPORTS
from roster_etl.pipeline.workspace import Workspace
from roster_etl.store.warehouse import bulk_load, ledger_read

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


@dataclass
class Work:
    """What a block did. ``rows``: read from the database; ``opened``: files below the home; ``listed``: names in folders there."""

    statements: int = 0
    rows: int = 0
    opened: int = 0
    folders: list[str] = field(default_factory=list)
    listed: int = 0

    @property
    def counts(self) -> dict[str, int]:
        """The counts by name."""
        return {name: getattr(self, name) for name in ("statements", "rows", "opened", "listed")}


_counting: list[tuple[str, Work]] = []


def _note(event: str, args: tuple[Any, ...]) -> None:
    for home, work in _counting:
        if event in ("open", "os.listdir", "os.scandir") and str(args[0]).startswith(home):
            if event == "open":
                work.opened += 1
            else:
                work.folders.append(str(args[0]))


_hooked: list[bool] = []


@contextmanager
def counted(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Iterator[Work]:
    """Count what happens in the block."""
    if not _hooked:
        sys.addaudithook(_note)  # hooks cannot be removed
        _hooked.append(True)
    work = Work()

    def statement(*_: Any) -> None:
        work.statements += 1

    def counting(function: Any) -> Any:
        def counted_rows(*args: Any, **kwargs: Any) -> Any:
            found = function(*args, **kwargs)
            work.rows += len(found)
            return found

        return counted_rows

    with monkeypatch.context() as patch:
        patch.setattr(ledger_read, "read_rows", counting(ledger_read.read_rows))
        patch.setattr(bulk_load, "fetch", counting(bulk_load.fetch))
        sa.event.listen(sa.Engine, "before_cursor_execute", statement)
        _counting.append((str(workspace.home), work))
        try:
            yield work
        finally:
            _counting.pop()
            sa.event.remove(sa.Engine, "before_cursor_execute", statement)
    work.listed = sum(len(os.listdir(folder)) for folder in work.folders if os.path.isdir(folder))


def count_imports(connection: sa.Connection) -> None:
    """Count all imports anew: rows that were written as they are have not been counted."""
    feed = [IMPORTS.c[column.name] for column in IMPORT_COUNTS.primary_key]
    connection.execute(sa.delete(IMPORT_COUNTS))
    counted = sa.select(*feed, sa.func.count()).group_by(*feed)
    connection.execute(sa.insert(IMPORT_COUNTS).from_select([*IMPORT_COUNTS.c], counted))


def add_imports(workspace: Workspace, number: int, *, district: str = "lincoln", source: str = "clever") -> None:
    """Enter `number` imports that were published long ago, one a minute, with manifest and page."""
    workspace.warehouse.revision()
    with workspace.warehouse.write(directly=True) as session:
        first = 1 + (session._connection.execute(sa.select(sa.func.max(IMPORTS.c.import_id))).scalar() or 0)
        at = [LONG_AGO + timedelta(minutes=first + n) for n in range(number)]
        same = {"kind": "upload", "status": "published", "options": {}, "summary": {}, "file_set": "", "source": source}
        rows = [
            {**same, "import_id": first + n, "district_id": district, "started_at": at[n], "finished_at": at[n]}
            for n in range(number)
        ]
        session._connection.execute(sa.insert(IMPORTS), rows)
        count_imports(session._connection)
    manifests = workspace.home / "archive" / "manifests" / district
    pages = workspace.home / "reports" / district
    for folder in (manifests, pages):
        folder.mkdir(parents=True, exist_ok=True)
    for row in rows:
        (manifests / f"{row['import_id']}.json").write_text('{"status": "published", "members": [], "source": "clever"}')
        (pages / f"{row['import_id']}.html").write_text("<html>")
        os.utime(pages / f"{row['import_id']}.html", (row["started_at"].timestamp(),) * 2)
