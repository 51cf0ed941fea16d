"""Checks of one column at a time: white space, control characters, presence, form, reference.

Belongs here: what can be said of a cell without looking at the rest of its row. Forms are checked in ``engine.validation.cell_formats``.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from roster_etl.engine.validation import cell_cleanup, cell_formats
from roster_etl.engine.validation.missing_records import with_missing
from roster_etl.engine.validation.row_state import Mask, Sheet, true
from roster_etl.frames.arrow import DELETED, REFUSED, ROW, findings_frame, flat, one_array
from roster_etl.spec import Choice, Column, Match, Reference, Text
from roster_etl.spec.findings import Finding
from roster_etl.spec.replacements import Codes, Replacements, codes_of, folded

ID_CHARS = 255  # an id may have: more than any system gives one, and less than any database's index takes
CELL_CHARS = 65_535  # any other cell may have


@dataclass(frozen=True, kw_only=True)
class Judged:
    """A file that others refer to: its frame, and its name as uploaded.

    ``published``: it is of another upload; the frame holds what the roster has of it.
    """

    frame: pd.DataFrame
    file_name: str
    published: bool = False


@dataclass(frozen=True, kw_only=True)
class Known:
    """The values of a column that another feed of the district has; ``source``: its format."""

    source: str
    values: pa.Array


def take_columns(sheet: Sheet, replacements: Replacements) -> None:
    """Take the cells of all columns but secret ones, white space off, the district's codes replaced, none without end."""
    secret = {column.name for column in sheet.header.columns.values() if column.secret}
    spaced: dict[str, Mask] = {}
    for name, place in {**sheet.header.positions, **sheet.header.extensions}.items():
        if name in secret:
            continue
        column, spaced[name] = cell_cleanup.trim(flat(sheet.raw.table.column(place)))
        codes = codes_of(sheet.file, name, replacements) if replacements else {}
        sheet.columns[name] = _replaced(sheet, name, column, codes) if codes else column
    for name, rows in spaced.items():
        sheet.say("info", "trimmed", rows, name, "White space around the value was taken off.")
    for name in list(sheet.columns):
        _length(sheet, name)


def _length(sheet: Sheet, name: str) -> None:
    """A cell that no database or index takes breaks; the cells of a key refuse their rows, and stay to show whose they are."""
    column = sheet.header.columns.get(name)
    is_id = name in sheet.file.key or (column is not None and bool(column.references or column.unique or column.matches))
    limit = ID_CHARS if is_id else CELL_CHARS
    if column is not None and isinstance(column.form, Text) and column.form.max_length and column.form.max_length <= limit:
        return  # judged by its form
    wrong = cell_cleanup.longer(sheet.columns[name], limit)
    message = f"Expected at most {limit:,} characters."
    if name in sheet.file.key:
        sheet.refuse(wrong, "too_long", name, message)
    elif wrong.any():
        sheet.fail(name, wrong, "too_long", message)


def _replaced(sheet: Sheet, name: str, column: pa.Array, codes: Codes) -> pa.Array:
    """Return `column` as `codes` tell to read it, and say how many cells are another now; an empty replacement empties the cell."""
    encoded = column.dictionary_encode()
    values = encoded.dictionary.to_pylist()
    answers = [codes.get(folded(value), value) for value in values]
    differs = pa.array([answer != value for answer, value in zip(answers, values, strict=True)], pa.bool_())
    changed = int(true(differs.take(encoded.indices)).sum())
    if changed:
        used = len({folded(value) for value, differing in zip(values, differs.to_pylist(), strict=True) if differing})
        message = (
            f"The value was replaced before judging, as the district's settings say ({used} of {len(codes)} rules were used)."
        )
        sheet.say_once("info", "replaced", name, changed, message)
    return pa.array([answer or None for answer in answers], pa.string()).take(encoded.indices)


def check_control_characters(sheet: Sheet) -> None:
    """A NUL breaks its cell; another control character is doubtful, or breaks the cell where the form says so.

    Where rows are changes, a NUL refuses its row: the cell left empty could be read as a wish to clear a value.
    """
    for name in list(sheet.columns):
        nul, other = cell_cleanup.control_characters(sheet.columns[name])
        _other_control_characters(sheet, name, other & ~nul)
        if nul.any():
            message = "The cell holds a NUL character."
            if sheet.file.in_order:
                sheet.refuse(nul, "control_character", name, message)
            else:
                sheet.fail(name, nul, "control_character", message)
            sheet.put(name, nul, None)  # no database takes it, and what is left of a key with one is no key
            sheet.unreadable[name] = nul


def _other_control_characters(sheet: Sheet, name: str, found: Mask) -> None:
    column = sheet.header.columns.get(name)
    if column is not None and isinstance(column.form, Text) and column.form.printable:
        found = found | true(pc.match_substring(sheet.columns[name], "\n"))  # elsewhere a line break is none
        sheet.fail(name, found, "control_character", "The cell holds a control character.")
    else:
        sheet.warn(found, "control_character", name, "The cell holds a control character; it was kept as sent.")


def check_column(sheet: Sheet, column: Column, others: Mapping[str, Judged]) -> None:
    """Check presence, form and reference of a column that the upload has."""
    _presence(sheet, column)
    if column.form != Text():
        _form(sheet, column)
    if column.references:
        _reference(sheet, column, column.references, others)


