"""What does not matter is no difference; what one side was not given is not compared."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from roster_etl.engine.reconcile.comparing import compare


def found(
    name: str, a: str | None, b: str | None, derived: tuple[str, str] = ("[]", "[]"), **mapped: Any
) -> list[tuple[str, Any, Any]]:
    left, right = (
        pa.table({name: pa.array([value], pa.string()), "derived": [made]}) for value, made in zip((a, b), derived, strict=True)
    )
    ids = {column: pa.chunked_array([pa.array([value], pa.string())]) for column, value in mapped.items()}
    return [(one.kind, one.values_a[0], one.values_b[0]) for one in compare(left, right, [name], ids)]


@pytest.mark.parametrize(
    ("name", "a", "b"),
    [
        ("email", "Ann.Lee@x.org", "ann.lee@X.org"),
        ("phone", "(555) 010-1234", "555 0101234"),
        ("first_name", " Ann  Marie", "Ann Marie"),
        ("last_name", None, "  "),
        ("last_name", None, None),
    ],
)
def test_the_same_in_other_words_is_no_difference(name: str, a: str | None, b: str | None) -> None:
    assert found(name, a, b) == []


def test_other_values_differ_and_null_is_what_one_side_knows() -> None:
    assert found("first_name", "Ann", "ann") == [("differs", "Ann", "ann")]
    assert found("email", "a@x.org", None) == [("only_one_knows", "a@x.org", None)]
    assert found("email", None, "a@x.org") == [("only_one_knows", None, "a@x.org")]


@pytest.mark.parametrize("derived", [('["full_name"]', "[]"), ("[]", '["title","full_name"]')])
def test_what_a_side_derived_is_not_compared(derived: tuple[str, str]) -> None:
    assert found("full_name", "A", "B", derived) == []


def test_ids_of_other_records_are_compared_as_the_first_feed_has_them() -> None:
    assert found("term_id", "t1", "T-1", term_id="t1") == []
    assert found("term_id", "t1", "T-2", term_id="t2") == [("differs", "t1", "T-2")]
    assert found("term_id", "t1", "T-9", term_id=None) == []  # its term was not matched
    assert found("term_id", "t1", None, term_id=None) == [("only_one_knows", "t1", None)]
