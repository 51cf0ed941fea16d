"""What a person decides about a held import, wherever they say it: the same conditions, the same words.

Belongs here: whether a decision can be taken, and carrying it out in this process. Who shows it to whom is the business of the
command line and of the Dagster jobs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from roster_etl.canonical.audit import Action
from roster_etl.pipeline.import_upload import Tell, import_upload
from roster_etl.pipeline.lifecycle.holds import deciding
from roster_etl.pipeline.lifecycle.manifest import refresh_manifest
from roster_etl.pipeline.reporting.import_summary import overtaken_by
from roster_etl.pipeline.reporting.next_steps import again_command
from roster_etl.pipeline.reporting.report_files import rewrite_reports
from roster_etl.pipeline.review.preview import preview
from roster_etl.pipeline.review.undo import publish_undo
from roster_etl.pipeline.steps.rename_proposals import says_ids, without_ids
from roster_etl.pipeline.uploads.order import Order
from roster_etl.pipeline.workspace import Workspace
from roster_etl.spec.errors import PermanentError, RosterError
from roster_etl.store.fault_injection import fault_point
from roster_etl.store.settings import is_line
from roster_etl.store.warehouse import Entry, no_hold

LONGEST_NAME = 200


class BadDecision(PermanentError):
    """What was said does not name what is to be decided, or who decides."""

    code = "bad_words"
    template = "{problem}"


class Overtaken(PermanentError):
    """Another import was published after the held one was planned: numbers of imports order the history, so it must be a new one."""

    code = "roster_moved"
    template = (
        "import {import_id} of {district_id}: import {newer} was published since, so that its plan can no longer be published. Plan the "
        "same files anew with `{command}`: a new import, which is held for you to look at and to approve, and takes the place of this hold"
    )


@dataclass(frozen=True, kw_only=True)
class Decision:
    """To publish held import ``import_id``.

    ``by``: who says so; ``plan``: the hash of the plan that was shown, or its first digits (None: whichever it is); ``leave_out``:
    removals that are left out; ``renames``: what is taken for renames (``all``, the number of a proposal, or ``OLD=NEW``).
    """

    import_id: int
    by: str
    plan: str | None = None
    leave_out: tuple[str, ...] = ()
    renames: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Approval:
    """A decision that can be carried out.

    ``row``: the import, as the ledger has it; ``sha256``: of the plan that is approved; ``renames``: without ids, as a run keeps them.
    """

    row: Mapping[str, Any]
    sha256: str
    by: str
    leave_out: tuple[str, ...] = ()
    renames: tuple[str, ...] = ()

    @property
    def is_upload(self) -> bool:
        """Whether an upload waits, which is read again; an undo is made of the history."""
        return bool(self.row["kind"] == "upload")

    def order(self, run_id: str | None = None) -> Order:
        """Return the order that carries out the approval of an upload."""
        return Order(
            district_id=self.row["district_id"],
            source=self.row["source"],
            approves=(self.row["import_id"], self.sha256, self.by),
            options=self.row["options"] or {},
            leave_out=self.leave_out,
            renames=self.renames,
            run_id=run_id,
        )


def approval(workspace: Workspace, decision: Decision) -> Approval:
    """Return what approving would carry out.

    Raises: UnknownImport, NoHold; Overtaken; BadDecision: nobody decides, another plan is named, or none where one is needed;
        BadLeaveOut, BadRename.
    """
    with workspace.warehouse.attempt(decision_entry(workspace, "approve", decision.import_id, decision.by)):
        return _approval(workspace, decision)


def _approval(workspace: Workspace, decision: Decision) -> Approval:
    by = somebody(decision.by)
    row, hold = open_hold(workspace, decision.import_id)
    _refuse_overtaken(workspace, row)
    sha256, renames = str(hold["plan_sha256"]), decision.renames
    if decision.leave_out or decision.renames:
        if row["kind"] != "upload":
            raise BadDecision(problem="an undo is approved as a whole, or not at all: nothing can be left out of it, or renamed")
        if not decision.plan:
            problem = (
                "what is left out, or renamed, makes another plan: look at it with `roster-etl holds show`, and name its hash"
            )
            raise BadDecision(problem=problem)
        renames = without_ids(workspace, decision.import_id, renames)
        sha256 = str(preview(workspace, decision.import_id, decision.leave_out, renames)["plan_sha256"])
    if decision.plan is not None and not (decision.plan and sha256.startswith(decision.plan)):
        number = decision.import_id
        raise BadDecision(problem=f"import {number} has another plan; look at it again with `roster-etl holds show {number}`")
    return Approval(row=row, sha256=sha256, by=by, leave_out=decision.leave_out, renames=renames)


def carry_out(workspace: Workspace, given: Approval, run_id: str | None = None, tell: Tell = lambda _: None) -> None:
    """Publish exactly the plan that was approved.

    Raises: PlanMoved, RosterMoved: the roster has moved on; the import stays held. NoHold: somebody else was faster.
    """
    fault_point("approve.begin")
    if given.is_upload:
        with deciding(workspace, given.row["import_id"]):
            import_upload(workspace, given.order(run_id), tell)
    else:
        publish_undo(workspace, given.row["import_id"], given.sha256, given.by)


def discard(workspace: Workspace, import_id: int, by: str) -> None:
    """Discard a held import: the roster stays as it is. Raises UnknownImport, NoHold, BadDecision."""
    with workspace.warehouse.attempt(decision_entry(workspace, "discard", import_id, by)):
        name = somebody(by)
        open_hold(workspace, import_id)
        with deciding(workspace, import_id):
            workspace.warehouse.decide_hold(import_id, "discarded", name, datetime.now(UTC))
    refresh_manifest(workspace, import_id)
    rewrite_reports(workspace, [import_id])


def open_hold(workspace: Workspace, import_id: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the ledger row and the hold of an import about which nobody has decided. Raises UnknownImport, NoHold."""
    row = workspace.warehouse.import_(import_id)
    hold = workspace.warehouse.hold(import_id)
    if hold is None or hold["decision"] is not None:
        raise no_hold(import_id, hold)
    return row, hold


