"""`changes --to`: the change feed as files, and what does not go with it."""

from __future__ import annotations

import pytest

from tests.cli.calling import call


def test_changes_are_written_once_and_the_next_call_has_nothing_new(told, tmp_path):
    first = call("changes", "--district", "lincoln", "--to", tmp_path / "lake", "--json", home=told)
    again = call("changes", "--district", "lincoln", "--to", tmp_path / "lake", home=told)
    place = f"{tmp_path}/lake/district_id=lincoln/source=clever"

    assert first.code == again.code == 0
    assert (first.document["to"], first.document["since"]) == (place, 2)
    assert [(one["import_id"], one["changes"] > 0) for one in first.document["imports"]] == [(1, True), (2, True)]
    assert again.out == f"Nothing new was published.\n{place}: up to import 2\n"


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ((), "pass --since IMPORT (0: from the first), or --to URL to write files"),
        (("--to", "lake", "--limit", "5"), "--after and --limit do not go with it"),
        (("--to", "s3://ann:secret@lake"), "a password does not belong into a URL"),
    ],
)
def test_what_does_not_go_together_is_a_usage_error(told, words, problem):
    answer = call("changes", "--district", "lincoln", *words, home=told)

    assert (answer.code, problem in answer.err, "secret" in answer.err) == (2, True, False)
