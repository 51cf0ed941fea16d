"""Rows of terms, and of the dates that a term has for one type of enrollment."""

from __future__ import annotations

from roster_etl.engine.changes.change_findings import Refused
from roster_etl.engine.changes.change_rows import Row
from roster_etl.engine.changes.state import State, check_needed, given_values, integration_ids, second_id, status_of
from roster_etl.mapping.change_plan import RowKind

DATES = ("start_at", "end_at")


def terms(state: State, kind: RowKind) -> None:
    """Apply rows of terms."""
    table, ids = state.table(kind.table), integration_ids(state.table(kind.table))
    used = {term for _, term in state.table("courses").live_values("term_id")}
    ended: set[str] = set()

    def apply(row: Row) -> None:
        key, status = row.get("term_id"), status_of(row)
        if row.get("enrollment_type") is not None:
            _dates(state, kind, row, key, status)
            return
        if status == "deleted":
            if key in used:
                raise Refused("has_active_children", "Courses still use the term.")
            if state.end(kind, row, key):
                ended.add(key)
                ids.move(second_id({}, table.known(key)), None, key)
            return
        record = table.known(key)
        check_needed(kind, row, record)
        values = given_values(kind, row, table.target.names)
        ids.check(second_id(values, record), key)
        before = record.values.get("integration_id") if record else None
        after = state.put(kind, row, key, values).values
        ids.move(before, after["integration_id"], key)

    state.each(kind, apply)
    if ended:
        state.cascade("term_dates", ("term_id",), ended)


def _dates(state: State, kind: RowKind, row: Row, term: str, status: str) -> None:
    """Set, or take away, the dates of a term for one type of enrollment; the row's other columns do not count."""
    state.must_live(row, "term_id", kind.table, term)
    table, key = state.table("term_dates"), (term, row.get("enrollment_type"))
    if status == "deleted":
        table.end(key, "diffed" if row.dropped else "deleted", row.origin)
    else:
        table.put(key, {name: row.cells[name] for name in DATES if name in row.cells}, row.origin)
