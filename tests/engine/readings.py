"""What the reader under test makes of a file, in the form of the reference reader."""

from __future__ import annotations

from roster_etl.engine.csv.reader import DEFAULT_LIMITS, CsvLimits, RawFile, read_csv
from roster_etl.engine.csv.record_offsets import WINDOW
from tests.engine.reference import Reading


def reading(content: bytes, *, limits: CsvLimits = DEFAULT_LIMITS, window: int = WINDOW) -> Reading:
    """Read `content` with `read_csv`."""
    return as_reading(read_csv(content, limits=limits, window=window))


def as_reading(file: RawFile) -> Reading:
    columns = [column.to_pylist() for column in file.table.columns]
    severity, row, code = (file.findings[name].to_pylist() for name in ("severity", "row", "code"))
    rows: list[int] = file.rows.to_numpy().tolist()
    return Reading(
        header=file.header,
        records={number: tuple(column[i] for column in columns) for i, number in enumerate(rows)},
        refused_records={r: c for s, r, c in zip(severity, row, code, strict=True) if s == "reject"},
        rows_read=file.rows_read,
        refused=file.refused,
        refused_at=next((r for s, r in zip(severity, row, strict=True) if s == "file"), None),
    )
