"""Derived values of published records, made again after a steward's edit, without the upload that they came from.

Belongs here: values whose parts are columns of the record itself, and names of sections, which are made of records that the section
names. Imports make all derived values of edited cells (``override_source_cells``).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from collections.abc import Mapping as MappingABC
from typing import Any

import pandas as pd
import pyarrow as pa

from roster_etl.canonical.roster import TABLES, RosterTable
from roster_etl.frames.arrow import to_arrow_array
from roster_etl.frames.row_hashes import as_text
from roster_etl.mapping.column_plan import Const, Expression, FirstOf, From, IfOption, Mapping, MostCommon

Record = MappingABC[str, Any]
Part = tuple[str, str]  # canonical table, column


def recompute_derived_values(
    target: RosterTable, mappings: Sequence[Mapping], record: Record, edited: Collection[str]
) -> dict[str, Any]:
    """Return the derived values of `record` that its own columns make, where they are others now; `edited` ones are left alone."""
    derived = set(json.loads(record["derived"] or "[]")) - set(edited)
    mine = (mapping for mapping in mappings if mapping.to == target.name and _is_of(mapping, target, record))
    mapping = next(mine, None)
    made: dict[str, Any] = {}
    for name, expression in mapping.columns.items() if mapping is not None else ():
        for choice in _derived_choices(expression) if name in derived and not name.endswith("_id") else ():
            assert mapping is not None
            parts = [parts_of(mapping, mappings, source) for source in choice.sources]
            own = [next((column for table, column in found if table == target.name), None) for found in parts]
            if all(own):
                made[name] = evaluate_expression(choice, [_text(target, column, record) for column in own if column])
                break
    return {name: value for name, value in made.items() if value != record[name]}


def section_names(mappings: Sequence[Mapping]) -> Iterator[tuple[Mapping, From, list[set[Part]]]]:
    """Yield each way in which a section's name is derived, with the canonical columns that have each of its parts."""
    for mapping in mappings:
        if mapping.to == "sections" and "name" in mapping.columns:
            for choice in _derived_choices(mapping.columns["name"]):
                yield mapping, choice, [parts_of(mapping, mappings, source) for source in choice.sources]


def common_grade_order(mappings: Sequence[Mapping]) -> tuple[str, ...]:
    """Return the grades, in the order that decides a tie, where a section's grade is that of most of its students; else nothing."""
    steps = (step for mapping in mappings if mapping.to == "sections" for step in mapping.steps)
    return next((step.order for step in steps if isinstance(step, MostCommon)), ())


def most_common(values: Sequence[str | None], order: Sequence[str]) -> str | None:
    """Return the most common of `values` that `order` names; of several, the first in `order`; None: there is none."""
    counts = Counter(value for value in values if value in order)
    return max(counts, key=lambda value: (counts[value], -order.index(value)), default=None)


def parts_of(mapping: Mapping, mappings: Sequence[Mapping], source: str) -> set[Part]:
    """Return the canonical columns that take the source column of a mapping unchanged, of whichever table."""
    origins = mapping.origins(source)
    if len(origins) != 1:
        return set()
    file, column = origins[0]
    others = (other for other in mappings if other.source == file)
    return {(other.to, name) for other in others for name, e in other.columns.items() if _takes(e, column)}


def evaluate_expression(expression: From, cells: Sequence[str | None]) -> Any:
    """Return what an expression makes of one row of cells."""
    if expression.via is None:
        return cells[0]
    made = expression.via(*(pd.Series(pd.arrays.ArrowExtensionArray(pa.array([cell], pa.string()))) for cell in cells))
    return to_arrow_array(made)[0].as_py()


def _takes(expression: Expression, column: str) -> bool:
    """Tell whether a target column has the cells of `column`, as they are."""
    match expression:
        case From(sources=sources, via=None, derived=False):
            return sources == (column,)
        case _:
            return False


def _derived_choices(expression: Expression) -> Iterator[From]:
    match expression:
        case From(derived=True, option=None):
            yield expression
        case FirstOf(choices=choices):
            for choice in choices:
                yield from _derived_choices(choice)
        case IfOption(then=then, otherwise=otherwise):
            yield from _derived_choices(then)
            yield from _derived_choices(otherwise)


def _is_of(mapping: Mapping, target: RosterTable, record: Record) -> bool:
    constants = ((name, e.value) for name, e in mapping.columns.items() if name in target.key and isinstance(e, Const))
    return all(record[name] == value for name, value in constants)


def _text(target: RosterTable, column: str, record: Record) -> str | None:
    kind = TABLES[target.name].arrow_schema.field(column).type
    value: str | None = as_text(pa.array([record[column]], kind))[0].as_py()
    return value
