"""Checks of one column at a time: white space, control characters, presence, form, reference.

Belongs here: rules that need no other cell of the row. Does not belong here: the forms (``engine.validation.cell_formats``).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import reduce

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from roster_etl.engine.validation import cell_cleanup, cell_formats
from roster_etl.engine.validation.list_checks import check_list, drop_shared_items, drop_unknown_items
from roster_etl.engine.validation.missing_records import attribute_to_missing_records
from roster_etl.engine.validation.row_rejection import FileState, Mask, to_mask
from roster_etl.frames.arrow import CASCADED, DELETED, ID_CONFLICT, REFUSED, ROW, combine_chunks, findings_table
from roster_etl.frames.similar_ids import SIMILAR, is_similar
from roster_etl.spec import Choice, Column, CrossFeedMatch, Identifier, ListOf, Reference, SchoolYear, Text
from roster_etl.spec.field_rules import ID_CHARS
from roster_etl.spec.findings import Finding
from roster_etl.spec.replacements import Codes, Replacements, comparison_key, replacement_codes

CELL_CHARS = 65_535  # maximum of a cell that is no id


@dataclass(frozen=True, kw_only=True)
class ReferencedFile:
    """A file that others refer to: its rows, and its name as uploaded.

    ``published``: it is of another upload; the rows are what the roster has of it.
    """

    rows: pa.Table
    file_name: str
    published: bool = False


@dataclass(frozen=True, kw_only=True)
class FeedValues:
    """The values of a column in another feed of the district; ``source``: its format."""

    source: str
    values: pa.Array


def load_columns(state: FileState, replacements: Replacements) -> None:
    """Load the cells of all columns except secret ones: trimmed, limited in length, with the district's replacements applied."""
    secret = {column.name for column in state.header.columns.values() if column.secret}
    spaced: dict[str, Mask] = {}
    for name, place in {**state.header.positions, **state.header.extensions}.items():
        if name in secret:
            continue
        column, spaced[name] = cell_cleanup.trim(combine_chunks(state.raw.table.column(place)))
        codes = replacement_codes(state.file, name, replacements) if replacements else {}
        state.columns[name] = _apply_replacements(state, name, column, codes) if codes else column
    for name, rows in spaced.items():
        state.add_findings("info", "trimmed", rows, name, "White space around the value was taken off.")
    for name in list(state.columns):
        _check_length(state, name)


def _check_length(state: FileState, name: str) -> None:
    """Reject or clear cells too long for a database or an index; in a key column, reject the row but keep the key."""
    column = state.header.columns.get(name)
    is_list = column is not None and isinstance(column.cell_format, ListOf)
    refers = column is not None and bool(column.references or column.unique or column.matches)
    is_id = not is_list and (name in state.file.key or refers)
    limit = ID_CHARS if is_id else CELL_CHARS
    if column is not None and isinstance(column.cell_format, Identifier):
        return
    if (
        column is not None
        and isinstance(column.cell_format, Text)
        and column.cell_format.max_length
        and column.cell_format.max_length <= limit
    ):
        return  # its form limits it
    wrong = cell_cleanup.longer(state.columns[name], limit)
    message = f"Expected at most {limit:,} characters."
    if name in state.file.key:
        state.reject(wrong, "too_long", name, message)
    elif wrong.any():
        state.note_malformed(name, wrong)
        state.reject_or_clear(name, wrong, "too_long", message)


def _apply_replacements(state: FileState, name: str, column: pa.Array, codes: Codes) -> pa.Array:
    """Return `column` with the replacements in `codes`, and report how many cells changed; an empty one clears the cell."""
    encoded = column.dictionary_encode()
    values = encoded.dictionary.to_pylist()
    answers = [codes.get(comparison_key(value), value) for value in values]
    differs = pa.array([answer != value for answer, value in zip(answers, values, strict=True)], pa.bool_())
    changed = int(to_mask(differs.take(encoded.indices)).sum())
    if changed:
        used = len({comparison_key(value) for value, differing in zip(values, differs.to_pylist(), strict=True) if differing})
        message = (
            f"The value was replaced before validation, as the district's settings say ({used} of {len(codes)} rules were used)."
        )
        state.add_finding("info", "replaced", name, changed, message)
    return pa.array([answer or None for answer in answers], pa.string()).take(encoded.indices)


