"""What an upload does not speak of: values whose columns it lost stay as they are, and so do records that it lost the better file of.

Belongs here: filling a mapped table from the current versions. An absent column leaves values alone; a blank cell clears.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from roster_etl.canonical.roster import RosterTable
from roster_etl.engine.transform.mapper import HASH, key_text, row_hash
from roster_etl.frames.arrow import REFUSED, combine_chunks


def carry_over_missing_columns(
    target: RosterTable,
    mapped: pa.Table,
    current: pa.Table,
    missing_columns: Mapping[str, Collection[str]],
    extensions: Collection[str],
) -> pa.Table:
    """Return `mapped` with the values of `current` where the upload says nothing, and with new row hashes.

    Args: silent: file name as uploaded → target columns of its rows that are unstated; extensions: header names of extension
        columns that the upload lost. Records that are not in `current` keep their empty cells.
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


def suppress_placeholders(
    target: RosterTable,
    mapped: pa.Table,
    current: pa.Table,
    *,
    primary_file: str,
    placeholder_files: Collection[str],
    has_redacted_key: bool,
) -> pa.Table:
    """Return `mapped` with rows that stand in for those of file `primary_file` marked as refused, where that file may mean theirs.

    Such a record was seen, and stays as it is known: what stands in says less than what was there.

    Args: known: the current versions that came from that file; placeholder_files: names of the files whose rows stand in;
        has_redacted_key: records of the file do not tell whose they are, so that they may be any.
    """
    keys, origin, refused = (
        key_text(mapped, target.key),
        combine_chunks(mapped.column("source_file")),
        combine_chunks(mapped.column(REFUSED)),
    )
    aside = pc.and_(pc.is_in(origin, value_set=pa.array(sorted(placeholder_files), pa.string())), pc.invert(refused))
    aside = pc.and_(aside, pc.is_in(keys, value_set=key_text(current, target.key)))
    if not has_redacted_key:
        named = keys.filter(pc.and_(refused, pc.equal(origin, primary_file)))
        aside = pc.and_(aside, pc.is_in(keys, value_set=named))
    return _set_column(mapped, REFUSED, pc.or_(refused, aside))


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
