"""Attribute many dangling references to one missing record: one finding, and the rows that it causes.

Belongs here: distinguishing a missing school with 4,000 orphaned rows from 4,000 typing errors. Does not belong here: what a
reference is (``column_checks``).

A missing record has no row. So the finding about it belongs to the file that should have it, with a row number of its own: a
negative number, computed from the value. Findings of other files about the same value have the same number; the ledger keeps the
first, without the number.
"""

from __future__ import annotations

import hashlib

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from roster_etl.engine.validation.row_rejection import FileState, Mask
from roster_etl.frames.arrow import findings_table
from roster_etl.spec import Reference
from roster_etl.spec.findings import Finding, mask

MIN_ROWS = 5
"""Minimum of rows of one file that name the same missing record; fewer are treated as typing errors."""
MAX_MISSING_RECORDS = 100
"""Maximum of missing records per column; with more, the file as a whole is the cause."""


def attribute_to_missing_records(
    state: FileState, reference: Reference, file_name: str, values: pa.Array, wrong: Mask, causes: pa.Array
) -> pa.Array:
    """Return `causes`, with missing records that many rows name as their cause; findings about these are added to `state`.

    Args: file_name: the referenced file, as uploaded; causes: for each of the `wrong` values the rejected row that it names, or
        null.
    """
    named = values.take(pa.array(np.flatnonzero(wrong)))
    missing = _frequent_values(named.filter(pc.is_null(causes)))
    if not missing:
        return causes
    places = [missing_record_number(reference, value) for value in missing]
    state.findings.add_table(
        findings_table([_finding(reference, file_name, *pair) for pair in zip(missing, places, strict=True)])
    )
    found = pa.array(places, pa.int64()).take(pc.index_in(named, value_set=pa.array(missing, pa.string())))
    return pc.coalesce(causes, found)


def missing_record_number(reference: Reference, value: str) -> int:
    """Return the row number of a missing record: negative, and the same for each file that names it."""
    words = f"{reference.file}\x1f{reference.column}\x1f{value}"
    return -1 - int.from_bytes(hashlib.sha256(words.encode()).digest()[:7])


def _frequent_values(values: pa.Array) -> list[str]:
    counts = pc.value_counts(values)
    often = counts.filter(pc.greater_equal(counts.field("counts"), MIN_ROWS)).to_pylist()
    often.sort(key=lambda count: (-count["counts"], count["values"]))
    return [count["values"] for count in often[:MAX_MISSING_RECORDS]]


def _finding(reference: Reference, file_name: str, value: str, number: int) -> Finding:
    return Finding(
        severity="reject",
        code="missing_record",
        file=file_name,
        row=number,
        field=reference.column,
        key=mask(value),
        message=f"No row has this {reference.column}, which many rows of other files name.",
    )
