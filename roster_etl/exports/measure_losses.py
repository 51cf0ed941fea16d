"""Measure losses: compare what our reader makes of the files with the roster that was to be said.

Whatever differs and is not counted yet is counted here, so that the list of losses is complete by construction.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from roster_etl.canonical.roster import TABLES
from roster_etl.exports.arrays import Array, Mask, column, each_distinct, present, same
from roster_etl.exports.export_tables import ROW, ColumnStore, ExportTables
from roster_etl.exports.losses import Losses
from roster_etl.exports.plan import ExportFormat
from roster_etl.frames.arrow import common_codes, row_codes, rows_ascend, shares_code

_VALUES = frozenset({"value_changed", "value_made_up", "column_left_out"})


def count_roundtrip_losses(work: ExportTables, read: Iterable[tuple[str, pa.Table]], format_: ExportFormat) -> None:
    """Count what differs between the roster (`work.original`) and what was `read` back, beyond what the rules have counted.

    Args: read: canonical tables as our reader maps them, one after the other, without rejected rows.
    """
    for name, made in read:
        if name in work.original or made.num_rows:
            _measure_table(work, name, made, format_)
        del made
        work.store.release()


def _measure_table(work: ExportTables, name: str, made: pa.Table, format_: ExportFormat) -> None:
    spec, said = TABLES[name], work.table(name)
    before_at = _aligned(work, name, made)
    if before_at is not None:
        after_at = None
    else:
        places, first = _places(said, made, spec.key, work.store)
        read, known = places >= 0, np.zeros(made.num_rows, dtype=bool)
        known[places[read]] = True
        work.losses.add("row_left_out", "no_home", int((~read).sum()), table=name)
        work.losses.add("rows_joined", "several_values", int(read.sum()) - int(known.sum()), table=name)
        work.losses.add("value_made_up", "synthetic", int((first & ~known).sum()), table=name)
        kept = read & present(column(said, ROW))
        before_at, after_at = column(said, ROW).filter(pa.array(kept)), _if_moved(places[kept], made.num_rows)
        del read, known, places, first, kept
    del said
    work.store.release()
    if (original := work.original.get(name)) is not None:
        before_at = _if_moved(before_at.to_numpy(), original.num_rows)
        _measure_columns(work, name, (original, before_at), (made, after_at), format_)


def _measure_columns(
    work: ExportTables,
    name: str,
    before: tuple[pa.Table, Array | None],
    after: tuple[pa.Table, Array | None],
    format_: ExportFormat,
) -> None:
    """Count the cells that differ between rows of two tables, each with the places of the rows (None: all, as they are)."""
    (original, before_at), (made, after_at) = before, after
    for column_name in (*TABLES[name].names, "extensions"):
        if column_name in original.column_names and column_name in made.column_names:
            one, other = original.column(column_name), made.column(column_name)
            if one.null_count < len(one) or other.null_count < len(other):
                here, there = column(original, column_name), column(made, column_name)
                here = here if before_at is None else here.take(before_at)
                there = there if after_at is None else there.take(after_at)
                _measure_column(work.losses, name, column_name, here, there, format_)
                work.store.release()


def _if_moved(places: np.ndarray[Any, np.dtype[np.int64]], rows: int) -> Array | None:
    """Return places of rows; None: they are all rows, in their order."""
    return None if len(places) == rows and (places == np.arange(rows)).all() else pa.array(places)


def _aligned(work: ExportTables, name: str, made: pa.Table) -> Array | None:
    """Return for each record that came back the place in the roster of the one that was written in its row.

    None: some other record came back there, or it is not known; then records are looked for by their keys.
    """
    written, said, key = work.written.get(name), work.table(name), TABLES[name].key
    if written is None or written.null_count or not len(written) == made.num_rows == said.num_rows:
        return None
    if not rows_ascend([column(made, column_name) for column_name in key]):
        return None
    if column(said, ROW).null_count:
        return None
    numbers, there = written.to_numpy(), column(said, ROW).to_numpy()
    place_of = np.full(max(numbers.max(), there.max()) + 1, -1)
    place_of[there] = np.arange(said.num_rows)
    if (place_of[numbers] < 0).any():  # the rows of the file are made of those of another table
        return None
    places = pa.array(place_of[numbers])
    for column_name in key:
        if not same(column(said, column_name).take(places), column(made, column_name)).all():
            return None
        work.store.release()
    return written


def _places(
    said: pa.Table, made: pa.Table, key: Sequence[str], store: ColumnStore
) -> tuple[np.ndarray[Any, np.dtype[np.int64]], Mask]:
    """Return for each record that was said the place of the first one that came back, -1 if none did; and which are the first ones."""

    def pairs() -> Iterator[tuple[Array, Array]]:
        for name in key:
            yield column(said, name), column(made, name)
            store.release()

    if said.num_rows == made.num_rows and _same_in_each_row(pairs()) and _all_differ(made, key):
        return np.arange(made.num_rows), np.ones(made.num_rows, dtype=bool)
    ours, theirs = common_codes(pairs(), said.num_rows)
    first = ~pd.Series(theirs).duplicated().to_numpy()
    found = pd.Index(theirs[first]).get_indexer(pd.Index(ours))
    return np.where(found >= 0, np.flatnonzero(first)[found] if len(theirs) else found, -1), first


def _same_in_each_row(pairs: Iterable[tuple[Array, Array]]) -> bool:
    return all(one.type == other.type and same(one, other).all() for one, other in pairs)


def _all_differ(rows: pa.Table, key: Sequence[str]) -> bool:
    return not shares_code(row_codes([column(rows, name) for name in key])).any()


def _measure_column(losses: Losses, table: str, name: str, before: Array, after: Array, format_: ExportFormat) -> None:
    if before.type != after.type:
        after = after.cast(before.type)
    if name == "extensions":
        after = pc.if_else(pc.equal(after, "{}"), pa.scalar(None, pa.string()), after)
    differs = ~same(before, after)
    if name == "extensions" and differs.any():
        both = differs & present(before) & present(after)
        some = pa.array(both)
        differs[both] = ~same(_by_meaning(before.filter(some)), _by_meaning(after.filter(some)))
    if not differs.any():
        return
    already = losses.count(table=table, column=name, kinds=_VALUES)
    given, read = present(before), present(after)
    lost, changed, made_up = (int((differs & which).sum()) for which in (given & ~read, given & read, ~given))
    rest = max(0, lost + changed + made_up - already)
    for count, kind, reason in (
        (made_up, "value_made_up", "missing_required"),
        (changed, "value_changed", "coarser_code"),
        (lost, "column_left_out", "no_home"),
    ):
        losses.add(kind, reason, min(count, rest), table=table, column=name)  # type: ignore[arg-type]
        rest -= min(count, rest)


def _by_meaning(cells: Array) -> Array:
    """Return JSON objects in one spelling, whatever the order of their keys."""
    return each_distinct(cells, lambda cell: json.dumps(json.loads(cell), sort_keys=True))
