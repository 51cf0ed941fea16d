"""The fold: an upload's rows applied to what is there, kind by kind.

Belongs here: the order, and what goes in and comes out. What rows of a kind do stands in the modules of the verbs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from roster_etl.canonical.roster import TABLES
from roster_etl.engine.changes.batch_removals import remove_unnamed
from roster_etl.engine.changes.change_findings import Notes, Place, remember_refused
from roster_etl.engine.changes.change_rows import Source, read_source, without_superseded
from roster_etl.engine.changes.courses import courses
from roster_etl.engine.changes.enrollments import enrollments
from roster_etl.engine.changes.groups import admins, drop_memberships, group_categories, group_memberships, groups
from roster_etl.engine.changes.id_changes import gone_now, said_now
from roster_etl.engine.changes.observers import observers
from roster_etl.engine.changes.organizations import organizations
from roster_etl.engine.changes.people import logins, people
from roster_etl.engine.changes.protected_edits import Override, OverrideChange, Sticky
from roster_etl.engine.changes.record_identity import record_keys
from roster_etl.engine.changes.renames import rename
from roster_etl.engine.changes.sections import cross_lists, sections
from roster_etl.engine.changes.state import IdChange, State
from roster_etl.engine.changes.terms import terms
from roster_etl.engine.changes.working_table import Working
from roster_etl.mapping.change_plan import FoldPlan, RowKind, tables_of

Verb = Callable[[State, RowKind], None]
VERBS: Mapping[str, Verb] = {
    "rename": rename,
    "organizations": organizations,
    "terms": terms,
    "courses": courses,
    "sections": sections,
    "cross_lists": cross_lists,
    "people": people,
    "logins": logins,
    "enrollments": enrollments,
    "admins": admins,
    "group_categories": group_categories,
    "groups": groups,
    "group_memberships": group_memberships,
    "observers": observers,
}
# A record that closed for these went on under another id or key: the old one is free, and nothing is inherited from it.
_WENT_ON = pa.array(["renamed", "changed"], pa.string())


@dataclass(frozen=True, kw_only=True)
class FoldInput:
    """What is folded.

    ``sources``: judged files, and rows of the quarantine, each with its kind; ``current``: table → its current versions
    (whole); ``past``: table → the last version of each record that has no current one (whole); ``options``: their values;
    ``overrides``: stewards' edits in force; ``supplied``: kinds of which the upload has a readable file, header-only ones
    included; ``refused_files``: some file of the upload was refused as a whole; ``id_changes``: those of earlier imports, in
    their order.
    """

    sources: Sequence[Source]
    current: Mapping[str, pa.Table]
    past: Mapping[str, pa.Table] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    overrides: Sequence[Override] = ()
    supplied: frozenset[str] = frozenset()
    refused_files: bool = False
    id_changes: Sequence[IdChange] = ()


@dataclass(frozen=True, kw_only=True)
class Folded:
    """What follows.

    ``tables``: table → rows to have now (business and ORIGIN columns, ``row_hash``, ``_refused`` false), and the versions to
    close (``_refused`` true, ``_close`` the reason): a mapped table, ready for the plan; ``findings`` (FINDINGS);
    ``quarantine`` (QUARANTINE): rows that were refused; ``released``, ``kept``, ``superseded``: (import, file, row) of rows of
    earlier imports that fit now, still do not, or gave way to a newer row; ``overrides``: edits that begin and end.
    """

    tables: Mapping[str, pa.Table]
    findings: pa.Table
    quarantine: pa.Table
    released: tuple[Place, ...]
    kept: tuple[Place, ...]
    superseded: tuple[Place, ...]
    overrides: tuple[OverrideChange, ...]


def fold(plan: FoldPlan, given: FoldInput) -> Folded:
    """Apply the rows of `given` in the order of kinds, files and rows, and return the state that follows."""
    state = _begin(plan, given)
    for kind in plan.kinds:
        _read(state, given, kind)
        if state.reads.get(kind.name):
            VERBS[kind.verb](state, kind)
        if kind.verb == "enrollments":
            drop_memberships(state)
    remove_unnamed(state, supplied=given.supplied, refused_files=given.refused_files)
    drop_memberships(state)
    notes = state.notes
    return Folded(
        tables={name: table.result() for name, table in state.tables.items()},
        findings=notes.table(),
        quarantine=notes.quarantine(),
        released=tuple(notes.released),
        kept=tuple(notes.kept),
        superseded=tuple(notes.superseded),
        overrides=tuple(state.sticky.changes),
    )


def _begin(plan: FoldPlan, given: FoldInput) -> State:
    tables = {name: _working(plan, given, name) for name in tables_of(plan)}
    notes = Notes()
    sticky = Sticky.of(given.overrides, given.options)
    return State(plan=plan, tables=tables, options=given.options, sticky=sticky, notes=notes, id_changes=[*given.id_changes])


def _read(state: State, given: FoldInput, kind: RowKind) -> None:
    """Read the rows of a kind: those of the quarantine first, with the ids of now, and without those that a newer row replaces."""
    notes, skip = state.notes, bool(given.options.get("skip_deletes"))
    mine = [source for source in given.sources if source.kind == kind.name]
    mine = [said_now(state.id_changes, kind, source) if source.retried else source for source in mine]
    sources, superseded = without_superseded(mine, lambda rows: record_keys(state, kind, rows))
    notes.superseded += superseded
    remember_refused(notes, kind, sources, kind.key[0])
    for source in sources:
        if source.rows.num_rows or not source.retried:
            state.reads.setdefault(kind.name, []).append(read_source(kind, source, skip_deletes=skip))
    _keep_refused(notes, sources)


def _working(plan: FoldPlan, given: FoldInput, name: str) -> Working:
    target = TABLES[name]
    current = given.current.get(name)
    schema = target.full_schema
    current = schema.empty_table() if current is None else current
    past = given.past.get(name, schema.empty_table())
    past = past.filter(pc.invert(pc.is_in(past.column("close_reason"), value_set=_WENT_ON)))
    return Working(target, current, gone_now(given.id_changes, name, past), plan.fixed.get(name, {}))


def _keep_refused(notes: Notes, sources: Sequence[Source]) -> None:
    """Rows of the quarantine that the judge refuses again stay there."""
    for source in sources:
        if source.retried:
            refused = np.flatnonzero(source.rows.column("_refused").to_numpy())
            notes.kept += [(source.import_id, source.file, source.rows.column("_row")[at].as_py()) for at in refused]