def check_control_characters(state: FileState) -> None:
    """A NUL makes its cell invalid; another control character gives a warning, or makes the cell invalid if the form says so.

    In a delta format a NUL rejects its row: an empty cell could be taken as a request to clear the value.
    """
    for name in list(state.columns):
        nul, other = cell_cleanup.control_characters(state.columns[name])
        _check_other_control_characters(state, name, other & ~nul)
        if nul.any():
            message = "The cell holds a NUL character."
            if state.file.ordered_changes:
                state.reject(nul, "control_character", name, message)
            else:
                state.reject_or_clear(name, nul, "control_character", message)
            state.note_malformed(name, nul)
            state.set_cells(name, nul, None)  # no database can store it, and the rest of a key with one is not a key
            state.unreadable[name] = nul


def _check_other_control_characters(state: FileState, name: str, found: Mask) -> None:
    column = state.header.columns.get(name)
    if column is not None and isinstance(column.cell_format, Text) and column.cell_format.printable:
        found = found | to_mask(pc.match_substring(state.columns[name], "\n"))  # elsewhere a line break is allowed
        state.note_malformed(name, found)
        state.reject_or_clear(name, found, "control_character", "The cell holds a control character.")
    else:
        state.warn(found, "control_character", name, "The cell holds a control character; it was kept as sent.")


def check_column(state: FileState, column: Column, referenced_files: Mapping[str, ReferencedFile]) -> None:
    """Check presence, form and reference of a column of the upload."""
    _check_presence(state, column)
    if isinstance(column.cell_format, ListOf):
        check_list(state, column, column.cell_format)
    elif column.cell_format != Text():
        _check_format(state, column)
    if column.references and isinstance(column.cell_format, ListOf):
        _check_list_reference(state, column, column.references, referenced_files)
    elif column.references:
        _check_reference(state, column, column.references, referenced_files)
        state.forget_codes(column.name)


def check_listed(state: FileState, name: str, listed_values: Collection[str] | None) -> None:
    """Warn of values that the district does not list, if it lists any (``known``); case-insensitive."""
    values = state.columns[name]
    if not listed_values:
        state.record_check(f"{name}: listed", "listed", 0, 0)
        return
    listed = pa.array(sorted({value.strip().lower() for value in listed_values}), pa.string())
    wrong = to_mask(pc.and_(pc.is_valid(values), pc.invert(pc.is_in(pc.utf8_lower(values), value_set=listed))))
    state.record_check(f"{name}: listed", "listed", len(values) - values.null_count, int(wrong.sum()))
    state.warn(wrong, "bad_value", name, f"The district's table of {name} does not list this value; it was kept as sent.")


def check_match(state: FileState, column: Column, match: CrossFeedMatch, feed_values: FeedValues) -> None:
    """Compare a column with that of the other feed; rejected and deleted rows are skipped."""
    rows = ~state.refused & ~state.deleted_mask()
    strange = rows & to_mask(pc.invert(pc.is_in(state.columns[column.name], value_set=feed_values.values)))
    message = f"{column.name} should match {feed_values.source}, whose {match.table} do not have it."
    text = _with_likeness(message, state.columns[column.name], strange, feed_values.values)
    state.warn(strange, "unknown_reference", column.name, text)


def record_absent_columns(state: FileState) -> None:
    """Record the absence of required columns that an option made optional: all their cells count as empty."""
    for column in state.file.columns:
        if column.name in state.relaxed and column.name not in state.columns:
            state.record_check(f"{column.name}: present", "present", len(state.refused), len(state.refused))


