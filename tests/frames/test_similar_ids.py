"""Ids compared without leading zeros and case."""

from __future__ import annotations

import pyarrow as pa
import pytest

from roster_etl.frames.similar_ids import id_skeleton, is_similar, text_skeleton


@pytest.mark.parametrize("id_", ["007", "7", "aB01", "0", "", "Ünal"])
def test_one_id_and_a_column_have_the_same_form(id_: str):
    assert id_skeleton(pa.array([id_])).to_pylist() == [text_skeleton(id_)]


def test_zeros_inside_and_at_the_end_count():
    assert is_similar(pa.array(["07", "70", "A1", None]), pa.array(["7", "a1", None])).to_pylist() == [True, False, True, False]
