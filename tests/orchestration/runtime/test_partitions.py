"""One partition a district, added from the registry."""

from __future__ import annotations

import dagster as dg
import pytest

from roster_etl.orchestration.runtime.partitions import sync_partitions
from roster_etl.spec.errors import BadDistrictId


def test_new_districts_are_added_once(instance: dg.DagsterInstance):
    assert sync_partitions(instance, ["monroe", "lincoln"]) == ("lincoln", "monroe")
    assert sync_partitions(instance, ["monroe", "adams"]) == ("adams",)
    assert set(instance.get_dynamic_partitions("districts")) == {"adams", "lincoln", "monroe"}


def test_a_district_that_left_the_registry_keeps_its_partition(instance: dg.DagsterInstance):
    sync_partitions(instance, ["lincoln"])
    sync_partitions(instance, [])

    assert instance.get_dynamic_partitions("districts") == ["lincoln"]


@pytest.mark.parametrize("key", ["../../evil", "..", "a/b", "", "A", "a" * 65, "ä"])
def test_a_key_that_could_leave_its_folder_is_never_added(instance: dg.DagsterInstance, key: str):
    with pytest.raises(BadDistrictId):
        sync_partitions(instance, ["lincoln", key])

    assert instance.get_dynamic_partitions("districts") == []
