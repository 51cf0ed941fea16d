"""What a process does in the matrix of faults: an import, a decision, a tick. Each opens the home as a fresh process would.

Belongs here: plain calls of the road; ``cli`` has the same done by the command line, as a Dagster run where it is one.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from tests.faults.lasting import stay
from tests.ledgers import in_transaction

FEED = ("lincoln", "clever")
HOUR, NOON = 3600.0, 1_900_000_000.0
CURSOR, MEMORY = "cursor.json", "memory.json"  # of the tests' own sensor, in the home


def warm() -> None:
    """Import all that an act needs, and import an upload in a home that is thrown away: what is made once is made then."""
    import tempfile

    import psycopg  # noqa: F401
    import sqlalchemy.dialects.postgresql.psycopg  # noqa: F401

    from roster_etl.orchestration.sensors import poll_decisions  # noqa: F401
    from roster_etl.pipeline import import_upload as road
    from roster_etl.pipeline.exports import export_roster
    from roster_etl.pipeline.maintenance import backup, purge, rebuild, retention
    from roster_etl.pipeline.maintenance import cleanup as sweep
    from roster_etl.pipeline.review import approve as decide
    from roster_etl.pipeline.review import override, undo
    from roster_etl.pipeline.steps import receive
    from roster_etl.pipeline.uploads import fingerprint
    from roster_etl.projections.samples import write_sample
    from roster_etl.store.outbox import smtp
    from roster_etl.vendors import discover_vendors, vendor

    assert all((backup, decide, export_roster, override, purge, rebuild, receive, retention, road, sweep, undo, smtp))
    for known in discover_vendors().values():
        fingerprint._code_digest(known.package)
    with tempfile.TemporaryDirectory() as folder:
        home, upload = Path(folder) / "home", Path(folder) / "upload"
        write_sample(vendor("clever"), upload, students=3, seed=1)
        register(home)
        import_(home, path=str(upload))


def register(home: Path) -> None:
    """Register the district."""
    from roster_etl.store.registry.district import District, Feed

    with _open(home) as workspace:
        workspace.registry.add(District(id=FEED[0], feeds=(Feed(format=FEED[1]),)))


def second_feed(home: Path) -> None:
    """Register a Canvas feed of the district beside the one that it has."""
    from dataclasses import replace

    from roster_etl.store.registry.district import Feed

    with _open(home) as workspace:
        district = workspace.registry.get(FEED[0])
        workspace.registry.update(replace(district, feeds=(*district.feeds, Feed(format="canvas"))))


def decide_people(home: Path) -> None:
    """Decide that the first two who are linked are not one human, and accept a difference, unless that is done."""
    from roster_etl.pipeline.reconciliation.decide import decide
    from roster_etl.pipeline.reconciliation.decide_people import PersonDecision
    from roster_etl.pipeline.reconciliation.decide_people import decide_people as decide_link
    from roster_etl.pipeline.reconciliation.people import as_link

    with _open(home) as workspace:
        with workspace.warehouse.read_people() as people, workspace.warehouse.read_reconciliation() as session:
            link = as_link(min(people.links(FEED[0], past=True), key=lambda row: row["link_id"]))
            difference = next(row for row in session.open_differences((FEED[0], "canvas", "clever"), "terms"))
        decision = PersonDecision(district_id=FEED[0], verb="unlink", one=link.a, other=link.b, by="A. Steward")
        decide_link(workspace, decision)
        if difference["decision"] is None:
            decide(workspace, "accept", [difference["difference_id"]], by="A. Steward")


def _open(home: Path) -> Any:
    from roster_etl.pipeline.workspace import Workspace

    return closing(Workspace.open(home))


def cli(home: Path, words: list[str]) -> int:
    """Say `words` at the command line."""
    from roster_etl.cli import main

    return main([*words, "--home", str(home)])


def import_(home: Path, path: str | None = None, archived: int | None = None, feed: tuple[str, str] = FEED) -> None:
    """Import what lies at `path`, or an archived upload."""
    from roster_etl.pipeline.import_upload import import_upload
    from roster_etl.pipeline.uploads.order import Order

    with _open(home) as workspace:
        import_upload(workspace, Order(district_id=feed[0], source=feed[1], path=path, archived=archived))


def resume(home: Path) -> None:
    """Go on with the newest import, which failed at a step, as a re-executed run does."""
    from roster_etl.pipeline.import_upload import run_steps
    from roster_etl.pipeline.lifecycle.import_lifecycle import release_import
    from roster_etl.pipeline.reporting.announce import publish_report
    from roster_etl.pipeline.staging import Staging

    with _open(home) as workspace:
        number = workspace.warehouse.ledger.imports(*FEED, limit=1)[0]["import_id"]
        upload = Staging(workspace.frames, FEED[0], number).upload()
        workspace.import_locks.acquire(number)
        in_transaction(workspace.warehouse).resume(number)
        _, summary = run_steps(workspace, upload)
        release_import(workspace, number)
        publish_report(workspace, summary)


def approve(home: Path) -> None:
    """Approve what is held. What an approved roster changes in the plan of the district's attendance has to be shown anew, and stays held."""
    from roster_etl.pipeline.plan_decision import PlanChanged
    from roster_etl.pipeline.review.approve import ApprovalRequest, apply_approval, validate_approval

    with _open(home) as workspace:
        for hold in workspace.warehouse.ledger.holds():
            request = ApprovalRequest(import_id=hold["import_id"], by="A. Steward")
            with suppress(PlanChanged):
                apply_approval(workspace, validate_approval(workspace, request))


