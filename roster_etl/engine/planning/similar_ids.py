"""Find records whose ids differ from those of others only by leading zeros or by case.

Belongs here: which keys are alike, within one upload and beside the records that it would remove. Grain of all tables: one row per key.
``pipeline.steps.similar_ids`` decides what is reported.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from roster_etl.engine.transform.mapper import key_text
from roster_etl.frames.arrow import combine_chunks
from roster_etl.frames.similar_ids import id_skeleton

ID_COLUMNS = {"organizations": "organization_id", "users": "user_id", "sections": "section_id"}
"""The tables that are compared, with the column of the id; the other columns of the key must be equal."""


def similar_keys(table: str, keys: pa.Table) -> pa.Table:
    """Return those of `keys` (the key columns of `table`, each once) that are like another one of them."""
    id_ = ID_COLUMNS[table]
    names = keys.column_names
    alike = pa.table({n: id_skeleton(combine_chunks(keys.column(n))) if n == id_ else keys.column(n) for n in names})
    text = key_text(alike, names)
    counts = pc.value_counts(text)
    often = counts.field("values").filter(pc.greater(counts.field("counts"), 1))
    return keys.filter(pc.is_in(text, value_set=often))
