"""Calling the command line from a test: its exit code and what it wrote."""

from __future__ import annotations

import io
import json
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from roster_etl.cli import main


@dataclass(frozen=True)
class Answer:
    """What a call answered."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The one document on standard output."""
        return json.loads(self.out)


def call(*words: object, home: Path | None = None) -> Answer:
    """Run the words in this process."""
    out, err = io.StringIO(), io.StringIO()
    argv = [str(word) for word in words]
    with redirect_stdout(out), redirect_stderr(err):
        code = main([*argv, "--home", str(home)] if home else argv)
    return Answer(code=code, out=out.getvalue(), err=err.getvalue())
