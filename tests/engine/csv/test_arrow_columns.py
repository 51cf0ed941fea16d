"""Facts about the way from proven records to Arrow columns."""

from __future__ import annotations

import pyarrow as pa
import pytest

from roster_etl.engine.csv import arrow_columns
from roster_etl.engine.csv.record_scan import SOUND, scan_records
from tests.engine.readings import reading


@pytest.mark.parametrize("size", [1, 50, 333])
def test_cells_are_whole_wherever_the_parts_for_pyarrow_end(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    content = b"a,b\r\n" + b"".join(b'%d,"line\r\n,""%d"\r\n\n' % (i, i) for i in range(300))
    expected = {i + 2: (str(i), f'line\r\n,"{i}') for i in range(300)}
    monkeypatch.setattr(arrow_columns, "_BATCH_BYTES", size)

    assert reading(content).records == expected


def test_the_exact_road_reads_what_the_fast_one_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    content = 'a,b\n1,"x ""é""\n"\n,2\n'.encode()
    fast = reading(content)
    sound = scan_records(content, 3, width=2, max_cell_chars=10)

    assert (sound.codes == SOUND).all()
    for failure in (pa.ArrowInvalid, None):
        monkeypatch.setattr(arrow_columns, "_parse_with_pyarrow", _Failing(failure))
        assert reading(content) == fast


class _Failing:
    """A parser that fails, or sees no record."""

    def __init__(self, failure: type[Exception] | None) -> None:
        self.failure = failure

    def __call__(self, *_: object, **__: object) -> pa.Table:
        if self.failure:
            raise self.failure("damaged")
        return pa.table({"c0": []})
