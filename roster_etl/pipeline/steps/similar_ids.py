"""Report new records whose ids are similar to those of other records.

Belongs here: which keys are compared, and the finding. The comparison is ``engine.planning.similar_ids``.
"""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

from roster_etl.canonical.roster import TABLES
from roster_etl.engine.planning.plan import Plan, TablePlan
from roster_etl.engine.planning.similar_ids import ID_COLUMNS, count_similar, similar_keys
from roster_etl.frames.arrow import combine_chunks
from roster_etl.frames.row_hashes import key_text
from roster_etl.frames.similar_ids import DIFFERENCE
from roster_etl.pipeline.steps.closing_versions import ClosingVersions
from roster_etl.pipeline.uploads.upload import Upload
from roster_etl.spec.findings import Finding
from roster_etl.store.warehouse import RosterReader


def similar_id_findings(
    roster: RosterReader, upload: Upload, plan: Plan, tables: Mapping[str, pa.Table], closing: ClosingVersions
) -> list[Finding]:
    """Return a finding for each table with new records that are alike to known ones, removed ones included; none at a first load."""
    if plan.base is None:
        return []
    found = [
        (name, _count_similar(roster, upload, plan.tables[name], tables[name], closing)) for name in ID_COLUMNS if name in tables
    ]
    return [_finding(name, count) for name, count in found if count]


def _count_similar(roster: RosterReader, upload: Upload, plan: TablePlan, mapped: pa.Table, closing: ClosingVersions) -> int:
    """Return the number of new records of a table whose ids are alike to known ones; reads the removed ones only."""
    if not plan.created:
        return 0
    key = list(TABLES[plan.table].key)
    gone = [closing.removed(plan.table).select(key)] if plan.deleted else []
    every = pa.concat_tables([_plain(part) for part in (mapped.select(key), *gone)]).group_by(key).aggregate([])
    alike = similar_keys(plan.table, every)
    if not alike.num_rows:
        return 0
    known = _plain(roster.versions_by_key(upload.district_id, upload.source, plan.table, alike).select(key))
    new = _without(alike, known, key)
    if new.num_rows:  # whoever comes back under the own id is not new
        feed = (upload.district_id, upload.source)
        before = roster.versions_by_key(*feed, plan.table, new, past=True)
        undone = pc.is_in(before.column("valid_to_import"), value_set=pa.array(roster.reverted_imports(*feed), pa.int64()))
        new = _without(new, _plain(before.filter(pc.invert(undone)).select(key)), key)
    return count_similar(plan.table, new, known)


def _without(keys: pa.Table, others: pa.Table, key: list[str]) -> pa.Table:
    return keys.filter(pc.invert(pc.is_in(key_text(keys, key), value_set=key_text(others, key))))


def _plain(keys: pa.Table) -> pa.Table:
    return pa.table({name: combine_chunks(keys.column(name)).cast(pa.string()) for name in keys.column_names})


def _finding(table: str, count: int) -> Finding:
    message = f"{count:,} new ids differ from known ones {DIFFERENCE}. They count as different records."
    return Finding(severity="warning", code="similar_id", field=table, message=message)
