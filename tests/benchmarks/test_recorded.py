"""Ratios of a benchmark against the recorded ones."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from benchmarks.recorded import compare, read_ratios, verdict_text, write_ratios
from benchmarks.run import Run, ratios

SETUP = {"students": 10_000, "dirty": 0.003, "churn": 0.01}
RECORD = Path(__file__).parents[2] / "benchmarks" / "recorded.json"


@pytest.mark.parametrize(("found", "worse"), [(1.0, False), (2.0, False), (2.3, False), (2.31, True), (math.nan, True)])
def test_a_ratio_fails_from_more_than_the_margin_above_the_recorded_one(found, worse):
    (verdict,) = compare({"first / H": found}, {"first / H": 2.0})

    assert verdict.worse is worse
    assert ("WORSE" in verdict_text(verdict)) is worse


def test_a_ratio_that_is_only_recorded_or_only_measured_fails():
    verdicts = compare({"new": 1.0}, {"old": 1.0})

    assert [(verdict.name, verdict.worse) for verdict in verdicts] == [("old", True), ("new", True)]
    assert ["not measured" in verdict_text(verdicts[0]), "not recorded" in verdict_text(verdicts[1])] == [True, True]


def test_a_record_is_read_as_it_was_written(tmp_path):
    write_ratios(tmp_path / "recorded.json", SETUP, {"first / H": 2.346, "churn / H": 1.5})

    assert read_ratios(tmp_path / "recorded.json", SETUP) == {"first / H": 2.35, "churn / H": 1.5}


def test_a_record_of_other_uploads_is_not_compared(tmp_path):
    write_ratios(tmp_path / "recorded.json", SETUP, {})

    with pytest.raises(ValueError, match="recorded with"):
        read_ratios(tmp_path / "recorded.json", {**SETUP, "dirty": 0.05})


def test_the_record_has_every_ratio_that_is_measured():
    run = Run(wall=1.0, cpu=1.0, peak=1)
    measured = {
        program: dict.fromkeys(("first", "churn", "unchanged"), run) for program in ("reference", "import", "clean", "warm")
    }

    assert set(json.loads(RECORD.read_text("utf-8"))["ratios"]) == set(ratios(measured))
