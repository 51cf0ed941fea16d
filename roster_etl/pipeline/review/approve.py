"""Approve or discard a held import, under the same conditions in the command line and in Dagster."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from roster_etl.canonical.audit import Action
from roster_etl.pipeline.import_upload import ProgressCallback, import_and_report
from roster_etl.pipeline.lifecycle.close_superseded_holds import refresh_files
from roster_etl.pipeline.lifecycle.hold_races import lost_race_as_no_hold
from roster_etl.pipeline.reporting.announce import publish_report
from roster_etl.pipeline.reporting.import_summary import import_published_since
from roster_etl.pipeline.reporting.next_steps import replan_command
from roster_etl.pipeline.reporting.report_files import ImportReport
from roster_etl.pipeline.review.preview_approval import preview_approval
from roster_etl.pipeline.review.undo import publish_undo
from roster_etl.pipeline.steps.rename_proposals import contains_ids, replace_ids_by_numbers
from roster_etl.pipeline.uploads.order import Order
from roster_etl.pipeline.workspace import Workspace
from roster_etl.spec.errors import PermanentError, RosterError
from roster_etl.store.fault_injection import fault_point
from roster_etl.store.settings import is_single_line
from roster_etl.store.warehouse import AuditEntry, no_hold_error

MAX_NAME_LENGTH = 200


class BadDecision(PermanentError):
    """The decision is ambiguous, incomplete, or has no valid name of a person."""

    code = "bad_words"
    template = "{problem}"


class PlanOutdated(PermanentError):
    """Another import was published after the held one was planned; import numbers order the history, so a new one is needed."""

    code = "roster_moved"
    template = (
        "import {import_id} of {district_id}: import {newer} was published since, so that its plan can no longer be published. Plan the "
        "same files anew with `{command}`: a new import, which is held for you to look at and to approve, and takes the place of this hold"
    )


@dataclass(frozen=True, kw_only=True)
class ApprovalRequest:
    """A request to publish held import ``import_id``.

    ``by``: who approves; ``plan``: the hash of the plan that was shown, or its first digits (None: the current plan, whichever it
    is);
    ``leave_out``: removals that are left out; ``renames``: approved renames (``all``, the number of a proposal, or ``OLD=NEW``).
    """

    import_id: int
    by: str
    plan: str | None = None
    leave_out: tuple[str, ...] = ()
    renames: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Approval:
    """A validated approval, ready to be applied.

    ``row``: the import's ledger row; ``sha256``: hash of the approved plan; ``renames``: numbers instead of IDs, as a run stores
    them.
    """

    row: Mapping[str, Any]
    sha256: str
    by: str
    leave_out: tuple[str, ...] = ()
    renames: tuple[str, ...] = ()

    @property
    def is_upload(self) -> bool:
        """Whether the held import is an upload, which is read again; an undo is computed from the history."""
        return bool(self.row["kind"] == "upload")

    def order(self, run_id: str | None = None) -> Order:
        """Return the order that applies the approval of an upload."""
        return Order(
            district_id=self.row["district_id"],
            source=self.row["source"],
            approves=(self.row["import_id"], self.sha256, self.by),
            options=self.row["options"] or {},
            leave_out=self.leave_out,
            renames=self.renames,
            run_id=run_id,
        )


def validate_approval(workspace: Workspace, request: ApprovalRequest) -> Approval:
    """Validate `request`, and return the approval that can be applied.

    Raises: UnknownImport, NoHold; PlanOutdated; BadDecision: the decider is missing, another plan is given, or none where one is
        required; BadLeaveOut, BadRename.
    """
    with workspace.warehouse.attempt(decision_entry(workspace, "approve", request.import_id, request.by)):
        return _validate_request(workspace, request)


def _validate_request(workspace: Workspace, request: ApprovalRequest) -> Approval:
    by = validate_decider(request.by)
    row, hold = require_open_hold(workspace, request.import_id)
    _require_current_plan(workspace, row)
    sha256, renames = str(hold["plan_sha256"]), request.renames
    if request.leave_out or request.renames:
        if row["kind"] != "upload":
            raise BadDecision(problem="an undo is approved as a whole, or not at all: nothing can be left out of it, or renamed")
        if not request.plan:
            problem = (
                "what is left out, or renamed, makes another plan: look at it with `roster-etl holds show`, and name its hash"
            )
            raise BadDecision(problem=problem)
        renames = replace_ids_by_numbers(workspace, request.import_id, renames)
        sha256 = str(preview_approval(workspace, request.import_id, request.leave_out, renames)["plan_sha256"])
    if request.plan is not None and not (request.plan and sha256.startswith(request.plan)):
        number = request.import_id
        raise BadDecision(problem=f"import {number} has another plan; look at it again with `roster-etl holds show {number}`")
    return Approval(row=row, sha256=sha256, by=by, leave_out=request.leave_out, renames=renames)


def apply_approval(
    workspace: Workspace, approved: Approval, run_id: str | None = None, on_progress: ProgressCallback = lambda _: None
) -> ImportReport:
    """Publish exactly the approved plan, and write the report of the import. Returns the report.

    Raises: PlanChanged, RosterChanged: the roster has changed; the import stays held. NoHold: another person decided first.
    """
    fault_point("approve.begin")
    if approved.is_upload:
        with lost_race_as_no_hold(workspace, approved.row["import_id"]):
            return import_and_report(workspace, approved.order(run_id), on_progress)
    return publish_report(workspace, publish_undo(workspace, approved.row["import_id"], approved.sha256, approved.by))


def discard_import(workspace: Workspace, import_id: int, by: str) -> None:
    """Discard a held import; the roster is not changed. Raises UnknownImport, NoHold, BadDecision."""
    with workspace.warehouse.attempt(decision_entry(workspace, "discard", import_id, by)):
        name = validate_decider(by)
        require_open_hold(workspace, import_id)
        with lost_race_as_no_hold(workspace, import_id), workspace.warehouse.write() as tx:
            tx.decide_hold(import_id, "discarded", name, datetime.now(UTC))
    refresh_files(workspace, [import_id])


def require_open_hold(workspace: Workspace, import_id: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the ledger row and the open hold of an import. Raises UnknownImport, NoHold."""
    with workspace.warehouse.read() as session:
        row, hold = session.ledger.import_(import_id), session.ledger.hold(import_id)
    if hold is None or hold["decision"] is not None:
        raise no_hold_error(import_id, hold)
    return row, hold


