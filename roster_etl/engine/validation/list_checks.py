"""Checks of lists in one cell: their form, their items, and the records that the items name.

Later steps read the items joined by commas, without white space around them. Each distinct text is looked at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from roster_etl.engine.validation import cell_formats
from roster_etl.engine.validation.row_rejection import FileState, Mask
from roster_etl.frames.folded_text import WHITE_SPACE
from roster_etl.spec import Choice, Column, Identifier, ListOf, Text

ITEM_CHARS: Final = 255
PLAIN_LIST: Final = r"^[^\s\pZ\x00-\x1f\x{85},\[{][^\s\pZ\x00-\x1f\x{85},]*(,[^\s\pZ\x00-\x1f\x{85},]+)*$"
"""Lists that are read as they are written: no white space, no empty item, nothing that begins as JSON does."""
_Reading = tuple[str | None, frozenset[str]]  # the cell as it is read, and what is to be told of it
_JSON: Final = "json"
_UNTYPED: Final = "untyped"
_BARE: Final = "bare"
_TRIMMED: Final = "trimmed"
_WRONG: Final = "wrong"
_REJECTED: Final = "rejected"


def items_of(cell: str) -> list[str]:
    """Return the items of a list."""
    return [item for part in cell.split(",") if (item := part.strip(WHITE_SPACE))]


def check_list(state: FileState, column: Column, form: ListOf) -> None:
    """Check the lists of a column, and write them as later steps read them."""
    read = partial(_read_pairs if form.pairs else _read, allowed=_allowed(form.item, state.columns[column.name]))
    readings, at = _read_distinct(state.columns[column.name], read, None if form.pairs else partial(_is_plain, form=form.item))
    told = {what: _rows(readings, at, what) for what in (_JSON, _UNTYPED, _BARE, _TRIMMED, _WRONG)}
    values, name = state.columns[column.name], column.name
    broken = told[_JSON] | told[_UNTYPED]
    failing = broken | told[_WRONG] | told[_BARE]
    state.record_check(f"{name}: form", "form", len(values) - values.null_count, int(failing.sum()))
    state.columns[name] = _written(readings, at, values)
    state.add_findings(
        "info", "trimmed", told[_TRIMMED] & ~broken, name, "White space or empty items of the list were taken off."
    )
    shape = "{type:id} items" if form.pairs else "items"
    message = f"Expected {shape} separated by commas in one cell."
    state.warn_or_reject_if_strict(
        told[_BARE] & ~broken, "bad_value", name, "Expected {type:id}; the braces are missing, and the item was read."
    )
    code = "bad_id" if isinstance(form.item, Identifier) else "bad_value"
    dropped = told[_WRONG] & ~broken
    left = dropped & _filled(state, name)
    state.warn_or_reject_if_strict(left, code, name, f"{_expected(form.item)} Items that are not were left out.")
    state.reject_or_clear(name, dropped & ~left, code, _expected(form.item))
    state.reject_or_clear(name, broken, "list_mismatch", message)


def drop_unknown_items(
    state: FileState, name: str, known: pa.Array, rule: str, where: str, *, gone: pa.Array, rejected: pa.Array
) -> None:
    """Drop the items that are not among `known`; a required list with none left refuses its row.

    A row of before the changes with none left goes along with what they delete.

    Args: where: the column and file that the items name; gone: items whose record the upload removes, unless they are known;
        rejected: items whose row was rejected: what is known of a record that names one stays.
    """
    values = state.columns[name]
    names = cache(lambda: tuple(frozenset(ids.to_pylist()) for ids in (known, gone, rejected)))

    def read(cell: str) -> _Reading:
        here, removed, refused = names()
        items = items_of(cell)
        kept = [item for item in items if item in here]
        lost = {"gone" if item in removed else "unknown" for item in items if item not in here}
        lost |= {_REJECTED for item in items if item in refused and item not in here}
        return ",".join(kept) or None, frozenset(lost)

    readings, at = _read_distinct(values, read, partial(_is_known, known=known))
    live = ~state.deleted_mask()
    deleted, unknown = (_rows(readings, at, what) & live for what in ("gone", "unknown"))
    state.record_check(
        rule, "agree" if ": a " in rule else "reference", len(values) - values.null_count, int((deleted | unknown).sum())
    )
    state.columns[name] = _written(readings, at, values) if (deleted | unknown).any() else values
    unsure = _rows(readings, at, _REJECTED) & live
    state.note_unsure(name, unsure)
    empty = ~_filled(state, name)
    follows = deleted & empty & ~unsure & ~state.newly_uploaded_mask() & state.required_mask(state.file.column(name))
    state.mark_cascaded(follows)
    deleted, unknown = deleted & ~follows, unknown & ~follows
    texts = (
        (unknown & ~deleted, "unknown_reference", f"No accepted row has this {where}."),
        (deleted, "deleted_reference", f"The row that has this {where} says that it is deleted."),
    )
    for wrong, code, message in texts:
        state.doubted = state.doubted | wrong
        state.warn(wrong & ~empty, code, name, f"{message} The item was left out.")
        state.reject_or_clear(name, wrong & empty, code, message, unsure=unsure)


def drop_shared_items(state: FileState, name: str, shared: frozenset[str], where: str) -> None:
    """Drop the items that are among `shared`, the ids that several records claim; a required list with none left refuses its row."""
    values = state.columns[name]

    def read(cell: str) -> _Reading:
        items = items_of(cell)
        kept = [item for item in items if item not in shared]
        return ",".join(kept) or None, frozenset({"shared"} if len(kept) < len(items) else ())

    readings, at = _read_distinct(values, read)
    ambiguous = _rows(readings, at, "shared") & ~state.deleted_mask() & ~state.refused
    if not ambiguous.any():
        return
    state.columns[name] = pc.if_else(pa.array(ambiguous), _written(readings, at, values), values)
    empty = ~_filled(state, name)
    message = f"Rows that describe different records have this {where}, so it is not clear which is meant."
    state.doubted = state.doubted | ambiguous
    state.note_unsure(name, ambiguous)
    state.warn(ambiguous & ~empty, "unknown_reference", name, f"{message} The item was left out.")
    state.reject_or_clear(name, ambiguous & empty, "unknown_reference", message, unsure=ambiguous)


def _is_plain(cells: pa.Array, form: Text | Choice | Identifier) -> Mask:
    """Return which lists have the form and are read as they are written."""
    plain = _mask(pc.match_substring_regex(cells, PLAIN_LIST))
    at, items = _items(cells, plain)
    plain[at[cell_formats.find_invalid(_form_of_item(form), items)]] = False
    return plain


def _is_known(cells: pa.Array, known: pa.Array) -> Mask:
    """Return which lists have items that are known alone, and are read as they are written."""
    plain = _mask(pc.match_substring_regex(cells, PLAIN_LIST))
    at, items = _items(cells, plain)
    plain[at[~_mask(pc.is_in(items, value_set=known))]] = False
    return plain


def _items(cells: pa.Array, which: Mask) -> tuple[np.ndarray, pa.Array]:
    """Return the items of some lists, and for each the place of its list."""
    lists = pc.split_pattern(cells.filter(pa.array(which)), ",")
    return np.flatnonzero(which)[pc.list_parent_indices(lists).to_numpy()], pc.list_flatten(lists)


def _mask(condition: pa.Array) -> Mask:
    return np.array(pc.fill_null(condition, False).to_numpy(zero_copy_only=False), dtype=bool)


def _read(cell: str, allowed: Callable[[Sequence[str]], list[bool]]) -> _Reading:
    if cell.startswith(("[", "{")) and not cell.startswith("[]"):
        return None, frozenset({_JSON})
    items = items_of(cell)
    fits = allowed(items)
    kept = ",".join(item for item, fit in zip(items, fits, strict=True) if fit)
    told = {_WRONG} if not all(fits) else set()
    return kept or None, frozenset(told | ({_TRIMMED} if ",".join(items) != cell else set()))


def _read_pairs(cell: str, allowed: Callable[[Sequence[str]], list[bool]]) -> _Reading:
    if cell.startswith("["):
        return None, frozenset({_JSON})
    told: set[str] = set()
    kept = []
    items = items_of(cell)
    for item in items:
        bare = not (item.startswith("{") and item.endswith("}"))
        kind, colon, value = item.strip("{}").partition(":")
        if not colon or not kind.strip(WHITE_SPACE) or not value.strip(WHITE_SPACE) or '"' in item:
            return None, frozenset({_UNTYPED})
        told |= {_BARE} if bare else set()
        kept.append(f"{{{kind.strip(WHITE_SPACE)}:{value.strip(WHITE_SPACE)}}}")
    told |= {_TRIMMED} if not told and ",".join(kept) != cell else set()
    return ",".join(kept) or None, frozenset(told)


def _allowed(item: Text | Choice | Identifier, cells: pa.Array) -> Callable[[Sequence[str]], list[bool]]:
    """Return a function that says which items have the form. At its first call the items of all `cells` are checked, at once."""

    @cache
    def wrong() -> frozenset[str]:
        items = pa.array({one for cell in pc.unique(cells).to_pylist() if cell for one in items_of(cell)}, pa.string())
        return frozenset(items.filter(pa.array(cell_formats.find_invalid(_form_of_item(item), items))).to_pylist())

    def fits(items: Sequence[str]) -> list[bool]:
        return [one not in wrong() for one in items]

    return fits


def _form_of_item(item: Text | Choice | Identifier) -> Text | Choice | Identifier:
    return item if item != Text() else Text(max_length=ITEM_CHARS)


def _expected(item: Text | Choice | Identifier) -> str:
    return f"Expected a list whose items are {cell_formats.describe_format(_form_of_item(item))}."


def _read_distinct(
    values: pa.Array, read: Callable[[str], _Reading], is_plain: Callable[[pa.Array], Mask] | None = None
) -> tuple[list[_Reading], np.ndarray]:
    """Return what `read` says of each distinct cell, and for each row the place of its cell there; -1: it is empty, or plain."""
    encoded = values.dictionary_encode()
    cells = encoded.dictionary
    odd = ~is_plain(cells) if is_plain is not None else np.ones(len(cells), dtype=bool)
    places = np.full(len(cells) + 1, -1)
    places[:-1][odd] = np.arange(odd.sum())
    readings = [read(text) for text in cells.filter(pa.array(odd)).to_pylist()]
    return readings, places[pc.fill_null(encoded.indices, -1).to_numpy()]


def _rows(readings: Sequence[_Reading], at: np.ndarray, what: str) -> Mask:
    """Return the rows of whose cell `what` is to be told."""
    flags = np.array([*(what in told for _, told in readings), False], dtype=bool)
    return np.asarray(flags[at], dtype=bool)


def _written(readings: Sequence[_Reading], at: np.ndarray, values: pa.Array) -> pa.Array:
    """Return the cells as they are read; plain ones are as they were."""
    if not readings:
        return values
    read = pa.array([text for text, _ in readings], pa.string()).take(pa.array(at, mask=at < 0))
    return pc.if_else(pa.array(at < 0), values, read)


def _filled(state: FileState, name: str) -> Mask:
    return np.asarray(pc.is_valid(state.columns[name]).to_numpy(zero_copy_only=False), dtype=bool)