def discard(home: Path) -> None:
    """Discard what is held."""
    from roster_etl.pipeline.review import approve as decide

    with _open(home) as workspace:
        for hold in workspace.warehouse.ledger.holds():
            decide.discard_import(workspace, hold["import_id"], "A. Steward")


def undo(home: Path, import_id: int) -> None:
    """Plan the state before an import."""
    from roster_etl.pipeline.review.undo import plan_undo

    with _open(home) as workspace:
        plan_undo(workspace, import_id, "A. Steward")


def override(home: Path, value: str) -> None:
    """Set a cell by hand, unless it is set."""
    from roster_etl.pipeline.review.override import Target, set_override

    with _open(home) as workspace:
        if workspace.warehouse.roster.overrides(*FEED):
            return
        table = workspace.warehouse.roster.current(*FEED, "users")
        key = {"user_kind": table["user_kind"][0].as_py(), "user_id": table["user_id"][0].as_py()}
        target = Target(district_id=FEED[0], source=FEED[1], table="users", key=key, field="first_name")
        set_override(workspace, target, value, "A. Steward")


def keys(home: Path) -> None:
    """Make the key that signs receipts, and keep its public half."""
    import shutil

    from roster_etl.store.settings import Settings
    from roster_etl.store.signing_keys import KeyFolder

    folder = KeyFolder(Settings.load(home))
    folder.create()
    shutil.copy(folder.public_file, folder.public_file.with_name("first.pub"))


def rotate(home: Path) -> None:
    """Replace the key that signs receipts."""
    from roster_etl.pipeline.reporting.receipts.issue import rotate_key

    with _open(home) as workspace:
        rotate_key(workspace)


def purge(home: Path, user_id: str) -> None:
    """Remove a student for good."""
    from roster_etl.pipeline.maintenance.purge import PurgeTarget, purge

    with _open(home) as workspace:
        purge(workspace, PurgeTarget(district_id=FEED[0], person=("student", user_id)), by="A. Steward")


def rebuild(home: Path, url: str) -> None:
    """Replay the archive into another warehouse."""
    from roster_etl.pipeline.maintenance import rebuild as again

    with _open(home) as workspace:
        again.rebuild_district(workspace, FEED[0], url)


def export(home: Path, to: str) -> None:
    """Export the roster into a folder of the home, in place of what a former export left there."""
    from roster_etl.pipeline.exports.export_roster import export_roster
    from roster_etl.pipeline.exports.order import ExportOrder

    with _open(home) as workspace:
        order = ExportOrder(district_id=FEED[0], format="clever", to=str(home / to), requested_by="A. Steward", replace=True)
        assert export_roster(workspace, order)["status"] == "written"


def export_twice(home: Path, to: str) -> None:
    """Export the roster, and exchange the export for another one."""
    export(home, to)
    export(home, to)


def migrate(home: Path) -> None:
    """Bring the warehouse to this version's schema."""
    with _open(home) as workspace:
        workspace.warehouse.migrate()


def send(home: Path) -> None:
    """Empty the outbox."""
    from roster_etl.pipeline.reporting.announce import flush_outbox

    with _open(home) as workspace:
        flush_outbox(workspace, everything=True)


def sweep(home: Path) -> None:
    """Tidy up."""
    from roster_etl.pipeline.maintenance import cleanup as tidy

    with _open(home) as workspace:
        tidy.clean_up_home(workspace)


def house(home: Path, days: float = 0.0) -> None:
    """Do what the nightly job does but for Dagster's runs, `days` later than it is."""
    from roster_etl.pipeline.maintenance import cleanup as tidy
    from roster_etl.pipeline.maintenance import retention

    with _open(home) as workspace:
        tidy.clean_up_home(workspace)
        retention.apply_retention(workspace, datetime.now(UTC) + timedelta(days=days))


