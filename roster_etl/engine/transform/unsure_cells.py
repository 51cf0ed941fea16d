"""Cells that are missing only because a row was rejected: the record keeps the values that it has there.

Such are cells of another file's row, and references to one, which validation emptied (``FileState.unsure``). Belongs here: which cells are unsure, through the steps and expressions of a mapping. The values themselves are kept by ``carry_over``.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

import pyarrow as pa
import pyarrow.compute as pc

from roster_etl.frames.arrow import DELETED, REFUSED, combine_chunks, unsure_name
from roster_etl.mapping.column_plan import Expression, FirstOf, From, IfOption, Lookup


def unsure_flags(rows: pa.Table, column: str) -> pa.Array | None:
    """Return the flags of the unsure cells of `column`, if it has any."""
    name = unsure_name(column)
    return pc.fill_null(combine_chunks(rows.column(name)), fill_value=False) if name in rows.column_names else None


def unsure_lookups(step: Lookup, rows: pa.Table, other: pa.Table, places: pa.Array) -> pa.Array | None:
    """Return which rows found nothing, and might have if a row of the other file had not been rejected; None: no row.

    A lookup that may use rejected rows finds them.
    """
    flags = [flag for flag in (unsure_flags(rows, step.on),) if flag is not None]
    if step.accepted or step.where:
        rejected = combine_chunks(other.column(REFUSED))
        rejected = pc.and_not(rejected, combine_chunks(other.column(DELETED))) if DELETED in other.column_names else rejected
        if pc.any(rejected).as_py():
            rejected = rejected if step.where is None else pc.and_not(rejected, _says_otherwise(step, other))
            keys = pc.drop_null(combine_chunks(other.column(step.key)).filter(rejected))
            flags.append(pc.is_in(combine_chunks(rows.column(step.on)), value_set=keys))
    unsure = pc.and_(reduce(pc.or_, flags), pc.is_null(places)) if flags else None
    return unsure if unsure is not None and pc.any(unsure).as_py() else None


def _says_otherwise(step: Lookup, other: pa.Table) -> pa.Array:
    """Return which rows have a word that does not meet the condition; one that no accepted row has may be a misspelling."""
    if step.where is None or step.where.column not in other.column_names:
        return pa.repeat(pa.scalar(False), other.num_rows)
    words = pc.utf8_lower(combine_chunks(other.column(step.where.column)))
    wanted = pc.is_in(words, value_set=pa.array([value.lower() for value in step.where.values]))
    accepted = pc.unique(words.filter(pc.invert(pc.or_(combine_chunks(other.column(REFUSED)), wanted))))
    return pc.is_in(words, value_set=pc.drop_null(accepted))


def unsure_cells(expression: Expression, rows: pa.Table) -> pa.Array | None:
    """Return which rows lack the value of `expression` because a cell that it is made of is unsure; None: no row."""
    match expression:
        case From(sources=sources):
            return _any([unsure_flags(rows, name) for name in sources])
        case FirstOf(choices=choices):
            first, own = choices[0], unsure_cells(choices[0], rows)
            later = _any([unsure_cells(choice, rows) for choice in choices[1:]])
            if later is not None and isinstance(first, From) and set(first.sources) <= set(rows.column_names):
                filled = reduce(pc.and_, [pc.is_valid(combine_chunks(rows.column(name))) for name in first.sources])
                later = pc.and_not(later, filled)
            return _any([own, later])
        case IfOption(then=then, otherwise=otherwise):
            return _any([unsure_cells(choice, rows) for choice in (then, otherwise)])
        case _:
            return None


def _any(flags: Sequence[pa.Array | None]) -> pa.Array | None:
    there = [flag for flag in flags if flag is not None]
    return reduce(pc.or_, there) if there else None
