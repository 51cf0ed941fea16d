"""Compare the columns of matched records: which disagree, and which only one side knows.

Belongs here: comparing values without what does not matter: case of e-mail addresses, marks in phone numbers, white space in names.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

FieldKind = Literal["differs", "only_one_knows"]
_EMAIL = frozenset({"email", "principal_email"})
_PHONE = frozenset({"phone", "sms"})


@dataclass(frozen=True, kw_only=True)
class FieldDifference:
    """The pairs (by their position) that disagree in one column, with the values of both sides as text; None is NULL."""

    field: str
    kind: FieldKind
    pairs: npt.NDArray[np.int64]
    values_a: Sequence[str | None]
    values_b: Sequence[str | None]


def compare(a: pa.Table, b: pa.Table, columns: Sequence[str], mapped: dict[str, pa.ChunkedArray]) -> Iterator[FieldDifference]:
    """Yield in which of `columns` the rows of `a` and `b` disagree, row by row.

    Args: a, b: the same number of rows, with a column ``derived`` (JSON list of columns that a side has not been given, which are not
        compared). mapped: for a column with ids of other records, those of `b` in the ids of `a`; NULL: not matched, not compared.
    """
    for name in columns:
        left, right = a.column(name).cast(pa.string()), (mapped.get(name) or b.column(name)).cast(pa.string())
        plain_a, plain_b = comparable(name, left), comparable(name, right)
        known_a, known_b = pc.is_valid(plain_a), pc.is_valid(plain_b)
        given = pc.invert(pc.or_(_is_derived(a, name), _is_derived(b, name)))
        if name in mapped:
            given = pc.and_(given, pc.or_(known_b, pc.is_null(b.column(name))))
        differs = pc.and_(given, pc.fill_null(pc.not_equal(plain_a, plain_b), False))
        one = pc.and_(given, pc.xor(known_a, known_b))
        kinds: tuple[tuple[FieldKind, Any], ...] = (("differs", differs), ("only_one_knows", one))
        shown = b.column(name).cast(pa.string())
        for kind, where in kinds:
            pairs = np.flatnonzero(where.to_numpy(zero_copy_only=False))
            if len(pairs):
                yield FieldDifference(
                    field=name,
                    kind=kind,
                    pairs=pairs,
                    values_a=left.take(pairs).to_pylist(),
                    values_b=shown.take(pairs).to_pylist(),
                )


def comparable(name: str, values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return text `values` of column `name` as they are compared; what is left empty is NULL."""
    if name in _PHONE:
        values = pc.replace_substring_regex(values, r"[^0-9]", "")
    else:
        values = pc.utf8_trim_whitespace(pc.replace_substring_regex(values, r"\s+", " "))
        if name in _EMAIL:
            values = pc.utf8_lower(values)
    return pc.if_else(pc.equal(values, ""), pa.scalar(None, pa.string()), values)


def _is_derived(table: pa.Table, name: str) -> Any:
    return pc.fill_null(pc.match_substring(table.column("derived"), f'"{name}"'), False)
