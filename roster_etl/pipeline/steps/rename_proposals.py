"""Propose renames (probable ID changes of people) for an import, and apply those that a person approved.

Which people may match is decided in ``engine.planning.rename_detection``. A format whose uploads state their renames gets none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from roster_etl.canonical.roster import TABLES
from roster_etl.engine.planning.plan import Plan
from roster_etl.engine.planning.rename_detection import (
    PERSON,
    PROPOSALS,
    TABLE,
    People,
    apply_renames,
    id_change_rows,
    propose_renames,
)
from roster_etl.frames.arrow import combine_chunks
from roster_etl.frames.row_hashes import key_text
from roster_etl.pipeline.staging import Staging, staging_of
from roster_etl.pipeline.steps.closing_versions import ClosingVersions
from roster_etl.pipeline.uploads.upload import Upload
from roster_etl.pipeline.workspace import Workspace
from roster_etl.spec.errors import PermanentError
from roster_etl.spec.findings import Finding, mask
from roster_etl.vendors import vendor
from roster_etl.vendors.lineage import tables_of

CODE = "possible_rename"
_KEY = ["user_kind", "user_id"]
_REQUIRED_TABLES = ("users", "user_roles")
_MAX_SHOWN = 20
_MATCH_TEXTS = {"birth_date": "names and date of birth", "email": "e-mail address"}


@dataclass(frozen=True, kw_only=True)
class Renames:
    """The rename proposals of an import, and the approved ones (both PROPOSALS, numbered).

    ``rows``: the rows that open in ``id_changes`` for the approved ones.
    """

    proposed: pa.Table
    approved: pa.Table
    rows: pa.Table

    @property
    def summary(self) -> dict[str, Any]:
        """Return the summary for ledger and reports: counts, the ``numbers`` of approved proposals, and masked IDs."""
        if not self.proposed.num_rows:
            return {}
        shown = self.proposed.slice(0, _MAX_SHOWN).to_pylist()
        pairs = [
            {
                "number": pair[NUMBER],
                "kind": pair["user_kind"],
                "old": mask(pair["old_id"]),
                "new": mask(pair["new_id"]),
                "same": pair["by"],
            }
            for pair in shown
        ]
        return {
            "proposed": self.proposed.num_rows,
            "approved": self.approved.num_rows,
            "numbers": self.approved.column(NUMBER).to_pylist(),
            "pairs": pairs,
        }

    def findings(self) -> list[Finding]:
        """Return one finding for each proposal that is not approved."""
        done = set(self.approved.column("old_id").to_pylist())
        return [
            Finding(
                severity="info",
                code=CODE,
                field="users",
                key=f"{pair[NUMBER]}: {mask(pair['old_id'])} → {mask(pair['new_id'])}",
                message=f"A {pair['user_kind']} vanishes, and one with the same {_MATCH_TEXTS[pair['by']]} appears in the same school.",
            )
            for pair in self.proposed.to_pylist()
            if pair["old_id"] not in done
        ]


def detect_renames(
    workspace: Workspace, upload: Upload, plan: Plan, tables: Mapping[str, pa.Table], closing: ClosingVersions
) -> Renames:
    """Return the probable renames in the plan of `upload`, and those that its selectors approve. Raises BadRename."""
    found = _detect_proposals(upload, plan, tables, closing)
    proposed = number_proposals(found)
    approved = select_proposals(proposed, upload.renames, upload.import_id)
    rows = _new_id_changes(workspace, (upload.district_id, upload.source), approved)
    staging_of(workspace, upload).write_renames(found, rows)
    return Renames(proposed=proposed, approved=approved, rows=rows)


def apply_approved_renames(workspace: Workspace, upload: Upload, plan: Plan, renames: Renames) -> Plan:
    """Return `plan` with the approved proposals applied as renames."""
    if not renames.approved.num_rows:
        return plan
    closing = {
        name: workspace.warehouse.roster.versions(name, table.closes.column("version_id"))
        for name, table in plan.tables.items()
        if table.closes.num_rows and set(_KEY) <= set(TABLES[name].names)
    }
    current = workspace.warehouse.roster.count_current(upload.district_id, upload.source, TABLE)
    return apply_renames(plan, renames.approved, closing, renames.rows, current)


def proposals(workspace: Workspace, import_id: int) -> pa.Table:
    """Return the proposals of import `import_id` (columns PROPOSALS, numbered), without those that are approved by now.

    Raises: UnknownImport. BadRename: it is neither held nor published. FrameError: it is held, and its staged tables are gone.
    """
    row = workspace.warehouse.ledger.import_(import_id)
    feed = (row["district_id"], row["source"])
    if row["status"] == "published":
        found = _detect_published_proposals(workspace, feed, import_id)
    elif row["status"] == "held" and row["kind"] == "upload":
        found = Staging(workspace.frames, row["district_id"], import_id).renames()
    else:
        raise BadRename(import_id=import_id, problem=f"it is {row['status']}, and removes nobody")
    known = _known_id_changes(workspace, feed, found)
    pairs = key_text(found, ("old_id", "new_id"))
    return number_proposals(found).filter(pc.invert(pc.is_in(pairs, value_set=key_text(known, ("old_id", "new_id")))))


def replace_ids_by_numbers(workspace: Workspace, import_id: int, selectors: Sequence[str]) -> tuple[str, ...]:
    """Return the rename selectors of held import `import_id` in a form that may be stored: numbers, or ``all``.

    Raises: UnknownImport, BadRename. FrameError: IDs were given, and the staged tables of the import are gone.
    """
    return (
        selectors_as_numbers(proposals(workspace, import_id), selectors, import_id)
        if contains_ids(selectors)
        else tuple(selectors)
    )


# ---- people that disappear and appear


def _detect_proposals(upload: Upload, plan: Plan, tables: Mapping[str, pa.Table], closing: ClosingVersions) -> pa.Table:
    users = plan.tables.get("users")
    filled = tables_of(upload.vendor)
    if users is None or not (users.absent and users.created) or TABLE in filled or not set(_REQUIRED_TABLES) <= set(filled):
        return PROPOSALS.empty_table()
    gone = {name: closing.absent(name) if name == "users" else closing.removed(name) for name in _tables(filled)}
    opening = {name: plan.tables[name].rows_to_open(partial(tables.__getitem__, name)) for name in _tables(filled)}
    opening["users"] = opening["users"].filter(_is_not_known(opening["users"], closing.replaced("users")))
    return propose_renames(_people(gone), _people(opening))


def _tables(filled: Sequence[str]) -> tuple[str, ...]:
    return tuple(name for name in ("users", "user_roles", "student_profiles") if name in filled)


def _is_not_known(people: pa.Table, known: pa.Table) -> pa.Array:
    """Return a mask of the rows of `people` that are not in `known`."""
    return pc.invert(pc.is_in(key_text(people, _KEY), value_set=key_text(known, _KEY)))


def _people(tables: Mapping[str, pa.Table]) -> People:
    nobody = pa.table({name: pa.array([], pa.string()) for name in (*_KEY, "birth_date")})
    return People(
        persons=tables["users"].select([*PERSON]),
        born=tables.get("student_profiles", nobody),
        schools=tables["user_roles"],
    )


def _detect_published_proposals(workspace: Workspace, feed: tuple[str, str], import_id: int) -> pa.Table:
    filled = tables_of(vendor(feed[1]))
    if TABLE in filled or not set(_REQUIRED_TABLES) <= set(filled):
        return PROPOSALS.empty_table()
    turned = {name: workspace.warehouse.roster.versions_touched_by(*feed, name, import_id) for name in _tables(filled)}
    closed, opened = ({name: sides[side] for name, sides in turned.items()} for side in (0, 1))
    came = opened["users"].filter(_is_not_known(opened["users"], closed["users"]))
    absent = closed["users"].filter(pc.equal(closed["users"].column("close_reason"), "absent"))
    return propose_renames(_people({**closed, "users": absent}), _people({**opened, "users": came}))


def _known_id_changes(workspace: Workspace, feed: tuple[str, str], changes: pa.Table) -> pa.Table:
    """Return the current ID changes of the old IDs of `changes`, and some others."""
    return workspace.warehouse.roster.id_changes_of(*feed, pc.unique(combine_chunks(changes.column("old_id"))))


def _new_id_changes(workspace: Workspace, feed: tuple[str, str], approved: pa.Table) -> pa.Table:
    rows = id_change_rows(approved)
    if not rows.num_rows:
        return rows
    known = _known_id_changes(workspace, feed, rows)
    return rows.filter(pc.invert(pc.is_in(key_text(rows, TABLES[TABLE].key), value_set=key_text(known, TABLES[TABLE].key))))


ALL, NUMBER = "all", "number"


class BadRename(PermanentError):
    """A rename that was not proposed."""

    code = "bad_rename"
    template = "import {import_id}: {problem}; `roster-etl renames list {import_id}` shows what is proposed"


def number_proposals(proposed: pa.Table) -> pa.Table:
    """Return proposals (``engine.planning.rename_detection.PROPOSALS``, in order) with a first column ``number``, from 1."""
    return proposed.add_column(0, NUMBER, pa.array(range(1, proposed.num_rows + 1), pa.int64()))


def select_proposals(proposed: pa.Table, selectors: Sequence[str], import_id: int) -> pa.Table:
    """Return the rows of `proposed` (numbered) that `selectors` match: ``all``, a number, or ``OLD=NEW``. Raises BadRename."""
    if ALL in selectors:
        return proposed
    wanted = pa.array([int(word) for word in selectors_as_numbers(proposed, selectors, import_id)], pa.int64())
    return proposed.filter(pc.is_in(proposed.column(NUMBER), value_set=wanted))


def selectors_as_numbers(proposed: pa.Table, selectors: Sequence[str], import_id: int) -> tuple[str, ...]:
    """Return `selectors`, replacing each that matches one of `proposed` by IDs with the proposal's number. Raises BadRename."""
    rows = proposed.select([NUMBER, "old_id", "new_id"]).to_pylist()
    numbers = {f"{row['old_id']}={row['new_id']}": str(row[NUMBER]) for row in rows}
    numbers |= {number: number for number in numbers.values()} | {ALL: ALL}
    if unknown := [place for place, word in enumerate(selectors, start=1) if word not in numbers]:
        problem = f"word {unknown[0]} of what is to be renamed names none of the {len(rows):,} that are proposed"
        raise BadRename(import_id=import_id, problem=problem)
    return tuple(numbers[word] for word in selectors)


def contains_ids(selectors: Sequence[str]) -> bool:
    """Return whether one of `selectors` identifies a rename by IDs."""
    return any("=" in word for word in selectors)
