"""Apply rows of terms, and of a term's dates for one type of enrollment."""

from __future__ import annotations

from roster_etl.engine.changes.change_findings import RowRejected
from roster_etl.engine.changes.change_rows import Row
from roster_etl.engine.changes.state import (
    State,
    index_integration_ids,
    next_integration_id,
    require_values,
    stated_values,
    status_of,
)
from roster_etl.mapping.change_plan import RowKind

DATES = ("start_at", "end_at")


def apply_terms(state: State, kind: RowKind) -> None:
    """Apply rows of terms."""
    table, ids = state.table(kind.table), index_integration_ids(state.table(kind.table))
    used = {term for _, term in state.table("courses").live_values("term_id")}
    ended: set[str] = set()

    def apply(row: Row) -> None:
        key, status = row.get("term_id"), status_of(row)
        if row.get("enrollment_type") is not None:
            _apply_term_dates(state, kind, row, key, status)
            return
        if status == "deleted":
            if key in used:
                raise RowRejected("has_active_children", "Courses still use the term.")
            if state.end_record(kind, row, key):
                ended.add(key)
                ids.move(next_integration_id({}, table.find(key)), None, key)
            return
        record = table.find(key)
        require_values(kind, row, record)
        values = stated_values(kind, row, table.target.names)
        ids.check(next_integration_id(values, record), key)
        before = record.values.get("integration_id") if record else None
        after = state.upsert(kind, row, key, values).values
        ids.move(before, after["integration_id"], key)

    state.apply_rows(kind, apply)
    if ended:
        state.cascade("term_dates", ("term_id",), ended)


def _apply_term_dates(state: State, kind: RowKind, row: Row, term: str, status: str) -> None:
    """Set or remove the dates of a term for one type of enrollment; the row's other columns are ignored."""
    state.require_live_record(row, "term_id", kind.table, term)
    table, key = state.table("term_dates"), (term, row.get("enrollment_type"))
    if status == "deleted":
        table.end_record(key, "diffed" if row.dropped else "deleted", row.origin)
    else:
        table.upsert(key, {name: row.cells[name] for name in DATES if name in row.cells}, row.origin)
