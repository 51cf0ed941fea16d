"""Rows that stand in for those of a better file: a site is called by its code until the file of sites names it.

Belongs here: which file is the better one, and whether this upload's leaves records unknown. Then what is known of them stays.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc

from roster_etl.canonical.roster import TABLES
from roster_etl.engine.transform.carry_over import stand_aside
from roster_etl.engine.transform.mapper import MappedTable
from roster_etl.frames.arrow import flat
from roster_etl.pipeline.uploads.upload import Upload
from roster_etl.pipeline.workspace import Workspace


def without_stand_ins(workspace: Workspace, upload: Upload, table: str, mapped: MappedTable) -> MappedTable:
    """Return `mapped` with rows that stand in for a refused one marked as refused, where a better version is current."""
    place = (upload.district_id, upload.import_id)
    for better, others in _stand_ins(upload, table):
        name = f"judged/{better}"
        document = workspace.frames.read_json(*place, name) if workspace.frames.exists(*place, name) else {}
        if document.get("refused") or document.get("rows_rejected"):
            mapped = replace(
                mapped,
                table=stand_aside(
                    TABLES[table],
                    mapped.table,
                    _known(workspace, upload, table, better),
                    better=upload.file_name(upload.format.file(better)),
                    others=others,
                    unsure=bool(document["refused"] or document["evidence"]),
                ),
            )
    return mapped


def _stand_ins(upload: Upload, table: str) -> Iterator[tuple[str, frozenset[str]]]:
    """Yield each file of which `table` is made, with the names of the files whose rows stand in for its own."""
    mappings = [mapping for mapping in upload.vendor.mappings if mapping.to == table]
    for better in dict.fromkeys(mapping.source for mapping in mappings):
        first = next(number for number, mapping in enumerate(mappings) if mapping.source == better)
        later = {m.source for m in mappings[first:] if m.yields and m.source != better}
        if later and not mappings[first].yields:
            yield better, frozenset(upload.file_name(upload.format.file(source)) for source in later)


def _known(workspace: Workspace, upload: Upload, table: str, better: str) -> pa.Table:
    """Return the current versions of `table` that came from the file `better`."""
    known = workspace.warehouse.current_hashes(upload.district_id, upload.source, table)
    current = workspace.warehouse.versions(table, known.column("version_id"))
    origin = flat(current.column("source_file"))
    names = [name for name in pc.unique(origin).to_pylist() if name and upload.kind_of(name) == better]
    return current.filter(pc.is_in(origin, value_set=pa.array(names, pa.string())))
