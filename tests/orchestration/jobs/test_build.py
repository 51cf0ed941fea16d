"""What a run's own process puts together is what the code location has."""

from __future__ import annotations

import pytest

from roster_etl.orchestration.definitions import VENDORS, defs
from roster_etl.orchestration.jobs.build import decision_definitions, definitions_for, job_name
from roster_etl.orchestration.jobs.decision_jobs import decision_jobs

SETS = [(vendor.format.name, found.name) for vendor in VENDORS for found in vendor.format.file_sets]


@pytest.mark.parametrize(("format_name", "file_set"), SETS)
def test_one_formats_job_has_the_steps_assets_and_checks_of_the_whole_locations(format_name: str, file_set: str) -> None:
    name = job_name(format_name, file_set)
    own, whole = definitions_for(format_name).resolve_job_def(name), defs.resolve_job_def(name)
    assert {node.name for node in own.nodes} == {node.name for node in whole.nodes}
    assert own.asset_layer.selected_asset_keys == whole.asset_layer.selected_asset_keys
    assert set(own.asset_layer.asset_graph.asset_check_keys) == set(whole.asset_layer.asset_graph.asset_check_keys)
    assert own.run_tags == whole.run_tags


def test_decisions_need_no_format() -> None:
    names = {job.name for job in decision_jobs()}
    assert {name for name in names if decision_definitions().resolve_job_def(name).nodes} == names
