"""What the sensor remembers, in Dagster's own storage."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest

from roster_etl.orchestration.jobs.in_process_runs import home_instance
from roster_etl.orchestration.sensors.feed_state_store import InstanceFeedStateStore


def test_what_was_saved_is_loaded_by_another_process(tmp_path: Path):
    texts = {f"district-{number}/clever": str(number) for number in range(200)}
    with home_instance(tmp_path / "home") as instance:
        InstanceFeedStateStore(instance).save(texts)
    with home_instance(tmp_path / "home") as instance:
        assert InstanceFeedStateStore(instance).load() == texts


def test_a_memory_is_empty_at_first(instance: dg.DagsterInstance):
    assert InstanceFeedStateStore(instance).load() == {}


@pytest.mark.parametrize("loaded", [True, False])
def test_what_is_not_saved_again_is_forgotten(instance: dg.DagsterInstance, loaded: bool):
    InstanceFeedStateStore(instance).save({"a": "1", "b": "2"})
    memory = InstanceFeedStateStore(instance)
    if loaded:
        memory.load()
    memory.save({"b": "2"})

    assert InstanceFeedStateStore(instance).load() == {"b": "2"}


def test_what_did_not_change_is_not_written(instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch):
    texts = {f"district-{number}/clever": str(number) for number in range(200)}
    memory = InstanceFeedStateStore(instance)
    memory.save(texts)
    written: list[dict[str, str]] = []
    monkeypatch.setattr(instance.daemon_cursor_storage, "set_cursor_values", written.append)
    memory.save(texts)
    memory.save({**texts, "district-7/clever": "another"})

    assert [len(pairs) for pairs in written] == [1]