def forget(home: Path) -> None:
    """Remove of every district what is not current, and every upload but the last."""
    from roster_etl.pipeline.maintenance.purge import PurgeTarget, purge

    with _open(home) as workspace:
        for district in workspace.registry.scan().districts:
            if workspace.warehouse.ledger.imports(district.id):
                purge(workspace, PurgeTarget(district_id=district.id, age=timedelta(0)), by="A. Steward")


def backup(home: Path, to: str) -> None:
    """Copy all of it."""
    from roster_etl.pipeline.maintenance.backup import back_up

    with _open(home) as workspace:
        back_up(workspace, to)


def restore(home: Path, to: str) -> None:
    """Bring back the backup that lies in the home, into a home of its own; a database of PostgreSQL has been brought back by then."""
    from roster_etl.pipeline.maintenance import backup as copies

    if os.environ["ROSTER_ETL_WAREHOUSE"].startswith("sqlite"):
        del os.environ["ROSTER_ETL_WAREHOUSE"]  # a file of the new home's own
    copies.restore(str(home / "copy"), Path(to))


def data_docs(home: Path) -> None:
    """Make the Data Docs of the newest import."""
    from roster_etl.pipeline.reporting.data_docs import write_data_docs
    from roster_etl.pipeline.reporting.import_summary import read_import_summary

    with _open(home) as workspace:
        write_data_docs(
            workspace, read_import_summary(workspace, workspace.warehouse.ledger.imports(*FEED, limit=1)[0]["import_id"])
        )


def twice(home: Path, feed: tuple[str, str]) -> int:
    """Import what lies in the landing zone of a feed in two processes at once; 0: at least one of them had its way."""
    children = []
    for _ in range(2):
        child = os.fork()
        if child == 0:
            code = 1
            try:
                import_(home, feed=feed)
                code = 0
            finally:
                os._exit(code)
        children.append(child)
    return min(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children)


def hurried(home: Path, seconds: float, what: str, so: Mapping[str, Any]) -> int | None:
    """Do the act `what`, and be ended by the system after so many seconds wherever that is."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)  # which nobody can catch, and nothing is tidied up
    signal.setitimer(signal.ITIMER_REAL, seconds)
    ended = ACTS[what](home, **so)
    signal.setitimer(signal.ITIMER_REAL, 0)
    return ended


class _Remembered:
    """The sensor's memory in a file: it outlives a kill, as Dagster's storage does."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def load(self) -> dict[str, str]:
        return json.loads(self._file.read_text()) if self._file.exists() else {}

    def save(self, texts: Mapping[str, str]) -> None:
        self._file.write_text(json.dumps(dict(texts)))


def night(home: Path, hours: float | None = 0.0) -> None:
    """Be the sensor for three ticks an hour apart, and carry out what it asks for; its memory is kept after each tick.

    Args: hours: since a noon to come; None: the clock is ours, and whoever fails is asked for again at once.
    """
    from roster_etl.orchestration.sensors.poll_decisions import poll_landing_zones
    from roster_etl.orchestration.sensors.tick import TickLimits
    from roster_etl.pipeline.import_upload import import_upload
    from roster_etl.pipeline.lifecycle.crashed_imports import fail_orphaned_imports
    from roster_etl.pipeline.uploads.order import Order
    from roster_etl.pipeline.uploads.pending_uploads import archive_settled_upload

    cursor = home / CURSOR
    with _open(home) as workspace:
        for hour in range(3):
            clock = time.time if hours is None else partial(float, NOON + HOUR * (hours + hour))
            fail_orphaned_imports(workspace)  # as each tick does
            before = cursor.read_text() if cursor.exists() else None
            tick = poll_landing_zones(
                workspace,
                before,
                state_store=_Remembered(home / MEMORY),
                clock=clock,
                read_busy_feeds=set,
                bounds=TickLimits(retry_seconds=0.001) if hours is None else None,
            )
            cursor.write_text(tick.cursor)
            for wanted in tick.archive_requests:
                feed = workspace.registry.get(wanted.district_id).feed(wanted.source)
                archive_settled_upload(workspace, wanted.district_id, feed, request=wanted.request, listing=wanted.listing)
            for request in tick.requests:
                known = {name: value for name, value in asdict(request).items() if name in Order.__dataclass_fields__}
                import_upload(workspace, Order(**known))


ACTS: dict[str, Callable[..., int | None]] = {
    act.__name__.strip("_"): act
    for act in (
        *(cli, import_, resume, approve, discard, undo, override, keys, rotate, purge, rebuild, migrate, send, sweep, night),
        *(house, forget, backup, restore, data_docs, twice, hurried, stay, export, export_twice, second_feed, decide_people),
    )
}
