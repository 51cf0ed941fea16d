"""Undo: plan the state before an import as an import of its own, and publish it once a person has approved it.

The earlier state is read from the history of the feed: the archived bytes are not needed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from roster_etl.engine.planning.plan import Plan
from roster_etl.engine.planning.rename_detection import ENTITY, TABLE
from roster_etl.engine.planning.undo import UNDONE, ChangesSince, make_undo_plan
from roster_etl.frames.arrow import findings_table
from roster_etl.pipeline.lifecycle.close_superseded_holds import close_named_holds, close_replaced_holds, refresh_files
from roster_etl.pipeline.lifecycle.hold_races import lost_race_as_no_hold
from roster_etl.pipeline.lifecycle.import_lifecycle import begin_import, fail_import_on_error
from roster_etl.pipeline.one_connection import on_one_connection
from roster_etl.pipeline.plan_decision import PlanChanged, decision_of_plan
from roster_etl.pipeline.reporting.import_summary import ImportSummary, read_import_summary
from roster_etl.pipeline.review.manual_import import carry_over_summary, write_manual_manifest
from roster_etl.pipeline.workspace import Workspace
from roster_etl.spec.errors import PermanentError
from roster_etl.spec.findings import Finding
from roster_etl.store.fault_injection import fault_point
from roster_etl.store.warehouse import (
    AuditEntry,
    Edit,
    Hold,
    ImportResult,
    RosterReader,
    TableChange,
    UnknownImport,
    WriteSession,
)
from roster_etl.vendors import vendor
from roster_etl.vendors.lineage import tables_of

REASON = "undo"


class NotUndoable(PermanentError):
    """The import changed nothing, or its changes cannot be reverted."""

    code = "not_undoable"
    template = "import {import_id} cannot be undone: {problem}"


@dataclass(frozen=True, kw_only=True)
class _Undo:
    """An undo as computed against the current roster.

    ``undoes``: the imports that are reverted, the requested one first; ``carried_summary``: the parts of the restored import's
    summary that are valid again.
    """

    district_id: str
    source: str
    undoes: tuple[int, ...]
    plan: Plan
    since: Mapping[str, ChangesSince]
    edits: tuple[Edit, ...]
    carried_summary: Mapping[str, Any]


@on_one_connection
def plan_undo(workspace: Workspace, import_id: int, by: str, *, run_id: str | None = None) -> int:
    """Plan the state before import `import_id`, and hold that plan for approval. Returns the number of the new import.

    It ends as ``held``, or as ``unchanged`` if the roster has that state already.
    Raises: UnknownImport. NotUndoable: it published nothing, or personal data was purged since.
    """
    entry = _request_entry(workspace, import_id, by)
    with workspace.warehouse.attempt(entry):
        row = _require_undoable(workspace, import_id)
        number = _begin_undo_import(workspace, row, run_id, entry)
    with fail_import_on_error(workspace, number):
        fault_point("undo.opened")
        undo = _compute_undo(workspace, row)
        _write_undo_manifest(
            workspace, number, undo, by
        )  # manifest first: if this process is killed, the archive still has the request
        _conclude(workspace, number, undo, by)
        fault_point("undo.held")
        _supersede_same_undo(workspace, number, undo)
        _write_undo_manifest(workspace, number, undo, by)
    return number


@on_one_connection
def publish_undo(workspace: Workspace, import_id: int, sha256: str, by: str) -> ImportSummary:
    """Publish the undo that is held as import `import_id`, if its plan still has the hash `sha256`.

    Returns: the summary of the import from the ledger.
    Raises: PlanChanged, RosterChanged: another import was published meanwhile. NoHold: it was decided already.
    """
    row = workspace.warehouse.ledger.import_(import_id)
    entry = AuditEntry(
        action="approve",
        who=by,
        district_id=row["district_id"],
        source=row["source"],
        import_id=import_id,
        about={"undoes": row["summary"]["undoes"]},
    )
    with workspace.warehouse.attempt(entry), lost_race_as_no_hold(workspace, import_id):
        undo, closed = _published(workspace, row, sha256, by, entry)
    summary = _write_undo_manifest(workspace, import_id, undo, row["summary"]["asked_by"], approved_by=by)
    refresh_files(workspace, closed)
    return summary


def _published(workspace: Workspace, row: Mapping[str, Any], sha256: str, by: str, entry: AuditEntry) -> tuple[_Undo, list[int]]:
    """Publish the undo of held import `row` and close what it makes void. Returns it, and the imports whose holds it closed."""
    import_id: int = row["import_id"]
    undo = _compute_undo(workspace, workspace.warehouse.ledger.import_(row["summary"]["undoes"][0]), until=import_id)
    if undo.plan.sha256 != sha256:
        raise PlanChanged(import_id=import_id, district_id=row["district_id"])
    conclusion = ImportResult(
        import_id=import_id,
        status="published",
        finished_at=datetime.now(UTC),
        summary={**row["summary"], **undo.carried_summary},
        edits=undo.edits,
        entries=[entry],
    )
    changes = {name: _change(undo, name) for name in undo.plan.tables}
    with workspace.warehouse.write() as tx:
        tx.publish(conclusion, changes, undo.plan.base, approved_by=by)
        tx.follow_undo(import_id)
        closed = _close_void_holds(tx, row, conclusion.finished_at)
    fault_point("undo.published")
    return undo, closed


def _close_void_holds(tx: WriteSession, row: Mapping[str, Any], at: datetime) -> list[int]:
    """Close the holds whose plans the published undo `row` makes void: older ones, and newer uploads of a full snapshot.

    A newer undo stays, and so does a held upload of changes: both can be planned anew on the roster of now.
    """
    number, feed = int(row["import_id"]), (str(row["district_id"]), str(row["source"]))
    closed = close_replaced_holds(tx, feed, number, at, before=number)
    if vendor(feed[1]).format.mode == "changes":
        return closed
    newer = [h for h in tx.ledger.holds(*feed) if h["import_id"] > number and h["file_set"] == row["file_set"]]
    return closed + close_named_holds(tx, [h["import_id"] for h in newer if h["reason"] != REASON], number, at)


def reapply_undo(workspace: Workspace, row: Mapping[str, Any]) -> Mapping[str, Any]:
    """Replay the undo of ledger row `row` on a roster that is in the same state as then. Returns its plan, by table."""
    number: int = row["import_id"]
    undo = _compute_undo(workspace, workspace.warehouse.ledger.import_(row["summary"]["undoes"][0]), until=number)
    found = findings_table([_finding(undo)])
    now = datetime.now(UTC)
    if row["status"] == "published":
        undoes = {"undoes": list(undo.undoes)}
        conclusion = ImportResult(
            import_id=number, status="published", finished_at=now, findings=found, edits=undo.edits, summary=undoes
        )
        changes = {name: _change(undo, name) for name in undo.plan.tables}
        with workspace.warehouse.write() as tx:
            tx.publish(conclusion, changes, undo.plan.base)
            tx.follow_undo(number)
    else:
        with workspace.warehouse.write() as tx:
            tx.conclude(ImportResult(import_id=number, status="unchanged", finished_at=now, findings=found))
    return decision_of_plan(undo.plan, "held").tables


def _request_entry(workspace: Workspace, import_id: int, by: str) -> AuditEntry:
    """Build the audit entry of an undo request, accepted or not; an import that is not in the ledger has no district."""
    place = {}
    with suppress(UnknownImport):
        row = workspace.warehouse.ledger.import_(import_id)
        place = {"district_id": row["district_id"], "source": row["source"]}
    return AuditEntry(action="undo", who=by, about={"of_import": import_id}, **place)


def _require_undoable(workspace: Workspace, import_id: int) -> dict[str, Any]:
    with workspace.warehouse.read() as session:
        row = session.ledger.import_(import_id)
        if row["status"] != "published":
            raise NotUndoable(import_id=import_id, problem=f"it is {row['status']}, and changed nothing")
        purge = session.roster.last_published(row["district_id"], row["source"], "purge")  # which is one of all file sets
    if purge is not None and purge["import_id"] >= import_id:
        raise NotUndoable(import_id=import_id, problem="personal data was removed for good since, and does not come back")
    return row


def _begin_undo_import(workspace: Workspace, row: Mapping[str, Any], run_id: str | None, entry: AuditEntry) -> int:
    now = datetime.now(UTC)
    feed = (row["district_id"], row["source"])
    given = {"file_set": row["file_set"], "run_id": run_id, "received_at": now, "started_at": now}
    return begin_import(workspace, *feed, kind="undo", entry=entry, **given)


def _compute_undo(workspace: Workspace, row: Mapping[str, Any], until: int | None = None) -> _Undo:
    feed, first, file_set = (row["district_id"], row["source"]), row["import_id"], row["file_set"]
    with workspace.warehouse.read() as session:
        base = session.roster.base(*feed, file_set)
        published = session.roster.published_imports(*feed, file_set, since=first, before=until)
        before = session.roster.last_published(*feed, file_set=file_set, before=first)
        since = {name: _since(session.roster, feed, name, first) for name in _tables(feed[1], file_set)}
        overrides = session.roster.overrides(*feed, ended=True)
    edits = _edits([edit for edit in overrides if edit["table_name"] in since], row["finished_at"])
    lines = [json.dumps(asdict(edit), sort_keys=True) for edit in edits]
    return _Undo(
        district_id=feed[0],
        source=feed[1],
        undoes=tuple(sorted(other["import_id"] for other in published)),
        plan=make_undo_plan(since, base=base, edits=lines),
        since=since,
        edits=edits,
        carried_summary=carry_over_summary((before or {}).get("summary") or {}),
    )


def _tables(source: str, file_set: str) -> tuple[str, ...]:
    """Return the tables that imports of one file set write: those that they fill, and approved renames of people."""
    known = vendor(source)
    filled = tables_of(known.for_file_set(file_set))
    return filled if TABLE in filled or ENTITY not in filled else (*filled, TABLE)


def _since(roster: RosterReader, feed: tuple[str, str], table: str, import_id: int) -> ChangesSince:
    ended, begun = roster.since(*feed, table, import_id)
    return ChangesSince(
        ended=ended,
        begun=begun,
        current=roster.count_current(*feed, table),
        schools=roster.current_by_school(*feed, table),
    )


def _edits(overrides: Sequence[Mapping[str, Any]], moment: datetime) -> tuple[Edit, ...]:
    """Return the changes to stewards' edits: those made from `moment` on end, those that ended since then are in force again."""
    again = [row for row in overrides if row["set_at"] < moment and row["cleared_at"] and row["cleared_at"] >= moment]
    ends = [row for row in overrides if row["set_at"] >= moment and row["cleared_at"] is None]
    places = {_edit_key(row) for row in again}
    return (
        *(Edit(begins=False, **_place_of(row)) for row in ends if _edit_key(row) not in places),
        *(Edit(begins=True, **_place_of(row), value=row["value"], by=row["set_by"]) for row in again),
    )


