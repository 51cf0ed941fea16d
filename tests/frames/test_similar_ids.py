"""Ids compared in one form of letters and digits."""

from __future__ import annotations

import pyarrow as pa
import pytest

from roster_etl.frames.similar_ids import id_skeleton, is_similar, text_skeleton


@pytest.mark.parametrize(
    "id_", ["007", "7", "aB01", "0", "", "Ünal", "００７", "ＡＢ１２", "a\u200bb\u2060", "\ufeff007", "0\u200b07", "e\u0301", "é"]
)
def test_one_id_and_a_column_have_the_same_form(id_: str):
    assert id_skeleton(pa.array([id_])).to_pylist() == [text_skeleton(id_)]


def test_zeros_inside_and_at_the_end_count():
    assert is_similar(pa.array(["07", "70", "A1", None]), pa.array(["7", "a1", None])).to_pylist() == [True, False, True, False]


@pytest.mark.parametrize("id_", ["１００１", "10\u200b01", "\ufeff1001", "1001\u2060", "10\xad01", "０１００１"])
def test_full_width_and_invisible_characters_tell_ids_apart_by_nothing_that_is_seen(id_: str):
    assert is_similar(pa.array([id_, "1002", None]), pa.array(["1001"])).to_pylist() == [True, False, False]
    assert is_similar(pa.array(["1001"]), pa.array(["1002", id_])).to_pylist() == [True]


def test_letters_of_another_alphabet_stay_others():
    assert is_similar(pa.array(["А1", "ä1"]), pa.array(["A1", "a1"])).to_pylist() == [False, False]
