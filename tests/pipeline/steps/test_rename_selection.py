"""Words for renames: numbers and ids name the same proposals, and what is not proposed is refused."""

from __future__ import annotations

import pyarrow as pa
import pytest

from roster_etl.engine.planning.rename_detection import PROPOSALS
from roster_etl.pipeline.steps.rename_proposals import (
    BadRename,
    contains_ids,
    number_proposals,
    select_proposals,
    selectors_as_numbers,
)

PROPOSED = number_proposals(
    pa.Table.from_pylist(
        [
            {"user_kind": "student", "old_id": "a", "new_id": "x", "by": "email"},
            {"user_kind": "student", "old_id": "b", "new_id": "y", "by": "email"},
            {"user_kind": "teacher", "old_id": "c", "new_id": "z", "by": "email"},
        ],
        schema=PROPOSALS,
    )
)


@pytest.mark.parametrize(
    ("words", "old"),
    [(("2",), ["b"]), (("3", "a=x"), ["a", "c"]), (("1", "all"), ["a", "b", "c"]), (("2", "b=y"), ["b"]), ((), [])],
)
def test_words_name_proposals(words: tuple[str, ...], old: list[str]) -> None:
    assert select_proposals(PROPOSED, words, 7).column("old_id").to_pylist() == old


def test_numbers_stay_where_others_are_decided_already() -> None:
    left = PROPOSED.slice(1)

    assert select_proposals(left, ("2",), 7).column("old_id").to_pylist() == ["b"]
    with pytest.raises(BadRename):
        select_proposals(left, ("1",), 7)


@pytest.mark.parametrize("word", ["0", "4", "01", "-1", "a=y", "x=a", ""])
def test_what_is_not_proposed_is_refused_by_its_place(word: str) -> None:
    with pytest.raises(BadRename, match=r"import 7: word 2 of what is to be renamed names none of the 3"):
        select_proposals(PROPOSED, ("1", word), 7)


def test_ids_become_numbers() -> None:
    assert selectors_as_numbers(PROPOSED, ("c=z", "1", "all"), 7) == ("3", "1", "all")
    assert contains_ids(("1", "c=z"))
    assert not contains_ids(("1", "all"))