def _edit_key(row: Mapping[str, Any]) -> tuple[str, str, str]:
    return row["table_name"], row["key"], row["field"]


def _place_of(row: Mapping[str, Any]) -> dict[str, str]:
    return dict(zip(("table", "key", "field"), _edit_key(row), strict=True))


def _conclude(workspace: Workspace, number: int, undo: _Undo, by: str) -> None:
    now = datetime.now(UTC)
    held = bool(undo.edits) or not undo.plan.is_empty
    shown = decision_of_plan(undo.plan, "held" if held else "unchanged")
    tables = {n: _share(t.deleted, t.current) for n, t in undo.plan.tables.items() if t.deleted}
    hold = Hold(reason=REASON, plan_sha256=undo.plan.sha256, created_at=now) if held else None
    conclusion = ImportResult(
        import_id=number,
        status="held" if held else "unchanged",
        finished_at=now,
        findings=findings_table([_finding(undo)]),
        files=[],
        checks=[],
        summary={
            "undoes": list(undo.undoes),
            "asked_by": by,
            "changes": shown.changes,
            "plan": shown.tables,
            "sha256": undo.plan.sha256,
            "plan_base": undo.plan.base,
            "edits": [{"table": e.table, "field": e.field, "begins": e.begins} for e in undo.edits],
            **({"hold": {"tables": tables, "schools": []}} if held else {}),
        },
        hold=hold,
    )
    with workspace.warehouse.write() as tx:
        tx.conclude(conclusion)


