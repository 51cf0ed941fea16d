"""Observers: who may watch which student, and the enrollments that follow from it.

Belongs here: links, and letting an observer's enrollments follow the student's, now and later.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from roster_etl.canonical.roster import TABLES
from roster_etl.engine.changes.change_findings import Refused
from roster_etl.engine.changes.change_rows import Row
from roster_etl.engine.changes.enrollment_lookup import bases, true
from roster_etl.engine.changes.state import State, status_of
from roster_etl.engine.changes.working_table import hashed
from roster_etl.engine.transform.mapper import key_text
from roster_etl.frames.arrow import flat
from roster_etl.mapping.change_plan import RowKind

TARGET = TABLES["enrollments"]
LINK = "observer_link"
FOLLOW = "observer_enrollments"
MADE, AT = "_made", "_at"  # of enrollments: they are new; the place of the row that said so
KEY = tuple(name for name in TARGET.key if name != "user_kind")
_ROW = "_row_of"


def observers(state: State, kind: RowKind) -> None:
    """Apply rows of links. A new link enrolls the observer beside the student; the end of one takes these enrollments away."""
    table = state.table(kind.table)
    linked: dict[tuple[str, str], tuple[str | None, int | None]] = {}
    parted: set[tuple[str, str]] = set()

    def apply(row: Row) -> None:
        status = status_of(row)
        observer, student = (state.person(row, name, must_live=status == "active") for name in kind.key)
        key = (observer, student)
        if observer == student:
            raise Refused("self_reference", "Nobody observes himself.", about="observer_id")
        if status == "active":
            table.put(key, {}, row.origin)
            linked[key] = row.origin
            return
        if table.live(key) is None:
            raise Refused("not_linked", "The two users are not linked.")
        state.end(kind, row, key)
        linked.pop(key, None)
        parted.add(key)

    state.each(kind, apply)
    _part(state, parted)
    _link(state, linked)


def _part(state: State, parted: Iterable[tuple[str, str]]) -> None:
    links = pa.Table.from_pylist(
        [{"user_id": observer, "associated_user_id": student} for observer, student in parted],
        schema=pa.schema([("user_id", pa.string()), ("associated_user_id", pa.string())]),
    )
    if links.num_rows:
        table = state.table("enrollments")
        names = links.column_names
        table.settle()
        table.kill(true(pc.is_in(key_text(table.rows, names), value_set=key_text(links, names))), "cascade")


def _link(state: State, linked: dict[tuple[str, str], tuple[str | None, int | None]]) -> None:
    if not linked or not state.options.get(FOLLOW, True):
        return
    table = state.table("enrollments")
    table.settle()
    students = pa.array(sorted({student for _, student in linked}), pa.string())
    beside = table.rows.filter(pc.and_(_of_students(state, table.rows), pc.is_in(table.column("user_id"), value_set=students)))
    schema = pa.schema(
        [("observer_id", pa.string()), ("student_id", pa.string()), ("source_file", pa.string()), ("source_row", pa.int64())]
    )
    links = [
        {"observer_id": o, "student_id": s, "source_file": file, "source_row": row} for (o, s), (file, row) in linked.items()
    ]
    _follow(state, _joined(beside, pa.Table.from_pylist(links, schema=schema)), ended=False)


def follow_students(state: State, changed: pa.Table, ended: pa.Table, own: pa.Table | None = None) -> None:
    """Let the enrollments of observers follow those of the students that were made, changed or ended.

    One that is not there is made only where the student's is new: a row may have ended it, and that stands until the student
    is enrolled again.

    Args: changed, ended: rows of the table, with MADE and AT if rows of the upload say so; own: the enrollments that rows of
    the upload are about (key columns and AT): what a later row says itself wins over what follows from an earlier one.
    """
    links = state.table("observers")
    links.settle()
    if not links.rows.num_rows or not state.options.get(FOLLOW, True):
        return
    pairs = links.rows.select(["observer_id", "student_id"])
    _follow(state, _unless_said(_joined(ended.filter(_of_students(state, ended)), pairs), own), ended=True)
    wanted = _unless_said(_joined(changed.filter(_of_students(state, changed)), pairs), own)
    if MADE not in wanted.column_names:
        wanted = wanted.append_column(MADE, pa.array(np.zeros(wanted.num_rows, dtype=bool)))
    _follow(state, wanted.filter(pc.or_(wanted.column(MADE), _there(state, wanted))), ended=False)


def are_followed(state: State, roles: pa.Array, users: pa.Array) -> np.ndarray:
    """Return which enrollments, by role and user, are those of a student whom somebody observes."""
    observed = pc.is_in(users, value_set=state.table("observers").column("student_id"))
    return true(pc.and_(observed, pc.is_in(roles, value_set=_student_roles(state))))


def _unless_said(wanted: pa.Table, own: pa.Table | None) -> pa.Table:
    """Return `wanted` without the enrollments about which a row of the upload itself has the last word."""
    if own is None or AT not in wanted.column_names:
        return wanted
    said = flat(own.column(AT)).take(pc.index_in(key_text(wanted, KEY), value_set=key_text(own, KEY)))
    return wanted.filter(pc.invert(pc.fill_null(pc.greater(said, flat(wanted.column(AT))), fill_value=False)))


def _there(state: State, wanted: pa.Table) -> pa.Array:
    table = state.table("enrollments")
    table.settle()
    return pc.is_in(key_text(wanted, KEY), value_set=key_text(table.rows, KEY))


def _of_students(state: State, rows: pa.Table) -> pa.Array:
    return pc.is_in(flat(rows.column("role")), value_set=_student_roles(state))


def _student_roles(state: State) -> pa.Array:
    return pa.array([role for role, base in bases(state).items() if base == "student"], pa.string())


def _follow(state: State, wanted: pa.Table, *, ended: bool) -> None:
    """Make, or change, the enrollments `wanted` of observers, or end them."""
    wanted = wanted.select([name for name in wanted.column_names if name not in {MADE, AT}])
    if not wanted.num_rows:
        return
    table = state.table("enrollments")
    table.settle()
    at = pc.index_in(key_text(wanted, TARGET.key), value_set=key_text(table.rows, TARGET.key))
    if ended:
        table.merge(np.zeros(0, dtype=np.int64), table.rows.slice(0, 0), {"cascade": np.unique(pc.drop_null(at).to_numpy())})
        return
    values = {
        "cause": pc.if_else(pc.is_valid(at), table.column("cause").take(at), LINK),
        "limit_section_privileges": table.column("limit_section_privileges").take(at),
    }
    for name, column in values.items():
        wanted = wanted.set_column(wanted.schema.get_field_index(name), wanted.schema.field(name), column)
    wanted = hashed(TARGET, wanted)
    before = table.column("row_hash").take(at)
    other = pc.or_kleene(pc.is_null(at), pc.not_equal(before, flat(wanted.column("row_hash"))))
    places = pc.fill_null(at.cast(pa.int64()), -1).filter(other).to_numpy()
    table.merge(places, wanted.filter(other), {})


def _joined(beside: pa.Table, links: pa.Table) -> pa.Table:
    """Return one row an enrollment and observer of its student: what the observer's enrollment would be, without hash."""
    pairs = beside.select(["user_id"]).append_column(_ROW, pa.array(np.arange(beside.num_rows)))
    own = {"source_file", "source_row"} & set(links.column_names)
    found = pairs.join(
        links.rename_columns([f"l_{name}" for name in links.column_names]), "user_id", "l_student_id", join_type="inner"
    )
    rows = beside.take(flat(found.column(_ROW))).drop_columns(["row_hash"])
    columns = {
        "associated_user_id": flat(rows.column("user_id")),
        "user_id": flat(found.column("l_observer_id")),
        "role": pa.repeat(pa.scalar("observer"), rows.num_rows),
        **{name: flat(found.column(f"l_{name}")) for name in own},
    }
    for name, column in columns.items():
        rows = rows.set_column(rows.schema.get_field_index(name), rows.schema.field(name), column)
    more = [name for name in (MADE, AT) if name in rows.column_names]
    return rows.select([*TARGET.names, "source_file", "source_row", "derived", "extensions", *more])
