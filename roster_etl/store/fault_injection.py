"""Fault points: places where a test, or a person in a rehearsal, makes a process die, fail or pause.

Belongs here: the list of all points, the actions, and parsing ``ROSTER_ETL_FAIL_AT``. Without that variable, fault points do
nothing. It is for tests and rehearsals, never for production. Which test covers which point: docs/operations/faults.md.
"""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from roster_etl.spec.errors import RetryableError, SettingsError

VARIABLE = "ROSTER_ETL_FAIL_AT"
ACTIONS = ("kill", "raise", "sleep")
SLEEP_SECONDS = 600.0  # long enough to inspect the state, or to kill the process by hand

POINTS: Mapping[str, str] = MappingProxyType(
    {
        # landing zone and archive
        "landing.fetch": "a file of the landing zone is about to be copied",
        "landing.fetched": "it was copied, and proven to have stood still",
        "receive.opened": "the import is in the ledger, and nothing of the upload is known yet",
        "receive.done": "the upload is archived; its manifest is written",
        # stored files
        "file.part": "a file of ours is written in full, under its temporary name",
        "archive.write": "bytes of an upload are about to be kept",
        "archive.written": "they are kept, and no manifest names them yet",
        "manifest.write": "the ledger has changed, and the manifest beside the bytes does not say so yet",
        "manifest.written": "manifest and ledger say the same",
        "frames.write": "a frame is about to be left in staging",
        "frames.written": "it was left there",
        "arrival.write": "the bytes of an upload of changes are kept, and nothing says that it waits",
        "arrival.written": "it waits, and the sensor's memory does not know yet",
        "arrival.forget": "an import answers for it, and it still waits",
        # steps of an import
        "judge.begin": "a file is about to be read",
        "judge.done": "it is validated, row by row",
        "gate.begin": "the suites of files and tables are about to be run",
        "gate.done": "their verdicts are in staging",
        "fold.begin": "changes are about to be applied to the current state",
        "fold.done": "the state that the district should have is computed",
        "map.begin": "a table is about to be mapped",
        "map.done": "it is mapped, and not in staging yet",
        "plan.begin": "the plan is about to be made",
        "plan.made": "it is made, and nothing is decided",
        "plan.done": "it is decided, and the ledger has what does not publish",
        # transactions
        "ledger.open": "an import is entered, and not committed",
        "ledger.opened": "it is committed, and no process is known to hold it",
        "ledger.upload": "the upload of an import is entered, and not committed",
        "ledger.conclude": "an ending without publishing is entered, and not committed",
        "ledger.concluded": "it is committed, and the manifest does not say so yet",
        "ledger.resume": "an import is taken up again, and not committed",
        "ledger.supersede": "older holds are closed, and not committed",
        "ledger.superseded": "they are closed, and their manifests do not say so yet",
        "hold.record": "a hold is entered, and its import is still running",
        "publish.begin": "the transaction is open, the district's lock is held",
        "publish.closed": "versions of a table are closed",
        "publish.staged": "rows are copied into the staging table",
        "publish.merged": "they are in the table's history",
        "publish.commit": "the ledger says published, and nothing is committed",
        "publish.committed": "it is committed, and not reported yet",
        # reports and notifications
        "report.write": "a report is about to be written",
        "report.written": "it is written",
        # reconciliation
        "reconcile.commit": "differences and links between feeds are brought up to date, and not committed",
        "reconcile.committed": "they are committed",
        "people.decide": "a decision about people or differences is entered, and not committed",
        "people.decided": "it is committed, and the archive does not have it yet",
        "people.archived": "the archive has it, and the feeds are not compared again yet",
        # receipts
        "receipt.number": "what happened has its number in the chain of receipts, and nothing is committed",
        "receipt.numbered": "it is committed, and nothing is signed",
        "receipt.write": "a receipt is about to be signed",
        "receipt.written": "it is in the archive, and the ledger does not know its hash",
        "receipt.signed": "the ledger knows it",
        "keys.next": "the next key is made, and no chain names it",
        "keys.public": "every chain names the next key, and it is not the current one yet",
        "outbox.queue": "a message is about to be queued",
        "outbox.queued": "it is queued",
        "outbox.send": "a message is about to be sent",
        "outbox.sent": "the other side has it, and the outbox does not know",
        "cursor.asked": "a tick has decided what to import, and neither runs nor cursor are stored",
        # exports
        "export.open": "an export is entered in the ledger, and not committed",
        "export.opened": "it is committed, and nothing is written yet",
        "export.write": "some of a file of an export is written beside its place",
        "export.staged": "the files of an export are written beside their place, and not read back yet",
        "export.move": "they are read back, and about to be moved into place",
        "export.part": "a file of an export is about to go to its place",
        "export.exchanged": "a former export has left its place, and the new one is not in it yet",
        "export.moved": "an export is in its place, and the ledger does not say so yet",
        "export.close": "the end of an export is entered, and not committed",
        "export.closed": "it is committed",
        # approvals and other decisions
        "approve.begin": "a decision to publish is about to be carried out",
        "decide.record": "what was decided about a hold is entered, and not committed",
        "decide.recorded": "it is committed, and the manifest does not say so yet",
        "undo.opened": "an undo is in the ledger, and nothing is planned",
        "undo.held": "it is held, and its manifest says that it is running",
        "undo.published": "it is published, and its manifest says held",
        "override.opened": "a steward's edit is in the ledger",
        "override.published": "it is published, and its manifest says that it is running",
        # maintenance
        "purge.opened": "a purge is in the ledger",
        "purge.scrubbed": "rewritten files are in the archive beside the old ones, and it is written down which go",
        "purge.remove": "the rows are removed, and nothing is committed",
        "purge.removed": "it is committed, and manifests and old bytes are as they were",
        "purge.settled": "manifests name no old bytes any more, and those are still there",
        "purge.bytes": "old bytes are gone; frames and reports are not",
        "rebuild.import": "an import was replayed, and others are to come",
        "migrate.upgraded": "the schema is this version's, and nothing is committed",
        "migrate.done": "it is committed",
        "data_docs.made": "the pages of an import are made, and those of before are still in their place",
        "data_docs.removed": "those of before are gone, and the new ones are not in their place yet",
        "retention.frames": "the frames of an import are about to go, as their time has come",
        "retention.report": "a page about an import is about to go",
        "backup.warehouse": "the warehouse is in the backup, and the archive is not",
        "backup.note": "all is in the backup, and nothing says that it is whole",
        "restore.warehouse": "the warehouse is in the new home, and the archive is not",
        "restore.archive": "the archive is there too; imports that were under way are running for the ledger",
        "audit.note": "what lies outside of the database was done (a backup, a change of the registry), and the audit has no line of it",
        "sweep.ended": "imports of killed processes are ended, and nothing else is tidied up",
    }
)


