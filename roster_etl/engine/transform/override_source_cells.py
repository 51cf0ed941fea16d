"""Stewards' edits put into the cells that the edited values came from, so that derived values are derived from what is published.

Belongs here: finding those cells. An edited cell stands in a column beside the one that was sent (``mapper.edited_name``): only
derived values read it, and no id is ever made of it. The edited value itself is set by ``overrides``.
"""

from __future__ import annotations

from collections.abc import Mapping as MappingABC
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from roster_etl.canonical.roster import TABLES, RosterTable
from roster_etl.engine.transform.mapper import SourceFile, edited_name, source_records
from roster_etl.engine.transform.overrides import RecordEdit, parse_edit_value
from roster_etl.frames.arrow import ROW, combine_chunks, to_arrow_array
from roster_etl.frames.row_hashes import key_text
from roster_etl.mapping.column_plan import Expression, FirstOf, From, IfOption, Mapping

Edits = MappingABC[str, Sequence[RecordEdit]]
_MOST_CANDIDATES = 1_000  # different cells of a column that are tried as the vendor's spelling of an edited value


def with_edited_cells(
    files: MappingABC[str, SourceFile], mappings: Sequence[Mapping], edits: Edits, options: MappingABC[str, object]
) -> dict[str, SourceFile]:
    """Return `files` with edited cells beside those that were sent. `edits`: by canonical table."""
    found = dict(files)
    for mapping in mappings:
        mine = edits.get(mapping.to, ())
        if mine and set(mapping.files()) <= files.keys():
            rows = _with_edits(TABLES[mapping.to], mapping, mine, files, found[mapping.source].rows, options)
            found[mapping.source] = replace(found[mapping.source], rows=rows)
    return found


def _with_edits(
    target: RosterTable,
    mapping: Mapping,
    edits: Sequence[RecordEdit],
    files: MappingABC[str, SourceFile],
    rows: pa.Table,
    options: MappingABC[str, object],
) -> pa.Table:
    sources = {field: _source(mapping.columns.get(field), options) for field in {edit.field for edit in edits}}
    columns = {
        field: source for field, source in sources.items() if source is not None and source.sources[0] in rows.column_names
    }
    mine = [edit for edit in edits if edit.field in columns]
    if not mine:
        return rows
    keys, numbers = source_records(target, mapping, files, options)
    wanted = pa.table({n: pa.array([edit.key[n] for edit in mine], target.arrow_schema.field(n).type) for n in target.key})
    for edit, key in zip(mine, key_text(wanted, target.key).to_pylist(), strict=True):
        edited_rows = numbers[pc.equal(keys, key).to_numpy(zero_copy_only=False)]
        if len(edited_rows):
            rows = _with_edit(target, rows, columns[edit.field], edit, edited_rows)
    return rows


def _source(expression: Expression | None, options: MappingABC[str, object]) -> From | None:
    """Return the expression of the one column that a value comes from; None where it is made of several."""
    match expression:
        case From(sources=(_,), option=None, derived=False):
            return expression
        case FirstOf(choices=choices):
            return _source(choices[0], options)
        case IfOption(option=option, equals=equals, then=then, otherwise=otherwise):
            return _source(then if options[option] == equals else otherwise, options)
        case _:
            return None


def _with_edit(target: RosterTable, rows: pa.Table, source: From, edit: RecordEdit, numbers: np.ndarray) -> pa.Table:
    """Return `rows` with the edit in the cells of the rows with these `numbers`."""
    name = source.sources[0]
    cells = combine_chunks(rows.column(edited_name(name) if edited_name(name) in rows.column_names else name))
    known, cell = _cell(target, source, edit, cells)
    if not known:
        return rows
    chosen = pc.is_in(combine_chunks(rows.column(ROW)), value_set=pa.array(numbers))
    edited = pc.if_else(chosen, pa.scalar(cell, pa.string()), cells)
    place = rows.schema.get_field_index(edited_name(name))
    return rows.append_column(edited_name(name), edited) if place < 0 else rows.set_column(place, edited_name(name), edited)


def _cell(target: RosterTable, source: From, edit: RecordEdit, cells: pa.Array) -> tuple[bool, str | None]:
    """Return (whether the vendor's spelling of an edited value is known, that spelling)."""
    if edit.value is None or source.via is None:
        return True, edit.value
    candidates = [edit.value, *pc.drop_null(pc.unique(cells)).slice(0, _MOST_CANDIDATES).to_pylist()]
    made = to_arrow_array(source.via(pd.Series(pd.arrays.ArrowExtensionArray(pa.array(candidates, pa.string())))))
    wanted: Any = parse_edit_value(target, edit.field, edit.value)
    kind = target.arrow_schema.field(edit.field).type
    matching = [at for at, value in enumerate(made.cast(kind).to_pylist()) if value == wanted]
    return (True, candidates[matching[0]]) if matching else (False, None)
