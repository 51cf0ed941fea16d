"""Links into the Dagster UI."""

from __future__ import annotations

from typing import Any

from roster_etl.pipeline.reporting.ui_links import import_links
from roster_etl.store.settings import UiSettings

UI = UiSettings(url="https://dagster.example.org/", code_location="district-data")


def document(**parts: Any) -> dict[str, Any]:
    return {"import_id": 7, "district_id": "lincoln", "run_id": "4f2a", "hold": None, **parts}


def test_a_held_import_leads_to_its_plan_and_the_forms_that_decide() -> None:
    links = import_links(UI, document(hold={"decision": None, "plan_sha256": "ab"}))

    assert links["run"] == "https://dagster.example.org/runs/4f2a"
    assert links["review"] == "https://dagster.example.org/assets/roster/plan?view=partitions&partition=lincoln"
    assert links["approve"].startswith("https://dagster.example.org/locations/district-data/jobs/approve_hold/playground/setup?")
    assert links["discard"].startswith("https://dagster.example.org/locations/district-data/jobs/discard_hold/playground/setup?")


def test_nothing_is_to_be_decided_of_other_imports() -> None:
    assert list(import_links(UI, document())) == ["run"]
    assert list(import_links(UI, document(hold={"decision": "approved", "plan_sha256": "ab"}))) == ["run"]
    assert import_links(UI, document(run_id=None)) == {}


def test_without_the_address_of_the_ui_there_are_no_links() -> None:
    assert import_links(UiSettings(), document()) == {}