def _supersede_same_undo(workspace: Workspace, number: int, undo: _Undo) -> None:
    """Close older holds of the same undo: if it is requested twice, only one is pending."""
    holds = workspace.warehouse.ledger.holds(undo.district_id, undo.source)
    same = [h["import_id"] for h in holds if h["reason"] == REASON and h["plan_sha256"] == undo.plan.sha256]
    with workspace.warehouse.write() as tx:
        closed = close_named_holds(tx, [other for other in same if other < number], number, datetime.now(UTC))
    refresh_files(workspace, closed)


def _share(part: int, whole: int) -> dict[str, float]:
    return {"deleted": part, "current": whole, "pct": round(100 * part / whole, 1) if whole else 0.0}


def _finding(undo: _Undo) -> Finding:
    first, *others = undo.undoes
    also = f", and with it what followed: {_numbers(others)}" if others else ""
    edits = f" {len(undo.edits):,} edits of stewards would begin or end with it." if undo.edits else ""
    return Finding(severity="info", code=REASON, message=f"The state before import {first} would come back{also}.{edits}")


def _numbers(imports: Sequence[int]) -> str:
    return f"import {', '.join(map(str, imports[:10]))}{f' and {len(imports) - 10:,} more' if len(imports) > 10 else ''}"


def _change(undo: _Undo, name: str) -> TableChange:
    table, ended = undo.plan.tables[name], undo.since[name].ended
    return TableChange(opens=lambda: (ended, table.opens), closes=table.closes)


def _write_undo_manifest(
    workspace: Workspace, number: int, undo: _Undo, by: str, *, approved_by: str | None = None
) -> ImportSummary:
    summary = read_import_summary(workspace, number)
    write_manual_manifest(
        workspace,
        summary,
        undoes=list(undo.undoes),
        plan_sha256=undo.plan.sha256,
        close_reason=UNDONE,
        asked_by=by,
        approved_by=approved_by,
        at=(summary.row["finished_at"] or summary.row["started_at"]).isoformat(),
    )
    return summary
