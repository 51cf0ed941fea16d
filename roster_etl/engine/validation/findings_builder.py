"""Turn masks over the rows of a file into findings, a column at a time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from roster_etl.frames.arrow import FINDINGS
from roster_etl.spec.findings import CODES, Severity, mask, strip_control_chars


class FindingsBuilder:
    """Collects the findings about one file; ``table()`` gives them in the order of their rows."""

    def __init__(self, file: str | None) -> None:
        self.file = strip_control_chars(file)
        self._parts: list[pa.Table] = []

    def add_rows(
        self,
        severity: Severity,
        code: str,
        rows: np.ndarray,
        *,
        field: str | None,
        message: str | pa.Array,
        keys: pa.Array | None = None,
        causes: tuple[str, pa.Array] | None = None,
        counts: np.ndarray | None = None,
    ) -> None:
        """Add one finding for each of `rows` (record numbers), standing for `counts` rows each if given.

        Args: message: one for all, or one a row, without cell values; keys: the record's key as text, one a row, masked here;
            causes: (file, record numbers) of the rejected rows that caused these, null where there is none.
        """
        if code not in CODES:
            raise KeyError(code)
        if not (count := len(rows)):
            return

        def repeated(text: str | None) -> pa.Array:
            return pa.repeat(pa.scalar(strip_control_chars(text), pa.string()), count)

        cause_file, cause_rows = causes or (None, pa.nulls(count, pa.int64()))
        masked = [mask(key) if key else None for key in keys.to_pylist()] if keys is not None else [None] * count
        columns = {
            "severity": repeated(severity),
            "code": repeated(code),
            "file": repeated(self.file),
            "row": pa.array(rows, pa.int64()),
            "field": repeated(field),
            "key": pa.array(masked, pa.string()),
            "message": repeated(message) if isinstance(message, str) else message,
            "cause_file": pc.if_else(pc.is_valid(cause_rows), repeated(cause_file), pa.scalar(None, pa.string())),
            "cause_row": cause_rows,
            "count": pa.array(counts, pa.int64()) if counts is not None else pa.repeat(pa.scalar(1, pa.int64()), count),
        }
        self._parts.append(pa.table([columns[name] for name in FINDINGS.names], schema=FINDINGS))

    def add_table(self, table: pa.Table) -> None:
        """Add findings made elsewhere (FINDINGS); those without a file get this one."""
        place = FINDINGS.get_field_index("file")
        filled = pc.fill_null(table.column("file"), self.file) if self.file else table.column("file")
        self._parts.append(table.set_column(place, FINDINGS.field("file"), filled))

    def explain_rejections(self, rows: np.ndarray, sentence: str) -> None:
        """Add a sentence to the messages of the ``reject`` findings collected so far about `rows` (record numbers)."""
        for at, part in enumerate(self._parts if len(rows) else ()):
            about = pc.and_(pc.equal(part.column("severity"), "reject"), pc.is_in(part.column("row"), value_set=pa.array(rows)))
            message = part.column("message")
            longer = pc.if_else(about, pc.binary_join_element_wise(message, sentence, " "), message)
            self._parts[at] = part.set_column(FINDINGS.get_field_index("message"), FINDINGS.field("message"), longer)

    def table(self) -> pa.Table:
        """Return all findings, FINDINGS columns, in row order."""
        if not self._parts:
            return FINDINGS.empty_table()
        return pa.concat_tables(self._parts).combine_chunks().sort_by([("row", "ascending")])


def joined_keys(columns: Sequence[pa.Array], rows: np.ndarray) -> pa.Array:
    """Return the key cells of `rows` joined by " / " (null cells empty)."""
    places = pa.array(rows)
    parts = [pc.fill_null(column.take(places), "") for column in columns]
    return parts[0] if len(parts) == 1 else pc.binary_join_element_wise(*parts, " / ")
