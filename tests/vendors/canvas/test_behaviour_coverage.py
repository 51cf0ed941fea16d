"""The table of cases is complete: every section of the behaviour that concerns rows and modes has its lines."""

from __future__ import annotations

from collections import Counter
from importlib import import_module
from pathlib import Path

import pytest

from tests.vendors.canvas.folding import Case

MODULES = sorted(path.stem for path in Path(__file__).parent.glob("test_behaviour_*.py") if path.stem != Path(__file__).stem)
SECTIONS = ("1", "2", "3", *(f"5.{n}" for n in range(1, 13)), "6.1", "6.2", "6.3", "6.4", "8.5")


def _cases() -> list[Case]:
    lines = [line for name in MODULES for line in import_module(f"tests.vendors.canvas.{name}").CASES]
    return [line if isinstance(line, Case) else line[0] for line in lines]


@pytest.mark.parametrize("section", SECTIONS)
def test_every_section_has_cases(section: str) -> None:
    assert any(line.section == section for line in _cases())


def test_no_two_cases_of_a_section_say_the_same() -> None:
    twice = [name for name, count in Counter((line.section, line.name) for line in _cases()).items() if count > 1]

    assert twice == []
