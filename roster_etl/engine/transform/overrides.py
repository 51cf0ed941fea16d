"""Manual edits by stewards: parse and validate their values, and apply them to records."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from roster_etl.canonical.allowed_values import cell_format_of
from roster_etl.canonical.roster import RosterTable
from roster_etl.engine.validation import cell_cleanup
from roster_etl.engine.validation.cell_formats import describe_format, find_invalid
from roster_etl.engine.validation.column_checks import CELL_CHARS
from roster_etl.frames.arrow import REFUSED, combine_chunks, text_series, to_arrow_array
from roster_etl.frames.row_hashes import HASH, key_text, row_hash
from roster_etl.mapping.value_functions import parse_timestamp
from roster_etl.spec.errors import PermanentError
from roster_etl.spec.field_rules import Choice, Phone


class BadEdit(PermanentError):
    """The text of an edit is not a valid value of its column."""

    code = "bad_edit"
    template = "{table}.{field}: expected {expected}"


@dataclass(frozen=True, kw_only=True)
class RecordEdit:
    """An edit: column ``field`` of the record ``key`` (all key columns) has ``value``, as text; None: empty."""

    key: Mapping[str, str | None]
    field: str
    value: str | None


def parse_edit_value(table: RosterTable, field: str, value: str | None) -> Any:
    """Return the typed value of an edit's text. Raises BadEdit."""
    if value is None:
        return None
    words, read = _PARSERS[table.column(field).type]
    try:
        found = read(value)
    except (ValueError, KeyError):
        found = None
    if found is None:
        raise BadEdit(table=table.name, field=field, expected=words)
    return found


def validate_edit_value(table: RosterTable, field: str, value: str | None) -> str | None:
    """Validate the text of a new edit and return its stored form: trimmed, codes as listed, phones as digits.

    An existing edit is not validated again, only parsed by `parse_edit_value`. Raises BadEdit.
    """
    (cell,) = cell_cleanup.trim(pa.array([value or None], pa.string()))[0].to_pylist()
    if cell is None:
        return None
    form = cell_format_of(table, field)
    nul, control = cell_cleanup.control_characters(pa.array([cell], pa.string()))
    if nul.any() or control.any() or len(cell) > CELL_CHARS:
        raise BadEdit(
            table=table.name, field=field, expected=f"at most {CELL_CHARS} characters, none of them a control character"
        )
    if find_invalid(form, pa.array([cell], pa.string())).any():
        raise BadEdit(table=table.name, field=field, expected=describe_format(form))
    parse_edit_value(table, field, cell)
    if isinstance(form, Choice):
        return next(option for option in form.options if option.lower() == cell.lower())
    return re.sub("[^0-9]", "", cell) if isinstance(form, Phone) else cell


def apply_edits(table: RosterTable, rows: pa.Table, edits: Sequence[RecordEdit]) -> pa.Table:
    """Return `rows` (mapped rows, or versions with all columns) with `edits` applied to their records, and with new row hashes.

    An edited column no longer counts as derived. Edits of records that are not among the rows have no effect.
    """
    if not edits:
        return rows
    keys = pa.table({n: pa.array([edit.key[n] for edit in edits], table.arrow_schema.field(n).type) for n in table.key})
    places = {key: at for at, key in enumerate(key_text(rows, table.key).to_pylist()) if not _is_refused(rows, at)}
    changed = False
    for edit, key in zip(edits, key_text(keys, table.key).to_pylist(), strict=True):
        if key in places:
            rows, changed = _apply_edit(table, rows, places[key], edit), True
    return _set(rows, HASH, row_hash(rows, table)) if changed else rows


def _is_refused(rows: pa.Table, at: int) -> bool:
    return REFUSED in rows.column_names and rows.column(REFUSED)[at].as_py()


def _apply_edit(table: RosterTable, rows: pa.Table, at: int, edit: RecordEdit) -> pa.Table:
    derived = [name for name in json.loads(rows.column("derived")[at].as_py() or "[]") if name != edit.field]
    for name, value in ((edit.field, parse_edit_value(table, edit.field, edit.value)), ("derived", json.dumps(derived))):
        column = combine_chunks(rows.column(name))
        mask = np.zeros(len(column), dtype=bool)
        mask[at] = True
        rows = _set(rows, name, pa.compute.replace_with_mask(column, pa.array(mask), pa.array([value], column.type)))
    return rows


def _set(rows: pa.Table, name: str, column: pa.Array) -> pa.Table:
    return rows.set_column(rows.schema.get_field_index(name), rows.schema.field(name), column)


def _parse_timestamp(value: str) -> Any:
    return to_arrow_array(parse_timestamp(pd.Series(text_series([value]))))[0].as_py()


_PARSERS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "text": ("text", str),
    "boolean": ("true or false", lambda value: {"true": True, "false": False}[value.strip().lower()]),
    "integer": ("a whole number", int),
    "float": ("a number", float),
    "date": ("a day such as 2026-09-01", lambda value: date.fromisoformat(value.strip())),
    "timestamp": ("a moment such as 2026-09-01T08:00:00Z", _parse_timestamp),
}
