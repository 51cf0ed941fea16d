"""Each benchmark runs as ``python -m benchmarks.NAME``, as the documents say."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks"
MODULES = {path.stem: path for path in FOLDER.glob("*.py")}


@pytest.mark.parametrize("name", MODULES)
def test_a_benchmark_imports_others_by_their_package(name: str) -> None:
    nodes = list(ast.walk(ast.parse(MODULES[name].read_text(encoding="utf-8"))))
    roots = {node.module.partition(".")[0] for node in nodes if isinstance(node, ast.ImportFrom) and node.module}
    roots |= {alias.name.partition(".")[0] for node in nodes if isinstance(node, ast.Import) for alias in node.names}

    assert not roots & MODULES.keys()


def test_the_commands_that_documents_name_are_modules_of_the_package() -> None:
    texts = [path.read_text(encoding="utf-8") for path in (*FOLDER.glob("*.md"), *MODULES.values())]

    assert not [found for text in texts for found in re.findall(r"python benchmarks/\S+", text)]
    named = {found for text in texts for found in re.findall(r"python -m benchmarks\.(\w+)", text)}
    assert {"exporting", "run"} <= named <= MODULES.keys()
