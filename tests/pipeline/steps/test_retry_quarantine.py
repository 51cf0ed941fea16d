"""Rows that wait in the quarantine are validated together, with the result that each import's rows have alone."""

from __future__ import annotations

import json
from random import Random
from types import SimpleNamespace
from typing import Any, cast

import pyarrow as pa
import pytest

from roster_etl.pipeline.steps import retry_quarantine
from roster_etl.pipeline.steps.retry_quarantine import quarantined_rows
from roster_etl.pipeline.uploads.upload import Upload
from roster_etl.store.warehouse.ledger_read import OPEN_QUARANTINE
from roster_etl.vendors import vendor

UPLOAD = cast("Upload", SimpleNamespace(format=vendor("canvas").format, replacements={}))
HEADERS = {
    "enrollments": ("course_id", "user_id", "role", "section_id", "status"),
    "users": ("user_id", "login_id", "first_name", "status"),
    "sections": ("section_id", "course_id", "name", "status"),
}
CELLS = ("", "a", "b", " c ", "x" * 300, "active", "bad\u0007", "nul\u0000")


def waiting(dice: Random, rows: int) -> list[dict[str, Any]]:
    lines = []
    for number in range(rows):
        kind = dice.choice(list(HEADERS))
        names = HEADERS[kind][:: dice.choice((1, 1, -1))]
        record = json.dumps({name: dice.choice(CELLS) for name in names})
        place = {"import_id": dice.randrange(1, 6), "file": dice.choice(("", "more/")) + f"{kind}.csv", "kind": kind}
        lines.append({**place, "row": number + 2, "record": record, "code": dice.choice(("bad_value", "duplicate_key"))})
    return sorted(lines, key=lambda line: (line["import_id"], line["file"], line["row"]))


def retried(lines: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    found = quarantined_rows(UPLOAD, pa.Table.from_pylist(lines, schema=OPEN_QUARANTINE))
    return [(file.import_id, file.file, file.kind, file.rows.to_pylist()) for file in found]


@pytest.mark.parametrize("seed", range(12))
def test_rows_of_many_imports_are_what_those_of_each_are_alone(seed: int) -> None:
    lines = waiting(Random(seed), 30)
    places = dict.fromkeys((line["import_id"], line["file"]) for line in lines)
    alone = [one for place in places for one in retried([line for line in lines if (line["import_id"], line["file"]) == place])]

    assert retried(lines) == alone


def test_what_validation_costs_does_not_grow_with_the_imports_that_rejected_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    real = retry_quarantine.validate_file
    monkeypatch.setattr(retry_quarantine, "validate_file", lambda *args, **named: (calls.append("x"), real(*args, **named))[1])
    record = json.dumps(dict.fromkeys(HEADERS["users"], "a"))
    line = {"file": "users.csv", "kind": "users", "row": 2, "record": record, "code": "bad_value"}
    found = retried([{**line, "import_id": number} for number in range(1, 101)])

    assert (len(calls), len(found)) == (1, 100)