def check_listed(sheet: Sheet, name: str, known: Collection[str] | None) -> None:
    """A value that the district does not list is doubtful, where it lists any (``known``); case does not count."""
    values = sheet.columns[name]
    if not known:
        sheet.note(f"{name}: listed", "listed", 0, 0)
        return
    listed = pa.array(sorted({value.strip().lower() for value in known}), pa.string())
    wrong = true(pc.and_(pc.is_valid(values), pc.invert(pc.is_in(pc.utf8_lower(values), value_set=listed))))
    sheet.note(f"{name}: listed", "listed", len(values) - values.null_count, int(wrong.sum()))
    sheet.warn(wrong, "bad_value", name, f"The district's table of {name} does not list this value; it was kept as sent.")


def check_match(sheet: Sheet, column: Column, match: Match, known: Known) -> None:
    """Compare the values of a column with those that the other feed has; a row that is refused or deleted is not compared."""
    rows = ~sheet.refused & ~sheet.deleted()
    strange = rows & true(pc.invert(pc.is_in(sheet.columns[column.name], value_set=known.values)))
    message = f"{column.name} should match {known.source}, whose {match.table} do not have it."
    sheet.warn(strange, "unknown_reference", column.name, message)


def note_absent_columns(sheet: Sheet) -> None:
    """A column that an option relaxed may be absent: then all its cells are empty."""
    for column in sheet.file.columns:
        if column.name in sheet.relaxed and column.name not in sheet.columns:
            sheet.note(f"{column.name}: present", "present", len(sheet.refused), len(sheet.refused))


def _presence(sheet: Sheet, column: Column) -> None:
    empty = true(pc.is_null(sheet.columns[column.name]))
    required = sheet.required(column)
    if not required.all():
        sheet.note(f"{column.name}: present", "present", len(empty), int(empty.sum()))
    if column.required_where is None and not required.any():
        return
    empty &= required
    sheet.note(f"{column.name}: required", "required", int(required.sum()), int(empty.sum()))
    missing = empty & ~sheet.unreadable[column.name] if column.name in sheet.unreadable else empty
    sheet.refuse(missing, "missing_required", column.name, f"{column.name} is required, and the cell is empty.")


def _form(sheet: Sheet, column: Column) -> None:
    values = sheet.columns[column.name]
    wrong = cell_formats.broken(column.form, values)
    sheet.note(f"{column.name}: form", "form", len(values) - values.null_count, int(wrong.sum()))
    if not wrong.any():
        return
    message = f"Expected {cell_formats.expected(column.form)}."
    if isinstance(column.form, Choice) and column.form.otherwise is not None:
        sheet.warn(wrong, "bad_value", column.name, f"{message} It is read as {column.form.otherwise}.")
        sheet.put(column.name, wrong, column.form.otherwise)
    else:
        sheet.fail(column.name, wrong, cell_formats.code_of(column.form), message)


def _reference(sheet: Sheet, column: Column, reference: Reference, others: Mapping[str, Judged]) -> None:
    values, target = sheet.columns[column.name], others[reference.file]
    known, refused, deleted = one_array(target.frame[reference.column]), one_array(target.frame[REFUSED]), _deleted(target)
    applied = known.filter(pc.invert(pc.or_(refused, deleted)))
    allowed = pa.concat_arrays([pc.unique(applied), pa.array(reference.also, pa.string())])
    wrong = true(pc.and_(pc.is_valid(values), pc.invert(pc.is_in(values, value_set=allowed)))) & ~sheet.deleted()
    sheet.note(f"{column.name}: reference", "reference", len(values) - values.null_count, int(wrong.sum()))
    if not wrong.any():
        return
    if pc.all(refused, min_count=0).as_py() and not target.published:
        _unread(sheet, column, reference, wrong, target.file_name)
        return
    if target.published:
        message = f"The published roster has no current record with this {reference.column} of {target.file_name}."
        sheet.fail(column.name, wrong, "unknown_reference", message)
        return
    told = wrong & true(pc.is_in(values, value_set=known.filter(deleted)))
    message = f"The row of {reference.file} that has this {reference.column} says that it is deleted."
    sheet.fail(column.name, told, "deleted_reference", message)
    wrong &= ~told
    causes = _causes(values, wrong, known.filter(refused), one_array(target.frame[ROW]).filter(refused))
    if wrong.any() and sheet.required(column)[wrong].all():
        causes = with_missing(sheet, reference, target.file_name, values, wrong, causes)
    message = f"No accepted row of {reference.file} has this {reference.column}."
    sheet.fail(column.name, wrong, "unknown_reference", message, (target.file_name, causes))


def _unread(sheet: Sheet, column: Column, reference: Reference, wrong: Mask, file_name: str) -> None:
    """No row of the other file applies, so that none of these can: that is one thing to say, not one for each row."""
    required = bool(sheet.required(column).any())
    message = f"No row of {reference.file} was accepted, so none has this {reference.column}."
    finding = Finding(
        severity="reject" if required else "warning",
        code="unknown_reference",
        field=column.name,
        message=message if required else f"{message} The values were left empty.",
        cause=(file_name, None),
        count=int(wrong.sum()),
    )
    sheet.findings.add_frame(findings_frame([finding]))
    if required:
        sheet.reasons.append((np.flatnonzero(wrong), finding.code))
        sheet.refused = sheet.refused | wrong
    else:
        sheet.put(column.name, wrong, None)


def _deleted(target: Judged) -> pa.Array:
    """Return which rows of a file that others refer to say that their record is gone."""
    frame = target.frame
    return one_array(frame[DELETED]) if DELETED in frame.columns else pa.array(np.zeros(len(frame), dtype=bool))


def _causes(values: pa.Array, wrong: Mask, refused: pa.Array, numbers: pa.Array) -> pa.Array:
    """Return the record number of the refused row that each of the `wrong` values names, null where there is none."""
    return numbers.take(pc.index_in(values.take(pa.array(np.flatnonzero(wrong))), value_set=refused))
