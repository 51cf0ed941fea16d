"""Rows of one upload that describe different people under one id: which of them the id stands for.

Belongs here: telling such rows apart, before uploads are compared and rows applied. What follows for rows that refer to the id is
decided where references are resolved. The rule is that of ``engine.validation.identity_checks``, with one difference: rows of changes
apply in their order, so that a row may give a person another name or another login. It describes somebody else where the login
and, besides, the name, the e-mail address or the second id contradict each other.
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
from roster_etl.engine.changes.state import State
from roster_etl.frames.arrow import REFUSED, ROW, combine_chunks
from roster_etl.mapping.change_plan import ChangePlan, RowKind

WAITS = "It waits for a newer row about this user."
_LOGIN, _OTHERS = "username", ("email", "integration_id")
_CELLS = ("user_id", _LOGIN, *_OTHERS, "full_name", "first_name", "last_name")


@dataclass(frozen=True)
class _Claim:
    """A row that does not delete, and what it says of a person, without regard to case."""

    source: int
    row: Row
    person: Mapping[str, str]


def mark_shared_ids(plan: ChangePlan, sources: Sequence[ChangeFile], current: Mapping[str, pa.Table]) -> list[ChangeFile]:
    """Return the sources with the rows rejected that describe another person than the one that their id stands for.

    Args: sources: validated files of one upload; current: table → its current versions.
    """
    marked = list(sources)
    for kind in plan.kinds:
        if kind.handler == "people":
            mine = [at for at, source in enumerate(sources) if source.kind == kind.name]
            why = _strangers(kind, [sources[at] for at in mine], current.get(kind.table))
            for number, messages in why.items():
                marked[mine[number]] = _marked(sources[mine[number]], messages)
    return marked


def wait_for_newer_row(source: ChangeFile, rows: set[int]) -> ChangeFile:
    """Return a source of retried rows in which those with the numbers `rows` stay rejected: their id was another person's."""
    at = np.flatnonzero(np.isin(combine_chunks(source.rows.column(ROW)).to_numpy(), sorted(rows)))
    return _marked(source, dict.fromkeys(at.tolist(), WAITS)) if len(at) else source


def record_shared_ids(state: State, kind: RowKind, sources: Sequence[ChangeFile]) -> None:
    """Record the marked rows as rejected, and whose ids are ambiguous from now on."""
    for source in sources:
        if SHARED_ID not in source.rows.column_names:
            continue
        messages = source.rows.column(SHARED_ID).to_pylist()
        ids, numbers = (source.rows.column(name).to_pylist() for name in (kind.column("user_id"), ROW))
        for at, message in enumerate(messages):
            if message is None:
                continue
            if source.is_retried:
                state.waiting_ids.setdefault(ids[at], (source.file, numbers[at]))
            else:
                state.shared_ids.setdefault(ids[at], (source.file, numbers[at]))
                why = RowRejected("duplicate_key", message, about="user_id")
                state.log.reject_rows(kind, source, [at], [numbers[at]], why, [None])


def _marked(source: ChangeFile, messages: Mapping[int, str]) -> ChangeFile:
    """Return the source with the rows at the keys of `messages` rejected."""
    refused = combine_chunks(source.rows.column(REFUSED)).to_numpy(zero_copy_only=False).copy()
    refused[list(messages)] = True
    why = pa.array([messages.get(at) for at in range(source.rows.num_rows)], pa.string())
    rows = source.rows.set_column(source.rows.schema.get_field_index(REFUSED), REFUSED, pa.array(refused))
    return replace(source, rows=rows.append_column(SHARED_ID, why))


def _strangers(kind: RowKind, sources: Sequence[ChangeFile], users: pa.Table | None) -> dict[int, dict[int, str]]:
    """Return source → position → why the row is rejected."""
    found: dict[int, dict[int, str]] = defaultdict(dict)
    claims: dict[str, list[_Claim]] = defaultdict(list)
    for claim in _claims(kind, sources):
        claims[claim.row.get("user_id")].append(claim)
    disputed = {id_: rows for id_, rows in claims.items() if any(_differs(rows[0].person, row.person) for row in rows)}
    known = _known_people(users, list(disputed))
    for id_, rows in disputed.items():
        stands, person, ending = _standing(rows, known.get(id_))
        for claim in rows:
            if stands is None or _differs(person, claim.person):
                other = stands or (rows[0] if claim is not rows[0] else rows[1])
                where = f"Row {other.row.number} of {other.row.source.file}"
                message = f"{where} has the same user_id and describes another person; {ending}"
                found[claim.source][claim.row.position] = message
    return found


def _standing(rows: Sequence[_Claim], known: Mapping[str, str] | None) -> tuple[_Claim | None, Mapping[str, str], str]:
    """Return (the row that stands, the person that the id stands for, the end of the others' message)."""
    if known is None:
        return rows[0], rows[0].person, "that row stands."
    stands = next((row for row in rows if not _differs(known, row.person)), None)
    if stands is None:
        return None, known, "no row agrees with the published record, which stays as it is."
    return stands, known, "that row agrees with the published record, and stands."


def _claims(kind: RowKind, sources: Sequence[ChangeFile]) -> Iterator[_Claim]:
    """Yield the rows that share their id with another row and do not delete, in order."""
    reads = [read_source(kind, source, skip_deletes=False) for source in sources]
    ids = pa.concat_arrays([*(read.columns["user_id"] for read in reads if "user_id" in read.columns), pa.array([], pa.string())])
    counts = pc.value_counts(pc.drop_null(ids))
    repeated = counts.filter(pc.greater(counts.field("counts"), 1)).field("values")
    for number, read in enumerate(reads if len(repeated) else ()):
        alive = pc.fill_null(pc.not_equal(read.status, "deleted"), fill_value=False).to_numpy(zero_copy_only=False)
        own = pc.is_in(read.columns["user_id"], value_set=repeated).to_numpy(zero_copy_only=False)
        for row in replace(read, applies=read.applies & alive & own).rows():
            yield _Claim(number, row, _person(row.cells))


def _known_people(users: pa.Table | None, ids: Sequence[str]) -> dict[str, Mapping[str, str]]:
    """Return id → what the roster says of the person, for those of `ids` that it has."""
    if users is None or not ids:
        return {}
    rows = users.filter(pc.is_in(users.column("user_id"), value_set=pa.array(ids, pa.string())))
    names = [name for name in _CELLS if name in rows.column_names]
    return {row["user_id"]: _person(row) for row in rows.select(names).to_pylist()}


def _person(cells: Mapping[str, Any]) -> Mapping[str, str]:
    """Return what cells say of a person: login, other identifying cells, and the whole name."""
    name = cells.get("full_name") or " ".join(cells[part] for part in ("first_name", "last_name") if cells.get(part))
    said = {key: cells.get(key) for key in (_LOGIN, *_OTHERS)} | {"name": name}
    return {key: value.casefold() for key, value in said.items() if value}


def _differs(one: Mapping[str, str], other: Mapping[str, str]) -> bool:
    """Tell whether two descriptions are of different people; what one of them leaves open contradicts nothing."""
    contradicts = {name for name in one.keys() & other.keys() if one[name] != other[name]}
    return _LOGIN in contradicts and len(contradicts) > 1
