"""Regular expressions cannot be made to take for ever by what they are given.

Arrow's are RE2, linear by construction. Of Python's own, every one in the source is taken apart here: a repetition without a bound inside
another one is what takes exponential time, unless the inner or the outer one never gives back what it took.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from re import _parser  # type: ignore[attr-defined] # what `re` itself takes patterns apart with

import pytest

from tests.parsing import parsed

ROOT = Path(__file__).resolve().parent.parent
CALLS = {"compile", "match", "fullmatch", "search", "sub", "subn", "split", "findall", "finditer"}
GREEDY = {"MAX_REPEAT", "MIN_REPEAT"}


def patterns() -> Iterator[tuple[str, ast.expr]]:
    """Yield the place and the pattern of every call of `re` in the source."""
    for path in sorted((ROOT / "roster_etl").rglob("*.py")):
        for node in ast.walk(parsed(path)):
            called = node.func if isinstance(node, ast.Call) else None
            if isinstance(called, ast.Attribute) and ast.unparse(called.value) == "re" and called.attr in CALLS:
                yield f"{path.relative_to(ROOT)}:{node.lineno}", node.args[0]


def literal(node: ast.expr) -> str:
    """Return the text of a pattern; what is put into it at run time (names, always escaped) stands as one letter."""
    if isinstance(node, ast.Constant):
        return node.value.decode("latin-1") if isinstance(node.value, bytes) else str(node.value)
    if isinstance(node, ast.BinOp):
        return literal(node.left) + literal(node.right)
    if isinstance(node, ast.JoinedStr):
        return "".join(literal(part) for part in node.values)
    return "x"


def nested(pattern: object, *, inside: bool = False) -> bool:
    """Return whether a repetition without a bound stands in another one."""
    found = False
    for kind, argument in pattern:  # type: ignore[attr-defined]
        repeats = str(kind) in GREEDY and argument[1] == _parser.MAXREPEAT
        if repeats and inside:
            return True
        for part in parts(argument):
            found |= nested(part, inside=(inside or repeats) and str(kind) not in {"POSSESSIVE_REPEAT", "ATOMIC_GROUP"})
    return found


def parts(argument: object) -> Iterator[object]:
    """Yield the patterns that an element of a pattern is made of."""
    if isinstance(argument, _parser.SubPattern):
        yield argument
    elif isinstance(argument, (list, tuple)):
        for one in argument:
            yield from parts(one)


def test_no_repetition_without_a_bound_stands_in_another() -> None:
    found = list(patterns())  # here, and not as parameters: every process that collects tests would parse the whole source

    assert len(found) > 50
    assert [place for place, node in found if nested(_parser.parse(literal(node)))] == []


@pytest.mark.parametrize("pattern", [r"(a+)+b", r"(?:x|a*)*", r"([a-z]+\.)+$", r"(?:(a|b)*c)+"])
def test_the_check_finds_what_it_is_for(pattern: str) -> None:
    assert nested(_parser.parse(pattern))


@pytest.mark.parametrize("pattern", [r"[a-z]*", r"(?:_[a-z]++)*+", r"(a{1,3})+", r'("(?:[^"]|"")*"[^,]*|[^,]*)(,|\Z)'])
def test_the_check_lets_pass_what_is_linear(pattern: str) -> None:
    assert re.compile(pattern)
    assert not nested(_parser.parse(pattern))
