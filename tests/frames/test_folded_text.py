"""Which spellings compare as one."""

from __future__ import annotations

import pyarrow as pa

from roster_etl.frames.folded_text import fold, folded_text


def test_case_accents_their_encoding_and_blanks_do_not_count() -> None:
    cells = pa.array(["JOSÉ  Ruiz", "Jose\u0301 Ruiz", " jose\u00a0ruiz ", "Josué Ruiz", "Łukasz", "", None])

    assert folded_text(cells).to_pylist() == ["jose ruiz"] * 3 + ["josue ruiz", "łukasz", "", None]
    assert [fold(text) for text in cells.to_pylist() if text is not None] == folded_text(cells).to_pylist()[:-1]
