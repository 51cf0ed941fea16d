"""Values that come from a row of another file: where that row is rejected, the roster keeps them."""

from __future__ import annotations

from pathlib import Path

import pytest

from roster_etl.pipeline.workspace import Workspace
from roster_etl.projections.samples import write_sample
from roster_etl.store.registry.district import District, Feed
from roster_etl.vendors import discover_vendors
from tests.pipeline.steps.test_described_records import imported

CONTRADICTION = "S1001,,,{birth},{sex},,,,,,,,,,,"
SPOILT = {
    "oneroster": {
        "demographics.csv": lambda rows: [
            *(row for row in rows if not row.startswith("S1001,")),
            CONTRADICTION.format(birth="2011-11-11", sex="male"),
            CONTRADICTION.format(birth="2010-10-10", sex="female"),
        ],
        "roles.csv": lambda rows: [row.replace(",student,", ",scholarship-x,", 1) if "S1002" in row else row for row in rows],
    },
    "mastery_connect": {"enrollments.csv": lambda rows: [row.replace("teacher", "lead-x", 1) for row in rows]},
}


@pytest.mark.parametrize("source", SPOILT)
def test_values_of_a_rejected_row_of_another_file_stay(source: str, tmp_path: Path) -> None:
    upload, workspace = tmp_path / "upload", Workspace.open(tmp_path / "home")
    workspace.registry.add(District(id="birch", feeds=(Feed(format=source),)))
    write_sample(discover_vendors()[source], upload, students=30, seed=7)
    assert imported(workspace, upload, source)["status"] == "published"

    for name, spoil in SPOILT[source].items():
        rows = (upload / name).read_text("utf-8").splitlines()
        assert spoil(rows) != rows
        (upload / name).write_text("".join(f"{row}\n" for row in spoil(rows)), "utf-8")
    document = imported(workspace, upload, source)

    assert any(f["severity"] == "reject" for f in document["findings"])
    assert {t: c for t, c in document["changes"].items() if c["created"] or c["updated"] or c["deleted"]} == {}
    workspace.warehouse.close()
