"""Rows of one upload that describe different people, accounts, courses or sections under one id: which of them the id stands for.

Belongs here: telling such rows apart, before uploads are compared and rows applied. What follows for rows that refer to the id is
decided where references are resolved. The rule is that of ``engine.validation.identity_checks``, with one difference: rows of changes
apply in their order, so that a row may give a person another name or another login, and may move a section. It describes another
record where the first cell of `IDENTITY` and, besides, another one of its cells contradict those of the row that stands.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from roster_etl.engine.changes.change_findings import RowRejected
from roster_etl.engine.changes.change_rows import SHARED_ID, ChangeFile, Row, read_source
from roster_etl.engine.changes.person_names import NAME_PARTS
from roster_etl.engine.changes.state import State
from roster_etl.frames.arrow import REFUSED, ROW, combine_chunks
from roster_etl.frames.folded_text import fold
from roster_etl.mapping.change_plan import ChangePlan, RowKind

WAITS = "It waits for a newer row about this id."
IDENTITY: Mapping[str, tuple[str, ...]] = {
    "organizations": ("name", "parent_organization_id", "integration_id"),
    "people": ("username", "email", "integration_id", "full_name"),
    "courses": ("name", "short_name", "organization_id", "term_id", "integration_id"),
    "sections": ("course_id", "integration_id", "name"),
    "terms": ("name", "start_at", "end_at", "integration_id"),
    "group_categories": ("name", "organization_id", "course_id"),
    "groups": ("name", "group_category_id", "organization_id", "course_id"),
}
"""Handler of a kind → the cells that tell its records apart."""


@dataclass(frozen=True, eq=False)
class _Claim:
    """A row that does not delete, and its identifying cells, without regard to case and accents."""

    source: int
    row: Row
    cells: Mapping[str, str]


def mark_shared_ids(plan: ChangePlan, sources: Sequence[ChangeFile], current: Mapping[str, pa.Table]) -> list[ChangeFile]:
    """Return the sources with the rows rejected that describe another record than the one that their id stands for.

    Args: sources: validated files of one upload; current: table → its current versions.
    """
    marked = list(sources)
    for kind in plan.kinds:
        if kind.handler in IDENTITY:
            mine = [at for at, source in enumerate(sources) if source.kind == kind.name]
            why = _strangers(kind, [sources[at] for at in mine], current.get(kind.table))
            for number, messages in why.items():
                marked[mine[number]] = _marked(sources[mine[number]], messages)
    return marked


def keep_in_quarantine(source: ChangeFile, rows: set[int]) -> ChangeFile:
    """Return a source of retried rows in which those with the numbers `rows` stay rejected: their id was another record's."""
    at = np.flatnonzero(np.isin(combine_chunks(source.rows.column(ROW)).to_numpy(), sorted(rows)))
    return _marked(source, dict.fromkeys(at.tolist(), WAITS)) if len(at) else source


def record_shared_ids(state: State, kind: RowKind, sources: Sequence[ChangeFile]) -> None:
    """Record the marked rows as rejected, and whose ids are ambiguous from now on."""
    for source in sources:
        if SHARED_ID not in source.rows.column_names:
            continue
        messages = source.rows.column(SHARED_ID).to_pylist()
        ids, numbers = (source.rows.column(name).to_pylist() for name in (kind.column(kind.key[0]), ROW))
        for at, message in enumerate(messages):
            if message is None:
                continue
            if source.is_retried:
                state.waiting_ids.setdefault(kind.table, {}).setdefault(ids[at], (source.file, numbers[at]))
            else:
                state.shared_ids.setdefault(kind.table, {}).setdefault(ids[at], (source.file, numbers[at]))
                why = RowRejected("duplicate_key", message, about=kind.key[0])
                state.log.reject_rows(kind, source, [at], [numbers[at]], why, [None])


def _marked(source: ChangeFile, messages: Mapping[int, str]) -> ChangeFile:
    """Return the source with the rows at the keys of `messages` rejected."""
    refused = combine_chunks(source.rows.column(REFUSED)).to_numpy(zero_copy_only=False).copy()
    refused[list(messages)] = True
    why = pa.array([messages.get(at) for at in range(source.rows.num_rows)], pa.string())
    rows = source.rows.set_column(source.rows.schema.get_field_index(REFUSED), REFUSED, pa.array(refused))
    return replace(source, rows=rows.append_column(SHARED_ID, why))


