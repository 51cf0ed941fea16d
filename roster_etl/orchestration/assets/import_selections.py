"""Which assets one import has, and which feeds a selection of assets is about.

Belongs here: questions about sets of asset keys. Does not belong here: what a run does with the answer (``whole_imports``).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from functools import cache

import dagster as dg

from roster_etl.spec import Format
from roster_etl.vendors import Vendor, discover_vendors, vendor
from roster_etl.vendors.lineage import tables_of

ImportName = tuple[str, str]
"""A format, and one of its file sets."""
_UPLOAD, _STATE, _PLAN = "upload", "state", "plan"
_TABLE_STAGES = ("roster", "warehouse")


@cache
def import_keys(source: str, file_set: str) -> frozenset[dg.AssetKey]:
    """Return the assets of one import: its upload and files, the tables that they fill, the plan and the report."""
    of_set = vendor(source).for_file_set(file_set)
    own = [_UPLOAD, *(file.name for file in of_set.format.files), *([_STATE] if of_set.change_plan is not None else [])]
    tables = [[stage, table] for table in tables_of(of_set) for stage in _TABLE_STAGES]
    return frozenset(dg.AssetKey(path) for path in [*([source, name] for name in own), *tables, ["roster", _PLAN], ["report"]])


def whole_import(keys: Iterable[dg.AssetKey]) -> ImportName | None:
    """Return the import whose assets are exactly `keys`, exports aside; None: they are fewer or more."""
    selected = {key for key in keys if key.path[0] != "export"}
    return next((name for name in all_imports() if import_keys(*name) == selected), None)


def imports_of(keys: Iterable[dg.AssetKey]) -> list[ImportName]:
    """Return the imports that `keys` are about: those of their files; of all uploads that fill their tables, if they have no file."""
    paths = {tuple(key.path) for key in keys}
    formats = {path[0] for path in paths} & discover_vendors().keys()
    if formats:
        return [name for source in sorted(formats) for name in _imports_of_files(vendor(source).format, paths)]
    tables = {path[1] for path in paths if path[0] in _TABLE_STAGES and path[1] != _PLAN}
    return [name for name in all_imports() if not tables or tables & {*tables_of(_of_set(name))}]


def all_imports() -> list[ImportName]:
    """Return every import that there is: a format and a file set."""
    return [(source, found.name) for source, one in discover_vendors().items() for found in one.format.file_sets]


def _of_set(name: ImportName) -> Vendor:
    return vendor(name[0]).for_file_set(name[1])


def _imports_of_files(format_: Format, paths: Collection[tuple[str, ...]]) -> list[ImportName]:
    """Return the imports of one format: of the selected files, or of all file sets if only the upload is selected."""
    chosen = {path[1] for path in paths if path[0] == format_.name} - {_UPLOAD, _STATE}
    return [(format_.name, found.name) for found in format_.file_sets if not chosen or chosen & {*found.files}]
