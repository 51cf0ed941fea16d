"""Apply an upload's rows to the current state, kind by kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from roster_etl.canonical.roster import TABLES
from roster_etl.engine.changes.awaited import texts_of_rows, touched_texts
from roster_etl.engine.changes.batch_removals import remove_missing_records
from roster_etl.engine.changes.change_findings import ChangeLog, RowReference, record_refused_keys
from roster_etl.engine.changes.change_rows import ChangeFile, drop_superseded, read_source
from roster_etl.engine.changes.courses import apply_courses
from roster_etl.engine.changes.enrollments import apply_enrollments
from roster_etl.engine.changes.groups import (
    apply_admins,
    apply_group_categories,
    apply_group_memberships,
    apply_groups,
    end_unenrolled_memberships,
)
from roster_etl.engine.changes.id_changes import rename_past_versions, rename_retried_rows
from roster_etl.engine.changes.observers import apply_observers
from roster_etl.engine.changes.organizations import apply_organizations
from roster_etl.engine.changes.override_protection import Override, OverrideChange, ProtectedEdits
from roster_etl.engine.changes.people import apply_logins, apply_people
from roster_etl.engine.changes.renames import apply_id_changes
from roster_etl.engine.changes.sections import apply_cross_lists, apply_sections
from roster_etl.engine.changes.shared_ids import record_shared_ids
from roster_etl.engine.changes.state import IdChange, State
from roster_etl.engine.changes.terms import apply_terms
from roster_etl.engine.changes.waiting import awaited_by_rejected, cache_keys, record_kind
from roster_etl.engine.changes.working_table import WorkingTable
from roster_etl.mapping.change_plan import ChangePlan, RowKind, changed_tables

RowHandler = Callable[[State, RowKind], None]
HANDLERS: Mapping[str, RowHandler] = {
    "rename": apply_id_changes,
    "organizations": apply_organizations,
    "terms": apply_terms,
    "courses": apply_courses,
    "sections": apply_sections,
    "cross_lists": apply_cross_lists,
    "people": apply_people,
    "logins": apply_logins,
    "enrollments": apply_enrollments,
    "admins": apply_admins,
    "group_categories": apply_group_categories,
    "groups": apply_groups,
    "group_memberships": apply_group_memberships,
    "observers": apply_observers,
}
# A record that closed for these reasons continued under another id or key: a new record with the old one inherits nothing.
_CONTINUED_REASONS = pa.array(["renamed", "changed"], pa.string())


@dataclass(frozen=True, kw_only=True)
class ChangeInput:
    """The input of `apply_changes`.

    ``sources``: validated files, and rows of the quarantine, each with its kind; ``current``: table → its current versions (all
    columns);
    ``past``: table → the last version of each record without a current one (all columns); ``options``: their values;
    ``overrides``: active overrides; ``supplied``: kinds with a readable file in the upload, header-only ones included;
    ``refused_files``: some file of the upload was rejected as a whole; ``id_changes``: those of earlier imports, in order;
    ``others_wait``: rows of the quarantine are not among the sources, so that it matters which records the rows describe.
    """

    sources: Sequence[ChangeFile]
    current: Mapping[str, pa.Table]
    past: Mapping[str, pa.Table] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    overrides: Sequence[Override] = ()
    supplied: frozenset[str] = frozenset()
    refused_files: bool = False
    id_changes: Sequence[IdChange] = ()
    others_wait: bool = False


@dataclass(frozen=True, kw_only=True)
class ChangeResult:
    """The result of `apply_changes`.

    ``tables``: table → rows of the new state (business and ORIGIN columns, ``row_hash``, ``_refused`` false), and the versions to
    close (``_refused`` true, ``_close`` the reason): a mapped table, ready for the plan; ``findings`` (FINDINGS);
    ``quarantine`` (QUARANTINE): rejected rows; ``released``, ``still_refused``, ``superseded``: (import, file, row) of rows
    of earlier imports that now apply, are still rejected, or were superseded by a newer row; ``overrides``: overrides that begin
    and end; ``awaited`` (AWAITED): what the rejected rows wait for; ``touched``: the texts of what this upload changed; ``described``: those
    of the records that its rows describe, only if others wait.
    """

    tables: Mapping[str, pa.Table]
    findings: pa.Table
    quarantine: pa.Table
    released: tuple[RowReference, ...]
    still_refused: tuple[RowReference, ...]
    superseded: tuple[RowReference, ...]
    overrides: tuple[OverrideChange, ...]
    awaited: pa.Table
    touched: pa.Array
    described: pa.Array


def apply_changes(plan: ChangePlan, inputs: ChangeInput) -> ChangeResult:
    """Apply the rows of `inputs` in the order of kinds, files and rows, and return the resulting state."""
    state = _initial_state(plan, inputs)
    for kind in plan.kinds:
        _read_kind(state, inputs, kind)
        if state.reads.get(kind.name):
            HANDLERS[kind.handler](state, kind)
        if kind.handler == "enrollments":
            end_unenrolled_memberships(state)
    remove_missing_records(state, supplied=inputs.supplied, refused_files=inputs.refused_files)
    end_unenrolled_memberships(state)
    notes, tables = state.log, {name: table.mapped_table() for name, table in state.tables.items()}
    return ChangeResult(
        tables=tables,
        findings=notes.findings_table(),
        quarantine=notes.quarantine_table(),
        released=tuple(notes.released),
        still_refused=tuple(notes.still_refused),
        superseded=tuple(notes.superseded),
        overrides=tuple(state.protected_edits.changes),
        awaited=awaited_by_rejected(state),
        touched=pa.concat_arrays([touched_texts(state.touched()), *notes.waits.left]),
        described=pa.concat_arrays([pa.array([], pa.string()), *state.described]),
    )


def _initial_state(plan: ChangePlan, inputs: ChangeInput) -> State:
    tables = {name: _working_table(plan, inputs, name) for name in changed_tables(plan)}
    notes = ChangeLog()
    sticky = ProtectedEdits.from_options(inputs.overrides, inputs.options)
    return State(
        plan=plan, tables=tables, options=inputs.options, protected_edits=sticky, log=notes, id_changes=[*inputs.id_changes]
    )


def _read_kind(state: State, inputs: ChangeInput, kind: RowKind) -> None:
    """Read the rows of a kind: quarantined rows first, with current ids, without those that a newer row supersedes."""
    notes, skip = state.log, bool(inputs.options.get("skip_deletes"))
    mine = [source for source in inputs.sources if source.kind == kind.name]
    mine = [rename_retried_rows(state.id_changes, kind, source) if source.is_retried else source for source in mine]
    keys = cache_keys(state, kind)
    sources, superseded = drop_superseded(mine, keys)
    notes.superseded += superseded
    record_kind(state, kind, mine, sources)
    if inputs.others_wait:
        state.described += [texts_of_rows(kind, keys(source.rows)) for source in sources if not source.is_retried]
    record_refused_keys(notes, kind, sources, kind.key[0])
    record_shared_ids(state, kind, sources)
    for source in sources:
        if source.rows.num_rows or not source.is_retried:
            state.reads.setdefault(kind.name, []).append(read_source(kind, source, skip_deletes=skip))
    _record_still_refused(notes, sources)


def _working_table(plan: ChangePlan, inputs: ChangeInput, name: str) -> WorkingTable:
    target = TABLES[name]
    current = inputs.current.get(name)
    schema = target.full_schema
    current = schema.empty_table() if current is None else current
    past = inputs.past.get(name, schema.empty_table())
    past = past.filter(pc.invert(pc.is_in(past.column("close_reason"), value_set=_CONTINUED_REASONS)))
    return WorkingTable(target, current, rename_past_versions(inputs.id_changes, name, past), plan.fixed.get(name, {}))


def _record_still_refused(log: ChangeLog, sources: Sequence[ChangeFile]) -> None:
    """Record the quarantined rows that validation rejects again; they stay in the quarantine."""
    for source in sources:
        if source.is_retried:
            refused = np.flatnonzero(source.rows.column("_refused").to_numpy())
            log.still_refused += [(source.import_id, source.file, source.rows.column("_row")[at].as_py()) for at in refused]
