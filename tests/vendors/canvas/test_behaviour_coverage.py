"""The table of cases is complete: every rule of the behaviour has its case or test, or is told in the README as skipped."""

from __future__ import annotations

from collections import Counter
from importlib import import_module
from pathlib import Path

import pytest

from roster_etl.vendors import vendor
from tests.vendors.canvas.folding import Case
from tests.vendors.canvas.rules import RULES, Rule

MODULES = sorted(path.stem for path in Path(__file__).parent.glob("test_behaviour_*.py") if path.stem != Path(__file__).stem)
SECTIONS = (
    *(str(n) for n in range(1, 5)),
    *(f"5.{n}" for n in range(1, 14)),
    *(f"6.{n}" for n in range(1, 6)),
    "7",
    *(f"8.{n}" for n in range(1, 10)),
)
TESTS = Path(__file__).parents[2]


def _cases() -> list[Case]:
    lines = [line for name in MODULES for line in import_module(f"tests.vendors.canvas.{name}").CASES]
    return [line if isinstance(line, Case) else line[0] for line in lines]


NAMES = {line.name for line in _cases()}


def _is_test(name: str) -> bool:
    """Return whether `name`, a module and a function, is a test; modules without a folder are those here."""
    module, _, function = name.rpartition(".")
    folder = TESTS if "." in module else Path(__file__).parent
    path = folder.joinpath(*module.split(".")).with_suffix(".py")
    return path.exists() and f"\ndef {function}(" in path.read_text("utf-8")


def test_every_section_has_rules_and_every_rule_one_section() -> None:
    assert {rule.section for rule in RULES} == set(SECTIONS)


@pytest.mark.parametrize(
    "rule", [rule for rule in RULES if rule.how != "skipped"], ids=lambda rule: f"{rule.section} {rule.text}"
)
def test_every_rule_is_shown_by_a_case_or_a_test(rule: Rule) -> None:
    assert rule.shown_by
    assert [name for name in rule.shown_by if name not in NAMES and not _is_test(name)] == []


def test_what_is_skipped_is_told_with_the_reason() -> None:
    told = " ".join((vendor("canvas").folder() / "README.md").read_text("utf-8").split())

    assert [rule.text for rule in RULES if rule.how == "skipped" and rule.text not in told] == []


def test_every_section_stands_in_the_readme() -> None:
    table = [line for line in (vendor("canvas").folder() / "README.md").read_text("utf-8").splitlines() if line.startswith("| ")]

    assert [section for section in SECTIONS if not any(line.startswith(f"| {section} ") for line in table)] == []


def test_no_two_cases_of_a_section_say_the_same() -> None:
    twice = [name for name, count in Counter((line.section, line.name) for line in _cases()).items() if count > 1]

    assert twice == []
