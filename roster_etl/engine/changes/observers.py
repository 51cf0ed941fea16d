"""Apply rows of observer links, and derive the observers' enrollments from their students', now and later."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from roster_etl.canonical.roster import TABLES
from roster_etl.engine.changes.change_findings import RowRejected
from roster_etl.engine.changes.change_rows import Row
from roster_etl.engine.changes.enrollment_lookup import base_roles, to_mask
from roster_etl.engine.changes.state import State, status_of
from roster_etl.engine.changes.working_table import with_row_hash
from roster_etl.frames.arrow import combine_chunks
from roster_etl.frames.row_hashes import key_text
from roster_etl.mapping.change_plan import RowKind

TARGET = TABLES["enrollments"]
LINK = "observer_link"
FOLLOW = "observer_enrollments"
IS_NEW, ROW_POSITION = "_made", "_at"  # of enrollments: whether new; position of the row that caused the change
KEY = tuple(name for name in TARGET.key if name != "user_kind")
_ROW = "_row_of"


def apply_observers(state: State, kind: RowKind) -> None:
    """Apply rows of links. A new link enrolls the observer beside the student; ending it ends these enrollments."""
    table = state.table(kind.table)
    linked: dict[tuple[str, str], tuple[str | None, int | None]] = {}
    parted: set[tuple[str, str]] = set()

    def apply(row: Row) -> None:
        status = status_of(row)
        observer, student = (state.resolve_person(row, name, must_live=status == "active") for name in kind.key)
        key = (observer, student)
        if observer == student:
            raise RowRejected("self_reference", "Nobody observes himself.", about="observer_id")
        if status == "active":
            table.upsert(key, {}, row.origin)
            linked[key] = row.origin
            return
        if table.find_live(key) is None:
            raise RowRejected("not_linked", "The two users are not linked.")
        state.end_record(kind, row, key)
        linked.pop(key, None)
        parted.add(key)

    state.apply_rows(kind, apply)
    _part(state, parted)
    _add_linked_enrollments(state, linked)


def _part(state: State, ended_links: Iterable[tuple[str, str]]) -> None:
    links = pa.Table.from_pylist(
        [{"user_id": observer, "associated_user_id": student} for observer, student in ended_links],
        schema=pa.schema([("user_id", pa.string()), ("associated_user_id", pa.string())]),
    )
    if links.num_rows:
        table = state.table("enrollments")
        names = links.column_names
        table.flush()
        table.end_rows(to_mask(pc.is_in(key_text(table.rows, names), value_set=key_text(links, names))), "cascade")


def _add_linked_enrollments(state: State, new_links: dict[tuple[str, str], tuple[str | None, int | None]]) -> None:
    if not new_links or not state.options.get(FOLLOW, True):
        return
    table = state.table("enrollments")
    table.flush()
    students = pa.array(sorted({student for _, student in new_links}), pa.string())
    beside = table.rows.filter(pc.and_(_is_student_row(state, table.rows), pc.is_in(table.column("user_id"), value_set=students)))
    schema = pa.schema(
        [("observer_id", pa.string()), ("student_id", pa.string()), ("source_file", pa.string()), ("source_row", pa.int64())]
    )
    links = [
        {"observer_id": o, "student_id": s, "source_file": file, "source_row": row} for (o, s), (file, row) in new_links.items()
    ]
    _write_observer_enrollments(state, _observer_rows(beside, pa.Table.from_pylist(links, schema=schema)), ended=False)


def update_observer_enrollments(state: State, changed: pa.Table, ended: pa.Table, stated: pa.Table | None = None) -> None:
    """Update the observers' enrollments after students' enrollments were created, changed or ended.

    A missing one is created only if the student's is new: a row may have ended it, which holds until the student is enrolled
    again.

    Args: changed, ended: rows of the table, with IS_NEW and ROW_POSITION if rows of the upload caused them; stated: the
        enrollments that rows of the upload are about (key columns and ROW_POSITION): a later explicit row overrides the effect of
        an earlier one.
    """
    links = state.table("observers")
    links.flush()
    if not links.rows.num_rows or not state.options.get(FOLLOW, True):
        return
    pairs = links.rows.select(["observer_id", "student_id"])
    _write_observer_enrollments(
        state, _without_stated(_observer_rows(ended.filter(_is_student_row(state, ended)), pairs), stated), ended=True
    )
    wanted = _without_stated(_observer_rows(changed.filter(_is_student_row(state, changed)), pairs), stated)
    if IS_NEW not in wanted.column_names:
        wanted = wanted.append_column(IS_NEW, pa.array(np.zeros(wanted.num_rows, dtype=bool)))
    _write_observer_enrollments(state, wanted.filter(pc.or_(wanted.column(IS_NEW), _exists(state, wanted))), ended=False)


def is_observed_student(state: State, roles: pa.Array, users: pa.Array) -> np.ndarray:
    """Return which enrollments, by role and user, are those of an observed student."""
    observed = pc.is_in(users, value_set=state.table("observers").column("student_id"))
    return to_mask(pc.and_(observed, pc.is_in(roles, value_set=_student_roles(state))))


def _without_stated(wanted: pa.Table, stated: pa.Table | None) -> pa.Table:
    """Return `wanted` without the enrollments that a later row of the upload sets explicitly."""
    if stated is None or ROW_POSITION not in wanted.column_names:
        return wanted
    said = combine_chunks(stated.column(ROW_POSITION)).take(pc.index_in(key_text(wanted, KEY), value_set=key_text(stated, KEY)))
    return wanted.filter(pc.invert(pc.fill_null(pc.greater(said, combine_chunks(wanted.column(ROW_POSITION))), fill_value=False)))


def _exists(state: State, wanted: pa.Table) -> pa.Array:
    table = state.table("enrollments")
    table.flush()
    return pc.is_in(key_text(wanted, KEY), value_set=key_text(table.rows, KEY))


def _is_student_row(state: State, rows: pa.Table) -> pa.Array:
    return pc.is_in(combine_chunks(rows.column("role")), value_set=_student_roles(state))


def _student_roles(state: State) -> pa.Array:
    return pa.array([role for role, base in base_roles(state).items() if base == "student"], pa.string())


def _write_observer_enrollments(state: State, wanted: pa.Table, *, ended: bool) -> None:
    """Create or change the observers' enrollments `wanted`, or end them."""
    wanted = wanted.select([name for name in wanted.column_names if name not in {IS_NEW, ROW_POSITION}])
    if not wanted.num_rows:
        return
    table = state.table("enrollments")
    table.flush()
    at = pc.index_in(key_text(wanted, TARGET.key), value_set=key_text(table.rows, TARGET.key))
    if ended:
        table.merge_rows(np.zeros(0, dtype=np.int64), table.rows.slice(0, 0), {"cascade": np.unique(pc.drop_null(at).to_numpy())})
        return
    values = {
        "cause": pc.if_else(pc.is_valid(at), table.column("cause").take(at), LINK),
        "limit_section_privileges": table.column("limit_section_privileges").take(at),
    }
    for name, column in values.items():
        wanted = wanted.set_column(wanted.schema.get_field_index(name), wanted.schema.field(name), column)
    wanted = with_row_hash(TARGET, wanted)
    before = table.column("row_hash").take(at)
    other = pc.or_kleene(pc.is_null(at), pc.not_equal(before, combine_chunks(wanted.column("row_hash"))))
    places = pc.fill_null(at.cast(pa.int64()), -1).filter(other).to_numpy()
    table.merge_rows(places, wanted.filter(other), {})


def _observer_rows(student_rows: pa.Table, links: pa.Table) -> pa.Table:
    """Return one row per enrollment and observer of its student: the observer's enrollment, without hash."""
    pairs = student_rows.select(["user_id"]).append_column(_ROW, pa.array(np.arange(student_rows.num_rows)))
    own = {"source_file", "source_row"} & set(links.column_names)
    found = pairs.join(
        links.rename_columns([f"l_{name}" for name in links.column_names]), "user_id", "l_student_id", join_type="inner"
    )
    rows = student_rows.take(combine_chunks(found.column(_ROW))).drop_columns(["row_hash"])
    columns = {
        "associated_user_id": combine_chunks(rows.column("user_id")),
        "user_id": combine_chunks(found.column("l_observer_id")),
        "role": pa.repeat(pa.scalar("observer"), rows.num_rows),
        **{name: combine_chunks(found.column(f"l_{name}")) for name in own},
    }
    for name, column in columns.items():
        rows = rows.set_column(rows.schema.get_field_index(name), rows.schema.field(name), column)
    more = [name for name in (IS_NEW, ROW_POSITION) if name in rows.column_names]
    return rows.select([*TARGET.names, "source_file", "source_row", "derived", "extensions", *more])
