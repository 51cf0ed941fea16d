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


def test_many_districts_are_added_as_well(instance: dg.DagsterInstance):
    ids = tuple(f"d{number:02}" for number in range(30))
    sync_partitions(instance, ids[:5])

    assert sync_partitions(instance, ids) == ids[5:]
    assert sync_partitions(instance, ids) == ()


def test_an_import_does_not_read_the_partitions_of_all_districts(instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch):
    def refuse(*_: object) -> None:
        raise AssertionError("all partitions are read")

    monkeypatch.setattr(dg.DagsterInstance, "get_dynamic_partitions", refuse)

    assert [sync_partitions(instance, ["lincoln"]) for _ in range(2)] == [("lincoln",), ()]


def test_a_district_that_left_the_registry_keeps_its_partition(instance: dg.DagsterInstance):
    sync_partitions(instance, ["lincoln"])
    sync_partitions(instance, [])

    assert instance.get_dynamic_partitions("districts") == ["lincoln"]


@pytest.mark.parametrize("key", ["../../evil", "..", "a/b", "", "A", "a" * 65, "ä"])
def test_a_key_that_could_leave_its_folder_is_never_added(instance: dg.DagsterInstance, key: str):
    with pytest.raises(BadDistrictId):
        sync_partitions(instance, ["lincoln", key])

    assert instance.get_dynamic_partitions("districts") == []
