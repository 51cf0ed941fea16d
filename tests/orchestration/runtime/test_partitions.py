"""The partition sets: all districts, and those with a feed of a format, as the registry has them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import dagster as dg
import pytest

from roster_etl.orchestration.jobs.in_process_runs import home_instance
from roster_etl.orchestration.runtime.partitions import NAME, add_partitions, feed_set_name, read_partitions, sync_partitions
from roster_etl.spec.errors import BadDistrictId
from roster_etl.store.registry.registry import District, Feed, Scan

CLEVER, CANVAS = feed_set_name("clever"), feed_set_name("canvas")


def registry(problems: Sequence[str] = (), **feeds: str) -> Scan:
    """Return a registry of districts, each with feeds of the formats that are named."""
    districts = tuple(
        District(id=id_, feeds=tuple(Feed(format=format_) for format_ in formats.split())) for id_, formats in feeds.items()
    )
    return Scan(districts=districts, problems={f"{id_}.toml": "no TOML" for id_ in problems})


def sync(instance: dg.DagsterInstance, found: Scan) -> tuple[str, ...]:
    """Sync as a tick does."""
    return sync_partitions(instance, read_partitions(instance), found)


def sets(instance: dg.DagsterInstance) -> Mapping[str, set[str]]:
    """Return the sets that have a district."""
    return {name: keys for name, keys in read_partitions(instance).items() if keys}


def test_a_format_has_the_districts_with_a_feed_of_it(instance: dg.DagsterInstance) -> None:
    assert sync(instance, registry(lincoln="clever canvas", monroe="clever")) == ("lincoln", "monroe")
    assert sync(instance, registry(lincoln="clever canvas", monroe="clever", adams="")) == ("adams",)

    assert sets(instance) == {NAME: {"lincoln", "monroe", "adams"}, CLEVER: {"lincoln", "monroe"}, CANVAS: {"lincoln"}}


def test_a_home_of_an_earlier_version_gets_the_sets_of_its_feeds(instance: dg.DagsterInstance) -> None:
    instance.add_dynamic_partitions(NAME, ["lincoln"])

    assert sync(instance, registry(lincoln="clever")) == ()
    assert sets(instance) == {NAME: {"lincoln"}, CLEVER: {"lincoln"}}


def test_a_feed_that_left_the_registry_leaves_its_set_and_a_district_stays_in_that_of_all(instance: dg.DagsterInstance) -> None:
    sync(instance, registry(lincoln="clever canvas", monroe="clever"))
    sync(instance, registry(lincoln="canvas"))

    assert sets(instance) == {NAME: {"lincoln", "monroe"}, CANVAS: {"lincoln"}}


def test_a_district_whose_file_cannot_be_read_keeps_its_partitions(instance: dg.DagsterInstance) -> None:
    sync(instance, registry(lincoln="clever", monroe="clever"))
    sync(instance, registry(problems=["monroe"], lincoln="clever"))

    assert sets(instance) == {NAME: {"lincoln", "monroe"}, CLEVER: {"lincoln", "monroe"}}


def test_a_feed_that_was_added_after_the_sets_were_read_stays(instance: dg.DagsterInstance) -> None:
    before = read_partitions(instance)
    found = registry(lincoln="clever")
    add_partitions(instance, "monroe", "clever")
    sync_partitions(instance, before, found)

    assert sets(instance) == {NAME: {"lincoln", "monroe"}, CLEVER: {"lincoln", "monroe"}}


def test_a_home_reads_the_sets_as_dagster_does(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    with home_instance(tmp_path) as home:
        for one in (home, instance):
            sync(one, registry(lincoln="clever canvas", monroe="clever"))
            one.add_dynamic_partitions("others", ["lincoln"])

        assert read_partitions(home) == read_partitions(instance)


def test_an_import_adds_its_own_and_does_not_read_those_of_all_districts(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("all partitions are read")

    with monkeypatch.context() as watched:
        watched.setattr(dg.DagsterInstance, "get_dynamic_partitions", refuse)
        for _ in range(2):
            add_partitions(instance, "lincoln", "clever")

    assert sets(instance) == {NAME: {"lincoln"}, CLEVER: {"lincoln"}}


@pytest.mark.parametrize("key", ["../../evil", "..", "a/b", "", "A", "a" * 65, "ä"])
def test_a_key_that_could_leave_its_folder_is_never_added(instance: dg.DagsterInstance, key: str) -> None:
    with pytest.raises(BadDistrictId):
        sync(instance, registry(lincoln="clever", **{key: "clever"}))
    with pytest.raises(BadDistrictId):
        add_partitions(instance, key, "clever")

    assert sets(instance) == {}
