"""Check documents, help texts and messages for words of a private vocabulary, and name the standard term.

    python tools/check_wording.py [FILE...]

Belongs here: the terms. Documents and the messages in the package's modules are read; code (in backticks and fences), quoted text, links' targets and
docstrings are not. Decision records and the changelog keep the words of their day, and are not checked unless they are named.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

TERMS = {
    r"judg(?:e|es|ed|ing)": "validate, check, evaluate",
    r"promises?": "rule (of a specification), guarantee",
    r"(?:is|are|was|were) spoken": "changed by, reported",
    r"walk(?:s|ed|ing)?": "processed, read, traced",
    r"mend(?:s|ed|ing)?": "fix, correct, repair",
    r"lets? go": "release, delete",
    r"foresaw|foreseen": "expected",
    r"our fault|fault of ours": "internal error; ask for a bug report",
    r"taken in": "imported",
    r"(?:stands?|lies|lie) (?:in|at|on|under|below|beside|behind)": "is in, is at",
    r"keeps? house|keeping house": "maintenance",
    r"parked": "dead-lettered",
    r"poison": "repeatedly failing",
    r"folded|folds?": "apply, merge",
    r"whole states?": "full snapshot",
    r"for ever": "indefinitely, permanently",
    r"at the door": "before parsing",
    r"overtak(?:e|es|ing)": "supersede, overwrite newer data",
    r"hears? of": "is notified",
    r"tells? (?:of|what|which|whether|who|how|when|why|where)": "report, show",
    r"\bis told\b": "is notified, is shown",
    r"of (?:its|their) own accord|by (?:itself|themselves) alone": "automatically",
    r"words of the call": "arguments",
    r"the whole road": "the pipeline",
    r"rooms?\b(?= (?:of|may|that) )": "package, layer",
}
_FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
_NOT_PROSE = re.compile(r"`[^`\n]*`|\]\([^)\n]*\)|<!--.*?-->|\"[^\"\n]*\"", re.DOTALL)
_PATTERNS = [(re.compile(rf"\b(?:{term})\b", re.IGNORECASE), instead) for term, instead in TERMS.items()]
_STATES = {'"parked"'}
"""Names of states that messages show beside the standard term, as the JSON has them."""
_UNCHECKED = (
    "CHANGELOG.md",
    "docs/decisions/",
    "docs/licences.md",
    "benchmarks/reference/",
    "roster_etl/vendors/_template/",
    "roster_etl/expectations/",
)


def main(arguments: list[str]) -> int:
    """Print each term that is found, with its place and what to write; return 1 if there is one."""
    found = [hit for file in arguments or checked_files() for hit in wrong_in_file(file, Path(file).read_text("utf-8"))]
    print("\n".join(found) if found else "No term of a private vocabulary.")
    return 1 if found else 0


def checked_files() -> list[str]:
    """Return the tracked documents and modules that are checked."""
    listed = subprocess.run(
        ["git", "ls-files", "*.md", "roster_etl/*.py"], capture_output=True, text=True, check=True
    ).stdout.split()
    return [file for file in sorted(set(listed)) if not file.startswith(_UNCHECKED)]


def wrong_in_file(name: str, text: str) -> Iterator[str]:
    """Yield a line for each term of a document, or of the messages of a module, that has a standard one."""
    if not name.endswith(".py"):
        yield from wrong_terms(name, text)
        return
    for line, message in messages(text):
        for hit in wrong_terms("", message):
            found = hit.partition(" ")[2]
            if found.partition(";")[0] not in _STATES:
                yield f"{name}:{line}: {found}"


def messages(source: str) -> Iterator[tuple[int, str]]:
    """Yield the texts of a module with several words, and their lines; docstrings are not among them."""
    tree = ast.parse(source)
    alone = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value and id(node) not in alone:
            yield node.lineno, node.value


def wrong_terms(name: str, text: str) -> Iterator[str]:
    """Yield a line for each term of a text that has a standard one."""
    prose = _NOT_PROSE.sub(_blank, _FENCE.sub(_blank, text))
    for number, line in enumerate(prose.splitlines(), start=1):
        for pattern, instead in _PATTERNS:
            yield from (f'{name}:{number}: "{hit[0]}"; write: {instead}' for hit in pattern.finditer(line))


def _blank(found: re.Match[str]) -> str:
    """Return as many lines as were found, without text."""
    return "\n" * found[0].count("\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