def _check_presence(state: FileState, column: Column) -> None:
    empty = to_mask(pc.is_null(state.columns[column.name]))
    required = state.required_mask(column)
    if not required.all():
        state.record_check(f"{column.name}: present", "present", len(empty), int(empty.sum()))
    if column.required_where is None and not required.any():
        return
    empty &= required
    state.record_check(f"{column.name}: required", "required", int(required.sum()), int(empty.sum()))
    missing = empty & ~state.unreadable[column.name] if column.name in state.unreadable else empty
    state.reject(missing, "missing_required", column.name, f"{column.name} is required, and the cell is empty.")


def _check_format(state: FileState, column: Column) -> None:
    values = state.columns[column.name]
    wrong = cell_formats.find_invalid(column.cell_format, values)
    state.record_check(f"{column.name}: form", "form", len(values) - values.null_count, int(wrong.sum()))
    _check_slips(state, column, wrong)
    if not wrong.any():
        return
    state.note_malformed(column.name, wrong)
    message = f"Expected {cell_formats.describe_format(column.cell_format)}."
    if isinstance(column.cell_format, Choice) and column.cell_format.fallback is not None:
        state.warn(wrong, "bad_value", column.name, f"{message} It is read as {column.cell_format.fallback}.")
        state.set_cells(column.name, wrong, column.cell_format.fallback)
    else:
        state.reject_or_clear(column.name, wrong, cell_formats.finding_code(column.cell_format), message)


def _check_slips(state: FileState, column: Column, wrong: Mask) -> None:
    """Tell of cells that are read although the document writes them otherwise, and write them as it does."""
    form, values = column.cell_format, state.columns[column.name]
    if isinstance(form, SchoolYear):
        spans = to_mask(pc.match_substring(values, "-")) & ~wrong
        state.warn_or_reject_if_strict(
            spans, "bad_value", column.name, f"Expected {cell_formats.describe_format(form)}; the second year was read."
        )
    if not isinstance(form, Choice):
        return
    known = pa.array([None, *form.options], pa.string())
    if pc.all(pc.is_in(pc.unique(values), value_set=known)).as_py():
        return  # each is written as the document writes it
    if form.tolerated:
        told = to_mask(pc.is_in(pc.utf8_lower(values), value_set=pa.array([value.lower() for value in form.tolerated])))
        state.warn_or_reject_if_strict(
            told, "bad_value", column.name, f"Expected {cell_formats.describe_format(form)}; the value was kept as given."
        )
    if state.file.exact_case:
        options = {option.lower(): option for option in (*form.options, *form.tolerated)}
        place = pc.index_in(pc.utf8_lower(values), value_set=pa.array([*options]))
        spelled = pa.array([*options.values()]).take(place)
        other = to_mask(pc.not_equal(values, spelled))
        if other.any():
            state.warn_or_reject_if_strict(
                other, "wrong_case", column.name, "The value is written in another case than in the document."
            )
            state.columns[column.name] = pc.coalesce(spelled, values)


def _check_list_reference(
    state: FileState, column: Column, reference: Reference, referenced_files: Mapping[str, ReferencedFile]
) -> None:
    """Drop the items of a list that name no accepted row of the other file."""
    target = referenced_files[reference.file]
    known = combine_chunks(target.rows.column(reference.column))
    refused, deleted = combine_chunks(target.rows.column(REFUSED)), _deleted_rows(target)
    applied = pc.unique(known.filter(pc.invert(pc.or_(refused, deleted))))
    where = f"{reference.column} of {target.file_name}"
    rule = f"{column.name}: reference"
    gone, rejected = (pc.unique(known.filter(marks)) for marks in (deleted, refused))
    drop_unknown_items(state, column.name, applied, rule, where, gone=gone, rejected=rejected)
    if ID_CONFLICT in target.rows.column_names:
        shared = frozenset(pc.unique(known.filter(combine_chunks(target.rows.column(ID_CONFLICT)))).to_pylist())
        drop_shared_items(state, column.name, shared, where)


