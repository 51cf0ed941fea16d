"""Compare measured ratios with the recorded ones: `make bench-check` fails where one has become worse.

Belongs here: reading and writing the record, and the verdict on each ratio. Does not belong here: measuring (`run.py`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

MARGIN = 0.15
"""How much worse than the recorded one a ratio may be: medians of three rounds differ by a tenth from run to run."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """A ratio as it was recorded and as it is now; None: it was not recorded, or not measured. ``worse``: the check fails."""

    name: str
    recorded: float | None
    found: float | None
    worse: bool


def compare(found: Mapping[str, float], recorded: Mapping[str, float], margin: float = MARGIN) -> list[Verdict]:
    """Return a verdict on each ratio of either. Smaller is better; one that is only recorded, or only measured, fails as well."""
    return [_verdict(name, recorded.get(name), found.get(name), margin) for name in dict.fromkeys([*recorded, *found])]


def _verdict(name: str, recorded: float | None, found: float | None, margin: float) -> Verdict:
    worse = recorded is None or found is None or not found <= recorded * (1 + margin)
    return Verdict(name=name, recorded=recorded, found=found, worse=worse)


def verdict_text(verdict: Verdict) -> str:
    """Return a verdict as a line of text."""
    if verdict.recorded is None or verdict.found is None:
        what = "not recorded: `make bench-record` does it" if verdict.recorded is None else "recorded, and not measured"
        return f"{verdict.name:42}{what}"
    change = verdict.found / verdict.recorded - 1
    return f"{verdict.name:42}{verdict.recorded:8.2f} now {verdict.found:.2f} ({change:+.0%}){'  WORSE' if verdict.worse else ''}"


def read_ratios(file: Path, setup: Mapping[str, float]) -> dict[str, float]:
    """Return the recorded ratios. Raises ValueError: they were measured on other uploads than `setup` says."""
    document = json.loads(file.read_text(encoding="utf-8"))
    if document["setup"] != dict(setup):
        raise ValueError(f"{file.name} was recorded with {document['setup']}, and this run has {dict(setup)}")
    return {str(name): float(ratio) for name, ratio in document["ratios"].items()}


def write_ratios(file: Path, setup: Mapping[str, float], ratios: Mapping[str, float]) -> None:
    """Record `ratios`, with the `setup` that they were measured with."""
    rounded = {name: round(ratio, 2) for name, ratio in ratios.items()}
    file.write_text(json.dumps({"setup": dict(setup), "ratios": rounded}, indent=1) + "\n", encoding="utf-8")
