"""Read the values of another set's files from the published roster.

Belongs here: finding the canonical column that takes a vendor column unchanged, from the mappings' lineage, and querying its
current values. An upload of one set can then refer to records that another set published.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import pyarrow as pa

from roster_etl.canonical.references import REFERENCES
from roster_etl.canonical.roster import TABLES
from roster_etl.engine.validation.validate import ReferencedFile
from roster_etl.frames.arrow import REFUSED, ROW
from roster_etl.mapping.column_plan import Const, From, Mapping
from roster_etl.pipeline.uploads.upload import Upload
from roster_etl.pipeline.workspace import Workspace
from roster_etl.spec import File, Format
from roster_etl.store.warehouse import QueryColumn
from roster_etl.vendors import Vendor, vendor

Columns = tuple[str, ...]


class NotPublished(ValueError):
    """No mapping takes the column unchanged, so that the roster does not have its values."""


def published_files(workspace: Workspace, upload: Upload, file: File) -> dict[str, ReferencedFile]:
    """Return the files of other sets that `file` refers to, with the referenced columns, from the roster.

    Grain: one row per combination of values that is referred to together; columns of other combinations are empty in it.
    """
    whole, found = vendor(upload.source), {}
    for name, wanted in _references_outside_set(upload.format, file).items():
        parts = [_current(workspace, upload, published_columns(whole, name, columns)) for columns in wanted]
        rows = pa.concat_tables(parts, promote_options="default")
        rows = rows.append_column(ROW, pa.nulls(rows.num_rows, pa.int64()))
        rows = rows.append_column(REFUSED, pa.repeat(pa.scalar(value=False), rows.num_rows))
        found[name] = ReferencedFile(rows=rows, file_name=upload.format.file(name).file_name, published=True)
    return found


def unpublished_files(workspace: Workspace, upload: Upload) -> list[str]:
    """Return the files of other sets that required columns of the upload refer to, and that have no current record."""
    whole = vendor(upload.source)
    needed = [
        column.references
        for file in upload.format.files
        for column in file.columns
        if column.references and column.required and column.references.file not in {own.name for own in upload.format.files}
    ]
    return [
        reference.file
        for reference in dict.fromkeys(needed)
        if not _current(workspace, upload, published_columns(whole, reference.file, (reference.column,))).num_rows
    ]


def published_columns(full_vendor: Vendor, file: str, columns: Columns) -> tuple[QueryColumn, ...]:
    """Return where the roster stores `columns` of a vendor `file` unchanged: in one table, or in connected tables.

    Raises: NotPublished.
    """
    mappings = [mapping for mapping in full_vendor.mappings if mapping.source == file]
    places = [[place for mapping in mappings if (place := _column_location(mapping, column))] for column in columns]
    ways = [way for way in product(*places) if _are_connected([known.table for known in way])]
    if not ways:
        raise NotPublished(
            f"{full_vendor.format.name}/{file}: no mapping keeps {', '.join(columns)} unchanged, in tables that belong together"
        )
    return min(ways, key=_distance)


def _column_location(mapping: Mapping, column: str) -> QueryColumn | None:
    """Return where a mapping stores `column`, with the key constants that distinguish its records from those of other files."""
    for target, expression in mapping.columns.items():
        if isinstance(expression, From) and expression.via is None and expression.sources == (column,):
            key = TABLES[mapping.to].key
            constants = {name: e.value for name, e in mapping.columns.items() if name in key and isinstance(e, Const)}
            return QueryColumn(table=mapping.to, column=target, name=column, where=constants)
    return None


def _distance(way: Sequence[QueryColumn]) -> tuple[int, int, int]:
    """Sort key: few tables first, then tables whose key is the column alone, then the order of publishing."""
    tables = list(TABLES)
    others = sum(len(set(TABLES[known.table].key) - {known.column, *known.where}) for known in way)
    return len({known.table for known in way}), others, sum(tables.index(known.table) for known in way)


def _are_connected(tables: Sequence[str]) -> bool:
    reached, waiting = {tables[0]}, set(tables[1:]) - {tables[0]}
    while near := {name for name in waiting if any({name} | {one} == {r.table, r.parent} for r in REFERENCES for one in reached)}:
        reached, waiting = reached | near, waiting - near
    return not waiting


def _current(workspace: Workspace, upload: Upload, columns: Sequence[QueryColumn]) -> pa.Table:
    return workspace.warehouse.roster.distinct_values(upload.district_id, upload.source, columns)


def _references_outside_set(format_: Format, file: File) -> dict[str, list[Columns]]:
    """Return the references of `file` to files outside its set: by file, the columns that are looked up together."""
    own = {known.name for known in format_.files}
    wanted: dict[str, list[Columns]] = {}
    for name, columns in file.lookups():
        if name not in own and columns not in wanted.setdefault(name, []):
            wanted[name].append(columns)
    return wanted
