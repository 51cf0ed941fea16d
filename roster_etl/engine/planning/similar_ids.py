"""Find records whose ids are similar to those of others.

Grain of all tables: one row per key. ``pipeline.steps.similar_ids`` decides what is reported.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from roster_etl.frames.arrow import combine_chunks
from roster_etl.frames.row_hashes import key_text
from roster_etl.frames.similar_ids import id_skeleton

ID_COLUMNS = {"organizations": "organization_id", "users": "user_id", "sections": "section_id"}
"""The tables that are compared, with the column of the id; the other columns of the key must be equal."""


def similar_keys(table: str, keys: pa.Table) -> pa.Table:
    """Return those of `keys` (the key columns of `table`, each once) that are like another one of them."""
    text = _skeleton_text(table, keys)
    counts = pc.value_counts(text)
    often = counts.field("values").filter(pc.greater(counts.field("counts"), 1))
    return keys.filter(pc.is_in(text, value_set=often))


def count_similar(table: str, new: pa.Table, known: pa.Table) -> int:
    """Return how many of the keys `new`, none of which is in `known`, are like one of `known`."""
    return int(pc.sum(pc.is_in(_skeleton_text(table, new), value_set=_skeleton_text(table, known))).as_py() or 0)


def _skeleton_text(table: str, keys: pa.Table) -> pa.Array:
    """Return one text for each key, with the id in the form in which ids are compared."""
    id_, names = ID_COLUMNS[table], keys.column_names
    alike = {name: combine_chunks(keys.column(name)) for name in names}
    return key_text(pa.table(alike | {id_: id_skeleton(alike[id_])}), names)