def _check_reference(
    state: FileState, column: Column, reference: Reference, referenced_files: Mapping[str, ReferencedFile]
) -> None:
    values, target = state.columns[column.name], referenced_files[reference.file]
    known, refused = (combine_chunks(target.rows.column(name)) for name in (reference.column, REFUSED))
    deleted = _deleted_rows(target)
    dropped = pc.or_(refused, deleted)
    applied = known.filter(pc.invert(dropped)) if pc.any(dropped).as_py() else known
    allowed = pa.concat_arrays([applied, pa.array(reference.also, pa.string())]) if reference.also else applied
    wrong = to_mask(pc.is_valid(values)) & ~state.is_in(column.name, allowed) & ~state.deleted_mask()
    ambiguous = _ambiguous(state, column, reference, target) & ~wrong
    state.record_check(f"{column.name}: reference", "reference", len(values) - values.null_count, int((wrong | ambiguous).sum()))
    if ambiguous.any():
        causes = (target.file_name, _strangers(state, column, reference, target, ambiguous))
        message = f"Rows of {reference.file} that describe different records have this {reference.column}, so it is not clear which is meant."
        state.reject_or_clear(column.name, ambiguous, "unknown_reference", message, causes, unsure=ambiguous)
    if not wrong.any():
        return
    if pc.all(refused, min_count=0).as_py() and not target.published:
        _report_unreadable_target(state, column, reference, wrong, target.file_name)
        return
    if target.published:
        message = f"The published roster has no current record with this {reference.column} of {target.file_name}."
        state.reject_or_clear(column.name, wrong, "unknown_reference", _with_likeness(message, values, wrong, allowed))
        return
    is_deleted = _among(values, wrong, known.filter(deleted))
    message = f"The row of {reference.file} that has this {reference.column} says that it is deleted."
    state.mark_cascaded(is_deleted & ~state.newly_uploaded_mask() & state.required_mask(column))
    state.reject_or_clear(column.name, is_deleted & ~state.follows, "deleted_reference", message)
    _report_unknown(state, column, reference, target, wrong & ~is_deleted & ~state.follows, allowed)


def _report_unknown(
    state: FileState, column: Column, reference: Reference, target: ReferencedFile, wrong: Mask, allowed: pa.Array
) -> None:
    """Report references that no accepted row has; where a rejected row has it, a known record keeps its value."""
    values, refused = state.columns[column.name], combine_chunks(target.rows.column(REFUSED))
    ids, rows = (combine_chunks(target.rows.column(name)).filter(refused) for name in (reference.column, ROW))
    causes = _cause_rows(values, wrong, ids, rows)
    if wrong.any() and state.required_mask(column)[wrong].all():
        causes = attribute_to_missing_records(state, reference, target.file_name, values, wrong, causes)
    message = _with_likeness(f"No accepted row of {reference.file} has this {reference.column}.", values, wrong, allowed)
    rejected = _among(values, wrong, pc.drop_null(ids))
    state.reject_or_clear(column.name, wrong, "unknown_reference", message, (target.file_name, causes), unsure=rejected)


def _among(values: pa.Array, rows: Mask, known: pa.Array) -> Mask:
    """Return which of `rows` have one of the `known` values."""
    found = np.zeros(len(rows), dtype=bool)
    found[rows] = to_mask(pc.is_in(values.take(pa.array(np.flatnonzero(rows))), value_set=known))
    return found


def _with_likeness(message: str, values: pa.Array, wrong: Mask, known: pa.Array) -> str | pa.Array:
    """Return the message for each of the `wrong` rows, which says so where its id differs from a known one only by zeros or case."""
    alike = is_similar(values.take(pa.array(np.flatnonzero(wrong))), known)
    if not pc.any(alike).as_py():
        return message
    return pc.if_else(alike, f"{message} {SIMILAR}", message)


