"""Two feeds of one district for tests: uploads, imports, and reading what came of them."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

from roster_etl.pipeline.import_upload import import_upload
from roster_etl.pipeline.reconciliation.reconcile import PairResult, open_differences
from roster_etl.pipeline.uploads.order import Order
from roster_etl.pipeline.workspace import Workspace

PAIR = ("lincoln", "canvas", "clever")
Rows = list[dict[str, str]]


def students(clever: Path) -> Rows:
    rows = list(csv.DictReader((clever / "students.csv").read_text("utf-8").splitlines()))
    return list({row["Student_id"]: row for row in rows}.values())  # a row for each contact


def canvas_users(clever: Path, folder: Path, change: Callable[[Rows], Rows] = lambda rows: rows) -> Path:
    """Write the Canvas users of the students of a Clever upload; Canvas knows their numbers as IDs, and their addresses."""
    rows = [
        {
            "user_id": f"C{row['Student_number'] or row['Student_id']}",
            "login_id": f"{row['Student_id']}@lincoln.example",
            "first_name": row["First_name"],
            "last_name": row["Last_name"],
            "email": row["Student_email"] or f"{row['Student_id']}@lincoln.example",
            "status": "active",
        }
        for row in students(clever)
    ]
    return write(folder, change(rows))


def with_a_name(rows: Rows) -> Rows:
    """Give one user another name; that of all would be held."""
    return [{**row, "first_name": "Zoe"} if row is rows[0] else row for row in rows]


def write(folder: Path, rows: Rows) -> Path:
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    folder.mkdir(exist_ok=True)
    (folder / "users.csv").write_text(out.getvalue(), "utf-8")
    return folder


def run(workspace: Workspace, source: str, path: Path) -> int:
    return import_upload(workspace, Order(district_id="lincoln", source=source, path=str(path)))


def of(workspace: Workspace, result: PairResult, **wanted: Any) -> list[dict[str, Any]]:
    return [row for row in open_differences(workspace, [result]) if all(row[name] == value for name, value in wanted.items())]
