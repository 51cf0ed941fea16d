"""Sampled tests try a part of their cases, and all of them when they are told to."""

import pytest

from tests import sampling


@pytest.mark.parametrize(("everything", "taken"), [(False, [0, 3, 6]), (True, [0, 1, 2, 3, 4, 5, 6])])
def test_a_part_of_the_cases_is_taken_unless_all_are_asked_for(monkeypatch, everything, taken):
    monkeypatch.setattr(sampling, "ALL", everything)

    assert sampling.every(3, range(7)) == taken


@pytest.mark.parametrize(("everything", "taken"), [(False, ["canvas", "clever"]), (True, ["canvas", "clever", "dyknow"])])
def test_a_format_of_each_kind_is_taken_unless_all_are_asked_for(monkeypatch, everything, taken):
    monkeypatch.setattr(sampling, "ALL", everything)

    assert sampling.kinds(["canvas", "clever", "dyknow"]) == taken
