"""Placeholder rows of a record that the primary file may have: which records are looked up, and which rows are set aside."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roster_etl.canonical.roster import TABLES
from roster_etl.engine.transform.carry_over import carry_over_missing_columns, find_placeholder_rows, suppress_placeholders
from roster_etl.frames.arrow import REFUSED
from roster_etl.frames.row_hashes import HASH

TARGET = TABLES["users"]
PRIMARY, OTHERS = "students.csv", frozenset({"enrollments.csv", "contacts.csv"})
ROWS = st.lists(
    st.tuples(st.sampled_from("abcde"), st.sampled_from([PRIMARY, *sorted(OTHERS), "staff.csv"]), st.booleans()), max_size=12
)


def mapped(rows: list[tuple[str, str, bool]]) -> pa.Table:
    ids, files, refused = ([row[part] for row in rows] for part in range(3))
    return pa.table(
        {
            "user_kind": pa.array(["student"] * len(rows), pa.string()),
            "user_id": pa.array(ids, pa.string()),
            "source_file": pa.array(files, pa.string()),
            REFUSED: pa.array(refused, pa.bool_()),
        }
    )


def current(ids: list[str]) -> pa.Table:
    return mapped([(one, PRIMARY, False) for one in ids])


def found(rows: list[tuple[str, str, bool]], *, has_redacted_key: bool = False) -> np.ndarray:
    return find_placeholder_rows(
        TARGET, mapped(rows), primary_file=PRIMARY, placeholder_files=OTHERS, has_redacted_key=has_redacted_key
    )


def refused(rows: list[tuple[str, str, bool]], known: list[str], *, has_redacted_key: bool = False) -> list[bool]:
    places = found(rows, has_redacted_key=has_redacted_key)
    return suppress_placeholders(TARGET, mapped(rows), places, current(known)).column(REFUSED).to_pylist()


def test_a_placeholder_of_a_rejected_record_is_set_aside_if_the_roster_has_the_record():
    rows = [("a", PRIMARY, True), ("a", "enrollments.csv", False), ("b", "enrollments.csv", False)]
    assert refused(rows, ["a", "b"]) == [True, True, False]
    assert refused(rows, ["b"]) == [True, False, False]


def test_where_a_key_cannot_be_read_every_known_record_may_be_meant():
    rows = [("a", "enrollments.csv", False), ("b", "contacts.csv", False), ("c", "staff.csv", False)]
    assert refused(rows, ["a", "c"], has_redacted_key=True) == [True, False, False]


@pytest.mark.parametrize("redacted", [False, True])
def test_only_accepted_placeholders_are_looked_up(redacted):
    assert not found(
        [("a", PRIMARY, True), ("a", "enrollments.csv", True), ("a", "staff.csv", False)], has_redacted_key=redacted
    ).any()


@settings(max_examples=100, deadline=None)
@given(ROWS, st.lists(st.sampled_from("abcdef")), st.booleans())
def test_looking_up_few_records_sets_the_same_rows_aside_as_comparing_with_all(rows, known, redacted):
    origin, rejected = [row[1] for row in rows], [row[2] for row in rows]
    named = {row[0] for row in rows if row[1] == PRIMARY and row[2]}
    expected = [
        rejected[place] or (origin[place] in OTHERS and rows[place][0] in known and (redacted or rows[place][0] in named))
        for place in range(len(rows))
    ]
    wanted = {row[0] for row, flag in zip(rows, found(rows, has_redacted_key=redacted), strict=True) if flag}
    assert refused(rows, [one for one in known if one in wanted], has_redacted_key=redacted) == expected


def test_extra_columns_that_the_upload_lacks_keep_their_values_and_a_new_record_has_none():
    schema = pa.schema([*TARGET.arrow_schema, *((name, pa.string()) for name in ("derived", "extensions", "source_file", HASH))])

    def users(**extensions: str) -> pa.Table:
        rows = [
            {"user_kind": "student", "user_id": name, "derived": "[]", "extensions": text} for name, text in extensions.items()
        ]
        return pa.Table.from_pylist([row | {"source_file": PRIMARY} for row in rows], schema)

    now = users(a='{"ext.new": "1"}', b="{}", new="{}")
    before = users(a='{"ext.bus": "7", "ext.new": "0"}', b="{}")
    made = carry_over_missing_columns(TARGET, now, before, {}, {"ext.bus"})

    assert made.column("extensions").to_pylist() == ['{"ext.bus": "7", "ext.new": "1"}', "{}", "{}"]