def decision_entry(workspace: Workspace, action: Action, import_id: int, by: str) -> Entry:
    """Return the audit's line of a decision; an import that the ledger does not know is named by its number alone."""
    place = {}
    with suppress(RosterError):
        row = workspace.warehouse.import_(import_id)
        place = {"district_id": row["district_id"], "source": row["source"]}
    return Entry(action=action, who=by.strip() or None, import_id=import_id, **place)


def _refuse_overtaken(workspace: Workspace, row: Mapping[str, Any]) -> None:
    """Raise Overtaken where an upload's plan cannot be published any more; an undo that was overtaken is made anew by its own words."""
    newer = overtaken_by(workspace, row) if row["kind"] == "upload" else None
    if newer is not None:
        raise Overtaken(import_id=row["import_id"], district_id=row["district_id"], newer=newer, command=again_command(row))


def refuse_ids(renames: Sequence[str]) -> None:
    """Refuse ids of people in words that are kept with a run. Raises BadDecision."""
    if says_ids(renames):
        problem = "a run names renames by number (`roster-etl renames list`), never by ids; delete a run that was given some, as it keeps them"
        raise BadDecision(problem=problem)


def somebody(by: str) -> str:
    """Return the name of the person who decides, as it stands in the ledger for good. Raises BadDecision: there is none, or no name."""
    name = by.strip()
    if not name:
        raise BadDecision(problem="--by: the name of the person who decides")
    if len(name) > LONGEST_NAME or not is_line(name):
        raise BadDecision(problem=f"--by: a name, on one line, of at most {LONGEST_NAME} signs")
    return name