def _strangers(kind: RowKind, sources: Sequence[ChangeFile], current: pa.Table | None) -> dict[int, dict[int, str]]:
    """Return source → position → why the row is rejected."""
    found: dict[int, dict[int, str]] = defaultdict(dict)
    claims: dict[str, list[_Claim]] = defaultdict(list)
    for claim in _claims(kind, sources):
        claims[claim.row.get(kind.key[0])].append(claim)
    disputed = {id_: rows for id_, rows in claims.items() if _others(kind, rows[0].cells, rows)}
    known = _published(kind, current, list(disputed))
    for id_, rows in disputed.items():
        person = known.get(id_)
        others = _others(kind, rows[0].cells if person is None else person, rows)
        set_aside = set(others)
        stands = next((row for row in rows if row not in set_aside), None)
        if stands is None:
            ending = "no row agrees with the published record, which stays as it is."
        else:
            ending = "that row stands." if person is None else "that row agrees with the published record, and stands."
        for claim in others:
            other = stands or (rows[0] if claim is not rows[0] else rows[1])
            where = f"Row {other.row.number} of {other.row.source.file}"
            message = f"{where} has the same {kind.column(kind.key[0])} and describes another record; {ending}"
            found[claim.source][claim.row.position] = message
    return found


def _others(kind: RowKind, record: Mapping[str, str], rows: Sequence[_Claim]) -> list[_Claim]:
    """Return the rows that describe another record than `record`, as the rows before them that do not have changed it."""
    found = []
    for row in rows:
        if _differs(kind, record, row.cells):
            found.append(row)
        else:
            record = {**record, **row.cells}
    return found


def _claims(kind: RowKind, sources: Sequence[ChangeFile]) -> Iterator[_Claim]:
    """Yield the rows that share their id with another row and do not delete, in order; none about a part of the record, as a term's dates."""
    key, column = kind.key[0], kind.column(kind.key[0])
    ids = {
        at: combine_chunks(source.rows.column(column)) for at, source in enumerate(sources) if column in source.rows.column_names
    }
    counts = pc.value_counts(pc.drop_null(pa.concat_arrays([*ids.values(), pa.array([], pa.string())])))
    repeated = counts.filter(pc.greater(counts.field("counts"), 1)).field("values")
    for number in ids if len(repeated) else ():
        read = read_source(kind, sources[number], skip_deletes=False)
        alive = pc.fill_null(pc.not_equal(read.status, "deleted"), fill_value=False).to_numpy(zero_copy_only=False)
        own = pc.is_in(read.columns[key], value_set=repeated).to_numpy(zero_copy_only=False)
        for part in kind.key[1:]:
            if part in read.columns:
                own = own & pc.is_null(read.columns[part]).to_numpy(zero_copy_only=False)
        for row in replace(read, applies=read.applies & alive & own).rows():
            yield _Claim(number, row, _identifying(kind, row.cells))


def _published(kind: RowKind, current: pa.Table | None, ids: Sequence[str]) -> dict[str, Mapping[str, str]]:
    """Return id → the identifying cells of the published record, for those of `ids` that have one."""
    if current is None or not ids:
        return {}
    rows = current.filter(pc.is_in(current.column(kind.key[0]), value_set=pa.array(ids, pa.string()))).to_pylist()
    return {row[kind.key[0]]: _identifying(kind, row | {"course_id": row.get("home_course_id")}) for row in rows}


def _identifying(kind: RowKind, cells: Mapping[str, Any]) -> Mapping[str, str]:
    """Return the identifying cells that are not empty; a name in parts is a whole one."""
    parts = " ".join(cells[part] for part in NAME_PARTS if cells.get(part))
    said = {name: cells.get(name) for name in IDENTITY[kind.handler]}
    if "full_name" in said:
        said["full_name"] = said["full_name"] or parts
    return {name: fold(str(value)) for name, value in said.items() if value}


def _differs(kind: RowKind, one: Mapping[str, str], other: Mapping[str, str]) -> bool:
    """Tell whether cells are of different records; what one of them leaves open contradicts nothing."""
    contradicting = {name for name in one.keys() & other.keys() if one[name] != other[name]}
    return IDENTITY[kind.handler][0] in contradicting and len(contradicting) > 1
