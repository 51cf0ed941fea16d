"""From an asset back to where its records came from, without a cell."""

from __future__ import annotations

from datetime import UTC, datetime

from roster_etl.orchestration.assets.lineage_metadata import Provenance
from roster_etl.pipeline.reporting.import_summary import read_import_summary
from roster_etl.pipeline.review.override import Target, set_override
from tests.orchestration.conftest import Home

CANARY = "Zanzibar-Quill"


def test_edits_in_force_are_counted_by_column_and_no_value_of_one_is_shown(published: Home):
    workspace = published.workspace
    for user in workspace.warehouse.roster.as_of(datetime.now(UTC), "users", "lincoln", "clever").to_pylist()[:2]:
        key = {"user_kind": user["user_kind"], "user_id": user["user_id"]}
        target = Target(district_id="lincoln", source="clever", table="users", key=key, field="preferred_first_name")
        number = set_override(workspace, target, CANARY, CANARY)
    first, last = (Provenance.read(workspace, read_import_summary(workspace, n)) for n in (1, number))

    assert first.table_metadata("users")["active_overrides"].value.splitlines()[2:] == [r"| users.preferred\_first\_name | 2 |"]
    assert first.import_metadata()["active_overrides"] == first.table_metadata("users")["active_overrides"]
    assert first.table_metadata("courses")["active_overrides"] == "none"
    assert {"upload", "source_files"}.isdisjoint(last.table_metadata("users"))  # an edit has none
    assert CANARY not in repr(
        [first.table_metadata("users"), first.import_metadata(), last.table_metadata("users"), last.import_metadata()]
    )


def test_an_import_names_its_files_its_place_in_the_archive_and_what_to_ask_next(published: Home):
    about = Provenance.read(published.workspace, read_import_summary(published.workspace, 1)).import_metadata()

    assert {"students.csv", "schools.csv", "enrollments.csv"} <= {
        line.split("[")[-1].split("]")[0] for line in about["source_files"].value.splitlines()
    }
    assert about["archive"].value.endswith("/archive/manifests/lincoln/1.json")
    assert "roster-etl changes --district lincoln --format clever --since 1\n" in about["cli_commands"].value
