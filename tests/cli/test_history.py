"""``imports``: what a line of the list says."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from roster_etl.cli.history import _table_row

ROW: dict[str, Any] = {
    "import_id": 7, "district_id": "lincoln", "source": "clever", "file_set": "", "summary": {},
    "started_at": datetime(2026, 9, 1, 6, 0, tzinfo=UTC),
}  # fmt: skip


def test_what_is_running_has_not_finished_and_says_since_when() -> None:
    running = _table_row({**ROW, "status": "running", "finished_at": None}, set())
    failed = _table_row({**ROW, "status": "failed", "finished_at": datetime(2026, 9, 1, 6, 5, tzinfo=UTC)}, set())

    assert (running[1], running[4]) == ("", "running since 2026-09-01 06:00:00")
    assert (failed[1], failed[4]) == ("2026-09-01 06:05:00", "failed")
