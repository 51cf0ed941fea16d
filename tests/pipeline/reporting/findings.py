"""Findings and documents of imports made by hand, for tests of what is said of them."""

from __future__ import annotations

from typing import Any


def finding(number: int, **columns: Any) -> dict[str, Any]:
    usual = {
        "severity": "reject",
        "code": "missing_required",
        "file": "students.csv",
        "row": number,
        "field": "Last_name",
        "key": "•••",
    }
    return {"id": number, **usual, "message": "It is empty.", "cause_id": None, "count": 1, **columns}


def document(**parts: Any) -> dict[str, Any]:
    usual = dict.fromkeys(("upload_id", "run_id", "received_at", "started_at", "finished_at", "hold", "error"))
    lists: dict[str, Any] = {"files": [], "changes": {}, "findings": [], "checks": [], "plan": {}}
    return {"import_id": 7, "district_id": "lincoln", "source": "clever", "status": "published", **usual, **lists, **parts}
