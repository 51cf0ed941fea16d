"""Which assets one import has, and which feeds a selection of assets is about."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from functools import cache

import dagster as dg

from roster_etl.orchestration.assets.asset_keys import PLAN, STAGES, STATE_NAME, UPLOAD_NAME, district_keys, vendor_key
from roster_etl.spec import Format
from roster_etl.vendors import discover_vendors, vendor
from roster_etl.vendors.lineage import tables_of

ImportName = tuple[str, str]
"""A format, and one of its file sets."""
_TABLE_STAGES = ("roster", "warehouse")


@cache
def vendor_keys(source: str, file_set: str) -> frozenset[dg.AssetKey]:
    """Return the assets of the job of one import: its upload, its files, and what follows from them, up to the report."""
    of_set = vendor(source).for_file_set(file_set)
    own = [UPLOAD_NAME, *(file.name for file in of_set.format.files), *STAGES]
    return frozenset(vendor_key(source, name) for name in [*own, *([STATE_NAME] if of_set.change_plan is not None else [])])


@cache
def import_keys(source: str, file_set: str) -> frozenset[dg.AssetKey]:
    """Return all assets that one import makes: those of its job, and those of the district."""
    return vendor_keys(source, file_set) | {*district_keys(vendor(source).for_file_set(file_set))}


def whole_import(keys: Iterable[dg.AssetKey]) -> ImportName | None:
    """Return the import the assets of whose job are exactly those of a format in `keys`; None: they are fewer or more."""
    formats = discover_vendors().keys()
    selected = {key for key in keys if key.path[0] in formats}
    return next((name for name in all_imports() if vendor_keys(*name) == selected), None)


def imports_of(keys: Iterable[dg.AssetKey]) -> list[ImportName]:
    """Return the imports that `keys` are about: those of their files; of all uploads that fill their tables, if they have no file."""
    paths = {tuple(key.path) for key in keys}
    formats = {path[0] for path in paths} & discover_vendors().keys()
    if formats:
        return [name for source in sorted(formats) for name in _imports_of_files(vendor(source).format, paths)]
    tables = {path[1] for path in paths if path[0] in _TABLE_STAGES and path[1] != PLAN.path[1]}
    return [name for name in all_imports() if not tables or tables & {*tables_of(vendor(name[0]).for_file_set(name[1]))}]


def all_imports() -> list[ImportName]:
    """Return every import that there is: a format and a file set."""
    return [(source, found.name) for source, one in discover_vendors().items() for found in one.format.file_sets]


def _imports_of_files(format_: Format, paths: Collection[tuple[str, ...]]) -> list[ImportName]:
    """Return the imports of one format: of the selected files, or of all file sets if no file is selected."""
    chosen = {path[1] for path in paths if path[0] == format_.name} - {UPLOAD_NAME, STATE_NAME, *STAGES}
    return [(format_.name, found.name) for found in format_.file_sets if not chosen or chosen & {*found.files}]
