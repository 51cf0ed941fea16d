"""Mappings that load: each value when it is asked for, and only then."""

from __future__ import annotations

import pytest

from roster_etl.pipeline.staging import LazyMapping


def test_a_value_is_loaded_each_time_it_is_asked_for_and_by_nothing_else():
    asked: list[str] = []

    def load(name: str) -> str:
        asked.append(name)
        return name.upper()

    loaded = LazyMapping(["users", "sections"], load)

    assert "users" in loaded
    assert "terms" not in loaded
    assert list(loaded) == ["users", "sections"]
    assert len(loaded) == 2
    assert asked == []
    assert [loaded["users"], loaded["users"]] == ["USERS", "USERS"]
    assert asked == ["users", "users"]
    with pytest.raises(KeyError):
        loaded["terms"]
