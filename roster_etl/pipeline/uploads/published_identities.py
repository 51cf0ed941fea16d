"""What the roster has of the records that an upload's rows claim to describe.

Belongs here: going from the identity columns of a vendor file to the canonical columns that they become, by the mappings, and looking
up the records of some ids. The lookup runs only for ids whose rows contradict each other.
"""

from __future__ import annotations

from collections.abc import Mapping as Named
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from roster_etl.canonical.roster import TABLES
from roster_etl.engine.validation.identity_checks import KNOWN, PublishedRecords
from roster_etl.frames.arrow import combine_chunks, row_codes, to_arrow_array
from roster_etl.frames.row_hashes import as_text, key_text
from roster_etl.mapping.column_plan import Const, FirstOf, From, Lookup, Mapping
from roster_etl.pipeline.uploads.upload import Upload
from roster_etl.pipeline.workspace import Workspace
from roster_etl.spec import File, Identity


@dataclass(frozen=True, kw_only=True)
class _Place:
    """A canonical table whose records the file's identity key names: its key, and the columns that identity columns become.

    ``source``: the file of the mapping, which is another one where the rows of the file are looked up. ``by_column``: ``key`` is not
    the table's, but columns that the identity key becomes, such as the source's own id of an enrollment.
    """

    table: str
    source: str
    key: dict[str, From | Const]
    columns: dict[str, tuple[str, From]]
    by_column: bool = False


def published_records(workspace: Workspace, upload: Upload, file: File) -> PublishedRecords | None:
    """Return how to look up the published records of `file`; None where its identity becomes no column of a record."""
    own = _lookup(workspace, upload, file, file.identity) if file.identity else None
    parts = {part.key: found for part in file.parts if (found := _lookup(workspace, upload, file, part))}
    return replace(own, parts=parts) if own else None


def _lookup(workspace: Workspace, upload: Upload, file: File, identity: Identity) -> PublishedRecords | None:
    places = _places(upload, file, identity)
    if not places:
        return None
    comparable = {
        name: partial(_converted, expression, TABLES[place.table].arrow_schema.field(target).type)
        for place in places
        for name, (target, expression) in place.columns.items()
    }
    find = partial(_find, workspace, upload, places)
    keys = None if places[0].by_column else partial(_keys, workspace, upload, places[0])
    return PublishedRecords(find=find, keys=keys, comparable=comparable)


def _places(upload: Upload, file: File, identity: Identity) -> list[_Place]:
    found: list[_Place] = []
    wanted, ids = list(identity.columns), identity.key or file.key
    for mapping in upload.vendor.mappings:
        named = _as_named(mapping, file)
        whole = _key(mapping, ids, named)
        key = whole or _column_key(mapping, ids, named)
        columns = {name: place for name in wanted if (place := _becomes(mapping, named.get(name, "")))}
        if named and key is not None and columns:
            found.append(_Place(table=mapping.to, source=mapping.source, key=key, columns=columns, by_column=whole is None))
            wanted = [name for name in wanted if name not in columns]
    return found


def _as_named(mapping: Mapping, file: File) -> dict[str, str]:
    """Return, by column of `file`, its name in the rows of the mapping: of the mapping's own file, or of one that these are looked up in."""
    if mapping.source == file.name:
        return {column.name: column.name for column in file.columns}
    lookups = [step for step in mapping.steps if isinstance(step, Lookup) and step.file == file.name and (step.key,) == file.key]
    return {column: name for step in lookups for name, column in step.take.items()} | {step.key: step.on for step in lookups}


def _key(mapping: Mapping, ids: tuple[str, ...], named: Named[str, str]) -> dict[str, From | Const] | None:
    """Return the key of a mapping's table, of columns of the file, where `ids` are all that it is made of."""
    key: dict[str, From | Const] = {}
    columns = {named[name]: name for name in ids if name in named}
    for name in TABLES[mapping.to].key:
        expression = mapping.columns.get(name)
        first = expression.choices[0] if isinstance(expression, FirstOf) else expression  # ids that are compared are complete
        match first:
            case Const():
                key[name] = first
            case From(sources=(source,), via=None) if source in columns:
                key[name] = From(columns[source])
            case _:
                return None
    sources = {expression.sources[0] for expression in key.values() if isinstance(expression, From)}
    return key if sources == set(ids) else None


