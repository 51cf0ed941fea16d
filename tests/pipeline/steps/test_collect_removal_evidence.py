"""What a missing column of a numbered family says of records: those that only it would bring are not proven gone, the others are."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

from roster_etl.pipeline.import_upload import import_upload
from roster_etl.pipeline.reporting.import_summary import outcome
from roster_etl.pipeline.uploads.order import Order
from roster_etl.pipeline.workspace import Workspace
from roster_etl.projections.samples import write_sample
from roster_etl.store.registry.registry import District, Feed
from roster_etl.vendors import vendor

Row = dict[str, str]


def rewrite(path: Path, change: Callable[[list[Row]], list[Row]]) -> list[Row]:
    with path.open(newline="", encoding="utf-8") as file:
        rows = change(list(csv.DictReader(file)))
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [*rows[0]])
        writer.writeheader()
        writer.writerows(rows)
    return rows


def teachers(workspace: Workspace, section: str) -> dict[str, bool]:
    """Return the current teachers of a section, and whether each is the primary one."""
    found = workspace.warehouse.roster.trace("enrollments", {"section_id": section, "role": "teacher"}, "lincoln", "clever")
    return {row["user_id"]: row["is_primary"] for row in found.to_pylist() if row["valid_to_import"] is None}


def test_without_the_columns_of_further_teachers_these_stay_and_the_first_ones_are_exchanged(tmp_path: Path) -> None:
    write_sample(vendor("clever"), tmp_path / "a", students=30, seed=5)
    people = [row["Teacher_id"] for row in rewrite(tmp_path / "a" / "teachers.csv", lambda rows: rows)]
    one, other, third = people[:3]
    families = [f"Teacher_{number}_id" for number in range(2, 11)]

    def with_second(rows: list[Row]) -> list[Row]:
        plain = [{name: cell for name, cell in row.items() if name not in families} for row in rows]
        return [row | {"Teacher_id": one, "Teacher_2_id": other if n < 2 else ""} for n, row in enumerate(plain)]

    sections = [row["Section_id"] for row in rewrite(tmp_path / "a" / "sections.csv", with_second)]
    workspace = Workspace.open(tmp_path / "home")
    workspace.registry.add(District(id="lincoln", feeds=(Feed(format="clever"),)))
    order = Order(district_id="lincoln", source="clever", path=str(tmp_path / "a"))
    assert outcome(workspace, import_upload(workspace, order))["status"] == "published"
    assert teachers(workspace, sections[0]) == {one: True, other: False}

    def without_family(rows: list[Row]) -> list[Row]:
        kept = [{name: cell for name, cell in row.items() if name != "Teacher_2_id"} for row in rows]
        return [row | {"Teacher_id": third if n == 0 else one} for n, row in enumerate(kept)]

    rewrite(tmp_path / "a" / "sections.csv", without_family)
    assert outcome(workspace, import_upload(workspace, order))["status"] == "published"

    assert teachers(workspace, sections[0]) == {third: True, other: False}
    assert teachers(workspace, sections[1]) == {one: True, other: False}
    workspace.close()
