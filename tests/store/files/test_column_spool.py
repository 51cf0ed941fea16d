"""Large columns rest in private files without a name, and are read like any others."""

from __future__ import annotations

import errno
import os
import resource
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from roster_etl.spec.errors import FolderUnavailable
from roster_etl.store.files.column_spool import ColumnSpool

ROWS, PIECE = 60_000, 10_000


def batches() -> list[pa.RecordBatch]:
    keys = [f"{number * 7919 % ROWS:08}" for number in range(ROWS)]
    whole = pa.table({"key": keys, "place": range(ROWS), "nothing": pa.nulls(ROWS, pa.string())})
    return whole.to_batches(max_chunksize=PIECE)


@pytest.mark.parametrize("min_bytes", [0, 1 << 30])
def test_batches_become_a_table_in_the_order_of_a_column(tmp_path: Path, min_bytes: int):
    spool = ColumnSpool(tmp_path / "scratch", min_bytes=min_bytes)
    found = spool.collect(batches(), batches()[0].schema, ["key"])
    spool.release()

    assert found == pa.Table.from_batches(batches()).sort_by("key")
    assert all(column.num_chunks == 1 for column in found.columns)
    assert not (tmp_path / "scratch").exists() or list((tmp_path / "scratch").iterdir()) == []


def test_one_column_is_in_memory_at_a_time(tmp_path: Path):
    spool = ColumnSpool(tmp_path, min_bytes=0)
    wide = pa.table({f"c{number}": [f"{number}-{row:010}" for row in range(ROWS)] for number in range(8)})
    size, before = wide.nbytes, pa.total_allocated_bytes()
    kept = spool.collect(wide.to_batches(max_chunksize=PIECE), wide.schema, ["c0"])
    most = 0

    def seen(values: pa.Array) -> pa.Array:
        nonlocal most
        made = values.take(pa.array(range(ROWS)))
        most = max(most, pa.total_allocated_bytes() - before)
        return made

    again = spool.each(kept, seen, ROWS)

    assert again == wide
    assert most < 0.4 * size
    assert pa.total_allocated_bytes() - before < 0.1 * size


def test_what_is_kept_is_not_written_again_and_nulls_are_shared(tmp_path: Path):
    spool = ColumnSpool(tmp_path, min_bytes=0)
    kept = spool.keep(pa.table({"a": ["x"] * ROWS, "none": pa.nulls(ROWS, pa.string()), "all": pa.nulls(ROWS, pa.string())}))
    more = spool.keep(kept.append_column("b", pa.array(["y"] * ROWS)))

    addresses = [[buffer and buffer.address for buffer in column.chunk(0).buffers()] for column in more.columns]
    assert addresses[0] == [buffer and buffer.address for buffer in kept.column("a").chunk(0).buffers()]
    assert addresses[1] == addresses[2]
    assert more.column("b").to_pylist() == ["y"] * ROWS


def test_a_table_below_the_limit_stays_in_memory_in_one_piece(tmp_path: Path):
    spool = ColumnSpool(tmp_path / "scratch")
    kept = spool.keep(pa.concat_tables([pa.table({"a": ["x"]}), pa.table({"a": ["y"]})]))

    assert kept.column("a").num_chunks == 1
    assert not (tmp_path / "scratch").exists()


def test_a_full_disk_is_told_as_such(tmp_path: Path):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(FolderUnavailable) as raised:
            ColumnSpool(tmp_path, min_bytes=0).keep(pa.table({"a": ["x"] * ROWS}))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    assert os.strerror(errno.EFBIG) in str(raised.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="measured from Linux's /proc")
def test_what_was_read_is_given_back(tmp_path: Path) -> None:
    spool = ColumnSpool(tmp_path)
    kept = spool.keep(pa.table({"number": pa.array(np.arange(4_000_000))}))  # 32 MB
    spool.release()
    before = _mapped_bytes()
    total = pc.sum(kept.column("number")).as_py()
    read = _mapped_bytes() - before
    spool.release()

    assert read > 24_000_000
    assert _mapped_bytes() - before < 8_000_000
    assert pc.sum(kept.column("number")).as_py() == total == sum(range(4_000_000))


def _mapped_bytes() -> int:
    """Return how much of mapped files is in memory."""
    (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("RssFile:")]
    return int(line.split()[1]) * 1024