class BadFault(SettingsError):
    """The variable names no valid fault; without this error, a test would pass without having tested anything."""

    code = "bad_fault"


class InjectedFault(RetryableError):
    """The error that the action ``raise`` raises."""

    code = "injected_fault"
    template = f"fault point {{point}} is set to fail; unset {VARIABLE} and run it again"


@dataclass(frozen=True, kw_only=True)
class Fault:
    """A fault point and its action. ``turn``: at which pass of the process it happens; the first is 1."""

    point: str
    action: str
    turn: int = 1


_pass_counts: Counter[str] = Counter()
"""How often this process passed each point while a fault was set."""


def fault_point(point: str) -> None:
    """Carry out the fault that ``ROSTER_ETL_FAIL_AT`` sets for this `point`, if any. Raises InjectedFault, BadFault."""
    if setting := os.environ.get(VARIABLE):
        _reach_point(point, parse_fault(setting))


def configured_fault() -> Fault | None:
    """Return the fault that is set, None if none is. Raises BadFault; call it at start-up, so that a typing error is reported."""
    setting = os.environ.get(VARIABLE)
    return parse_fault(setting) if setting else None


def pass_counts() -> Mapping[str, int]:
    """Return how often this process passed each point while a fault was set."""
    return dict(_pass_counts)


def parse_fault(text: str) -> Fault:
    """Parse ``POINT:ACTION`` or ``POINT:ACTION:TURN``. Raises BadFault."""
    point, _, rest = text.partition(":")
    action, _, turn = rest.partition(":")
    problem = None
    if point not in POINTS:
        problem = f"there is no fault point {point[:80]!r}; roster_etl/store/fault_injection.py lists them"
    elif action not in ACTIONS:
        problem = f"{action[:80]!r} cannot be done at a fault point; {', '.join(ACTIONS)} can"
    elif turn and not (turn.isascii() and turn.isdigit() and int(turn)):
        problem = f"{turn[:80]!r} is no turn; the first is 1"
    if problem:
        raise BadFault(where=VARIABLE, problem=f"{problem}. Expected POINT:ACTION[:TURN], or the variable unset")
    return Fault(point=point, action=action, turn=int(turn or 1))


def _reach_point(point: str, fault: Fault) -> None:
    _pass_counts[point] += 1
    if point != fault.point or _pass_counts[point] != fault.turn:
        return
    if fault.action == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if fault.action == "raise":
        raise InjectedFault(point=point)
    time.sleep(SLEEP_SECONDS)