def _column_key(mapping: Mapping, ids: tuple[str, ...], named: Named[str, str]) -> dict[str, From | Const] | None:
    """Return the columns that `ids` become, as they are; None if they are a part of the table's key that many records share."""
    found = [(name, _becomes(mapping, named.get(name, ""))) for name in ids]
    columns: dict[str, From | Const] = {place[0]: From(name) for name, place in found if place and place[1].via is None}
    shared = len(ids) == 1 and set(columns) <= set(TABLES[mapping.to].key)
    return columns if len(columns) == len(ids) and not shared else None


def _becomes(mapping: Mapping, column: str) -> tuple[str, From] | None:
    """Return the canonical column that a mapping makes of `column` alone."""
    for target, expression in mapping.columns.items():
        if isinstance(expression, From) and expression.sources == (column,) and expression.option is None:
            return target, expression
    return None


def _converted(expression: From, kind: pa.DataType, cells: pa.Array) -> pa.Array:
    """Return vendor cells as the text of the canonical values that they become."""
    if expression.via is None:
        return cells
    made = to_arrow_array(expression.via(pd.Series(pd.arrays.ArrowExtensionArray(cells))))
    return as_text(made if made.type == kind else made.cast(kind))


def _find(workspace: Workspace, upload: Upload, places: list[_Place], ids: pa.Table) -> pa.Table:
    """Return ``_known`` and the published values of the identity columns for each of `ids`."""
    known = np.zeros(ids.num_rows, dtype=bool)
    columns: dict[str, pa.Array] = {}
    for place in places:
        keys = pa.table({name: _key_cells(expression, ids) for name, expression in place.key.items()})
        current = (
            _current_by_column(workspace, upload, place, keys) if place.by_column else _current(workspace, upload, place, keys)
        )
        names = keys.column_names if place.by_column else TABLES[place.table].key
        at = pc.index_in(key_text(keys, names), value_set=key_text(current, names))
        known |= pc.is_valid(at).to_numpy(zero_copy_only=False)
        columns |= {name: as_text(combine_chunks(current.column(target))).take(at) for name, (target, _) in place.columns.items()}
    return pa.table({**columns, KNOWN: pa.array(known)})


def _current(workspace: Workspace, upload: Upload, place: _Place, keys: pa.Table) -> pa.Table:
    with workspace.warehouse.read() as session:
        return session.roster.versions_by_key(upload.district_id, upload.source, place.table, keys)


def _current_by_column(workspace: Workspace, upload: Upload, place: _Place, keys: pa.Table) -> pa.Table:
    """Return the current records with the values of a row of `keys`, one each: the newest.

    Costs the feed's current records: the columns have no index, and are looked up only where rows contradict each other.
    """
    names = keys.column_names
    columns = list(dict.fromkeys(["version_id", *names, *(target for target, _ in place.columns.values())]))
    with workspace.warehouse.read() as session:
        every = session.roster.current_records(upload.district_id, upload.source, place.table, columns)
    found = every.filter(pc.is_in(key_text(every, names), value_set=key_text(keys, names))).sort_by(
        [("version_id", "descending")]
    )
    newest = np.unique(row_codes([key_text(found, names)]), return_index=True)[1]
    return found.take(pa.array(newest))


def _keys(workspace: Workspace, upload: Upload, place: _Place) -> pa.Table:
    """Return the ids, in columns of the file, of all current records that came from it."""
    with workspace.warehouse.read() as session:
        where = {name: expression.value for name, expression in place.key.items() if isinstance(expression, Const)}
        current = session.roster.current_keys(upload.district_id, upload.source, place.table, where)
    origin = combine_chunks(current.column("source_file"))
    files = [name for name in pc.unique(origin).to_pylist() if name and upload.kind_of(name) == place.source]
    own = current.filter(pc.is_in(origin, value_set=pa.array(files, pa.string())))
    return pa.table({e.sources[0]: combine_chunks(own.column(name)) for name, e in place.key.items() if isinstance(e, From)})


def _key_cells(expression: From | Const, ids: pa.Table) -> pa.Array:
    if isinstance(expression, Const):
        return pa.repeat(pa.scalar(expression.value), ids.num_rows)
    return combine_chunks(ids.column(expression.sources[0]))