def decision_entry(workspace: Workspace, action: Action, import_id: int, by: str) -> AuditEntry:
    """Build the audit entry of a decision; for an import that is not in the ledger, with its number alone."""
    place = {}
    with suppress(RosterError):
        row = workspace.warehouse.ledger.import_(import_id)
        place = {"district_id": row["district_id"], "source": row["source"]}
    return AuditEntry(action=action, who=by.strip() or None, import_id=import_id, **place)


def _require_current_plan(workspace: Workspace, row: Mapping[str, Any]) -> None:
    """Raise PlanOutdated if an upload's plan can no longer be published; an outdated undo is requested again instead."""
    if row["kind"] != "upload":
        return
    with workspace.warehouse.read() as session:
        newer = import_published_since(session.roster, row)
    if newer is not None:
        raise PlanOutdated(import_id=row["import_id"], district_id=row["district_id"], newer=newer, command=replan_command(row))


def reject_person_ids(renames: Sequence[str]) -> None:
    """Reject IDs of people in renames that are stored with a run. Raises BadDecision."""
    if contains_ids(renames):
        problem = "a run names renames by number (`roster-etl renames list`), never by ids; delete a run that was given some, as it keeps them"
        raise BadDecision(problem=problem)


def validate_decider(by: str) -> str:
    """Return the name of the decider as the ledger stores it permanently. Raises BadDecision: it is missing or not a name."""
    name = by.strip()
    if not name:
        raise BadDecision(problem="--by: the name of the person who decides")
    if len(name) > MAX_NAME_LENGTH or not is_single_line(name):
        raise BadDecision(problem=f"--by: a name, on one line, of at most {MAX_NAME_LENGTH} signs")
    return name