def _ambiguous(state: FileState, column: Column, reference: Reference, target: ReferencedFile) -> Mask:
    """Return the rows whose value names an id that different records claim, unless other cells identify the accepted one.

    The cells of ``Reference.disambiguated_by`` identify it if an accepted row has them, and no rejected row of another record does.
    """
    values = state.columns[column.name]
    if ID_CONFLICT not in target.rows.column_names:
        return np.zeros(len(values), dtype=bool)
    others, refused = (to_mask(combine_chunks(target.rows.column(mark))) for mark in (ID_CONFLICT, REFUSED))
    if not others.any():
        return np.zeros(len(values), dtype=bool)
    claims = combine_chunks(target.rows.column(reference.column)).filter(pa.array(others))
    claimed = state.is_in(column.name, claims) & ~state.deleted_mask()
    if claimed.any():
        own, there = _disambiguating_keys(state, column, reference, target, claimed)
        if own is not None and there is not None:
            accepted = to_mask(pc.is_in(own, value_set=pc.drop_null(there.filter(pa.array(~refused)))))
            contested = to_mask(pc.is_in(own, value_set=pc.drop_null(there.filter(pa.array(others)))))
            claimed[claimed] = ~accepted | contested
    return claimed


def _strangers(state: FileState, column: Column, reference: Reference, target: ReferencedFile, rows: Mask) -> pa.Array:
    """Return, for each of `rows`, the number of a refused row that claims its id: the one that the other cells identify, else the first."""
    others = pa.array(to_mask(combine_chunks(target.rows.column(ID_CONFLICT))))
    places, numbers = pa.array(np.flatnonzero(rows)), combine_chunks(target.rows.column(ROW)).filter(others)
    claims = combine_chunks(target.rows.column(reference.column)).filter(others)
    first = numbers.take(pc.index_in(state.columns[column.name].take(places), value_set=claims))
    own, there = _disambiguating_keys(state, column, reference, target, rows)
    if own is None or there is None:
        return first
    claimants = there.filter(others)
    match = pc.index_in(own, value_set=pc.drop_null(claimants))
    return pc.coalesce(numbers.filter(pc.is_valid(claimants)).take(match), first)


def _disambiguating_keys(
    state: FileState, column: Column, reference: Reference, target: ReferencedFile, rows: Mask
) -> tuple[pa.Array | None, pa.Array | None]:
    """Return ID and disambiguating cells as one text a row, of `rows` and of all rows of the file referred to; None without such cells.

    The text is null where one of the cells is empty.
    """
    pairs = [pair for pair in reference.disambiguated_by if pair[0] in state.columns and pair[1] in target.rows.column_names]
    if not pairs:
        return None, None
    here = [state.columns[name].filter(pa.array(rows)) for name in (column.name, *(own for own, _ in pairs))]
    there = [combine_chunks(target.rows.column(name)) for name in (reference.column, *(other for _, other in pairs))]
    joined = (pc.binary_join_element_wise(*cells, "\x1f", null_handling="emit_null") for cells in (here, there))
    return next(joined), next(joined)


def _report_unreadable_target(state: FileState, column: Column, reference: Reference, wrong: Mask, file_name: str) -> None:
    """Add one finding, not one per row, if no row of the other file applies and thus no reference to it can."""
    required = bool(state.required_mask(column).any())
    message = f"No row of {reference.file} was accepted, so none has this {reference.column}."
    finding = Finding(
        severity="reject" if required else "warning",
        code="unknown_reference",
        field=column.name,
        message=message if required else f"{message} Known records keep the values that they have.",
        cause=(file_name, None),
        count=int(wrong.sum()),
    )
    state.findings.add_table(findings_table([finding]))
    if required:
        state.reasons.append((np.flatnonzero(wrong), finding.code))
        state.refused = state.refused | wrong
    else:
        state.note_unsure(column.name, wrong)
        state.set_cells(column.name, wrong, None)


def _deleted_rows(target: ReferencedFile) -> pa.Array:
    """Return which rows of a file that others refer to say that their record is gone."""
    rows = target.rows
    marks = [combine_chunks(rows.column(name)) for name in (DELETED, CASCADED) if name in rows.column_names]
    return reduce(pc.or_, marks) if marks else pa.array(np.zeros(rows.num_rows, dtype=bool))


def _cause_rows(values: pa.Array, wrong: Mask, refused: pa.Array, numbers: pa.Array) -> pa.Array:
    """Return the record number of the rejected row that each of the `wrong` values refers to, null if there is none."""
    return numbers.take(pc.index_in(values.take(pa.array(np.flatnonzero(wrong))), value_set=refused))
