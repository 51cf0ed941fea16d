"""Python files, parsed for tests that read the source.

Belongs here: the one call of ``ast.parse`` in the tests. Python 3.11's parser keeps its depth in a place that all parses share
(cpython gh-106905): a finalizer that the collector runs meanwhile, and that parses itself, makes the outer parse fail.
"""

from __future__ import annotations

import ast
import gc
from pathlib import Path


def parsed(path: Path) -> ast.Module:
    """Return the syntax tree of a file; nothing is collected while it is parsed."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        return ast.parse(path.read_text(encoding="utf-8"))
    finally:
        if collecting:
            gc.enable()
