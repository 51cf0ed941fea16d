"""Errors of the spec's constructors name classes, arguments and options that exist."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from roster_etl import spec
from tests.parsing import parsed

SOURCES = sorted(Path(spec.__file__).parent.glob("*.py"))
CLASSES = {
    node.name: {item.target.id for item in node.body if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name)}
    for path in SOURCES
    for node in ast.walk(parsed(path))
    if isinstance(node, ast.ClassDef)
}
ATTRIBUTES = set().union(*CLASSES.values())


def literal(node: ast.expr) -> str:
    """Return the fixed text of a message."""
    return "".join(part.value for part in ast.walk(node) if isinstance(part, ast.Constant) and isinstance(part.value, str))


def is_raised_by_a_constructor(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Raise)
        and isinstance(node.exc, ast.Call)
        and isinstance(node.exc.func, ast.Name)
        and node.exc.func.id in ("ValueError", "FormatError")
    )


def messages() -> Iterator[tuple[str, str]]:
    """Return (class, fixed text) of each ValueError that a constructor raises."""
    owners = [node for path in SOURCES for node in ast.walk(parsed(path)) if isinstance(node, ast.ClassDef)]
    for owner in owners:
        yield from ((owner.name, literal(node.exc.args[0])) for node in ast.walk(owner) if is_raised_by_a_constructor(node))


def test_a_message_begins_with_the_class_that_raises_it():
    named = [(owner, re.match(r"([A-Z]\w+)(?=[: ])", text)) for owner, text in messages()]

    assert len(named) > 30
    assert [(owner, found[1]) for owner, found in named if found and found[1] != owner] == []


def test_a_message_names_classes_and_arguments_that_exist():
    arguments = re.compile(r"\b(\w+)=|\b([a-z]+(?:_[a-z]+)+)\b")
    unknown = [
        (owner, name)
        for owner, text in messages()
        for name in [*("".join(pair) for pair in arguments.findall(text)), *re.findall(r"\b([A-Z]\w+)(?=\()", text)]
        if name not in ATTRIBUTES | set(CLASSES)
    ]

    assert unknown == []
