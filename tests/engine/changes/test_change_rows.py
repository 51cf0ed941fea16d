"""Rows of several uploads about one record: which of them a newer row replaces."""

from __future__ import annotations

import pyarrow as pa

from roster_etl.engine.changes.change_rows import ChangeFile, drop_superseded
from roster_etl.frames.arrow import ROW


def _source(import_id: int | None, **rows: int) -> ChangeFile:
    """Return a file of users, each with its row, that an import rejected; None: that is uploaded now."""
    table = pa.table({"id": pa.array([*rows]), ROW: pa.array([*rows.values()], pa.int64())})
    return ChangeFile(kind="users", file="users.csv", rows=table, import_id=import_id)


def test_rows_of_each_earlier_import_are_superseded_by_their_own_records() -> None:
    waiting = [_source(3, dora=2, ann=4), _source(1, ann=7, bo=8, cy=9), _source(2)]
    left, gone = drop_superseded([*waiting, _source(None, bo=2, dora=3, new=4)], lambda rows: rows.column("id").combine_chunks())

    assert [(one.import_id, one.rows.column("id").to_pylist()) for one in left] == [
        (1, ["ann", "cy"]),
        (2, []),
        (3, ["ann"]),
        (None, ["bo", "dora", "new"]),
    ]
    assert gone == [(1, "users.csv", 8), (3, "users.csv", 2)]
