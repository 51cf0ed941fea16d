"""Carry over: missing columns, or a missing primary file, keep the current values instead of clearing them."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from roster_etl.canonical.roster import RosterTable
from roster_etl.frames.arrow import REFUSED, combine_chunks
from roster_etl.frames.row_hashes import HASH, key_text, row_hash


def carry_over_missing_columns(
    target: RosterTable,
    mapped: pa.Table,
    current: pa.Table,
    missing_columns: Mapping[str, Collection[str]],
    extensions: Collection[str],
) -> pa.Table:
    """Return `mapped` with the values of `current` for missing columns, and with new row hashes.

    Args: missing_columns: file name as uploaded → target columns that its rows cannot fill; extensions: header names of
          extension columns that the upload lacks. Records that are not in `current` keep their empty cells.
    """
    place = pc.index_in(key_text(mapped, target.key), value_set=key_text(current, target.key))
    origin = combine_chunks(mapped.column("source_file"))
    for name in sorted({column for columns in missing_columns.values() for column in columns}):
        files = pa.array([file for file, columns in missing_columns.items() if name in columns], pa.string())
        chosen = pc.and_(pc.is_in(origin, value_set=files), pc.is_valid(place))
        before = combine_chunks(current.column(name)).take(place)
        mapped = _set_column(mapped, name, pc.if_else(chosen, before, combine_chunks(mapped.column(name))))
    if extensions:
        mapped = _set_column(
            mapped, "extensions", _extensions(combine_chunks(mapped.column("extensions")), current, place, extensions)
        )
    return _set_column(mapped, HASH, row_hash(mapped, target))


def carry_over_unsure_values(
    target: RosterTable, mapped: pa.Table, current: pa.Table, unsure: Mapping[str, pa.Array]
) -> pa.Table:
    """Return `mapped` with the values of `current` in cells that are missing because a row of another file was rejected.

    Args: unsure: column → keys of the records (`MappedTable.unsure`). Records that are not in `current` keep their empty cells.
    """
    keys = key_text(mapped, target.key)
    place = pc.index_in(keys, value_set=key_text(current, target.key))
    for name, records in unsure.items():
        chosen = pc.and_(pc.is_in(keys, value_set=records), pc.is_valid(place))
        before = combine_chunks(current.column(name)).take(place)
        mapped = _set_column(mapped, name, pc.if_else(chosen, before, combine_chunks(mapped.column(name))))
    return _set_column(mapped, HASH, row_hash(mapped, target))


def find_placeholder_rows(
    target: RosterTable, mapped: pa.Table, *, primary_file: str, placeholder_files: Collection[str], has_redacted_key: bool
) -> np.ndarray:
    """Return which rows of `mapped` are placeholders of a record that `primary_file` may have, although no accepted row of it says so.

    A placeholder row has less data than the primary file.

    Args: placeholder_files: names of the files whose rows are placeholders; has_redacted_key: the primary file has records without a
          readable key, which may be any record. Without them, only records that a rejected row of the primary file names are meant.
    """
    origin, refused = combine_chunks(mapped.column("source_file")), combine_chunks(mapped.column(REFUSED))
    aside = pc.and_(pc.is_in(origin, value_set=pa.array(sorted(placeholder_files), pa.string())), pc.invert(refused))
    if not has_redacted_key:
        named = key_text(mapped.filter(pc.and_(refused, pc.equal(origin, primary_file))), target.key)
        places = np.flatnonzero(aside.to_numpy(zero_copy_only=False))
        meant = pc.is_in(key_text(mapped.take(pa.array(places)), target.key), value_set=named)
        chosen = np.zeros(mapped.num_rows, dtype=bool)
        chosen[places] = meant.to_numpy(zero_copy_only=False)
        return chosen
    return aside.to_numpy(zero_copy_only=False)


def suppress_placeholders(target: RosterTable, mapped: pa.Table, placeholders: np.ndarray, current: pa.Table) -> pa.Table:
    """Mark those of the `placeholders` as rejected whose record is in `current`, so that they do not overwrite its values.

    The record counts as seen and keeps its current values.

    Args: placeholders: one flag a row of `mapped`; current: the current versions of their records that came from the primary file.
    """
    places = np.flatnonzero(placeholders)
    known = pc.is_in(key_text(mapped.take(pa.array(places)), target.key), value_set=key_text(current, target.key))
    refused = combine_chunks(mapped.column(REFUSED)).to_numpy(zero_copy_only=False).copy()
    refused[places] |= known.to_numpy(zero_copy_only=False)
    return _set_column(mapped, REFUSED, pa.array(refused))


def _extensions(now: pa.Array, current: pa.Table, position: pa.Array, lost: Collection[str]) -> pa.Array:
    before = combine_chunks(current.column("extensions")).take(position)
    texts = now.to_pylist()
    for number in np.flatnonzero(pc.fill_null(pc.not_equal(before, "{}"), False).to_numpy(zero_copy_only=False)):
        kept = {name: value for name, value in json.loads(before[number].as_py()).items() if name in lost}
        if kept:
            members = sorted({**json.loads(texts[number]), **kept}.items())
            texts[number] = json.dumps(dict(members), ensure_ascii=False)
    return pa.array(texts, pa.string())


def _set_column(table: pa.Table, name: str, values: pa.Array) -> pa.Table:
    return table.set_column(table.schema.get_field_index(name), name, values)
