"""The check of the wording: what it finds in prose, and what it leaves alone."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
_SPEC = importlib.util.spec_from_file_location("check_wording", ROOT / "tools/check_wording.py")
check_wording = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(check_wording)


@pytest.mark.parametrize(
    ("line", "place"),
    [
        ("Rows are judged by rules.", 'page.md:1: "judged"; write: validate, check, evaluate'),
        ("\nThe password stands in a file.", 'page.md:2: "stands in"; write: is in, is at'),
        ("```sh\none\ntwo\n```\nIt is Parked now.", 'page.md:5: "Parked"; write: dead-lettered'),
    ],
)
def test_a_term_of_ours_is_found_with_its_line_and_the_standard_term(line, place):
    assert list(check_wording.wrong_terms("page.md", line)) == [place]


@pytest.mark.parametrize(
    "text",
    [
        "The state `parked` stays.",
        "```text\nfailed, parked\n```",
        "[see](judged.md#judged)",
        'The document says "must stand in order".',
        "prejudged",
    ],
)
def test_code_links_quotes_and_parts_of_words_are_left_alone(text):
    assert list(check_wording.wrong_terms("page.md", text)) == []


def test_messages_of_a_module_are_checked_and_its_docstrings_are_not():
    source = '"""Judged here."""\nname = "judged"\nraise ValueError(f"{name} was judged, parked")\n'

    assert list(check_wording.wrong_in_file("a.py", source)) == ['a.py:3: "judged"; write: validate, check, evaluate']


def test_the_command_fails_where_a_term_is_found(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("Imports are judged.\n", "utf-8")
    failed = subprocess.run(
        [sys.executable, "tools/check_wording.py", str(page)], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert (failed.returncode, '"judged"' in failed.stdout) == (1, True)
