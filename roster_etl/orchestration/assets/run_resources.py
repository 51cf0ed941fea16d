"""State of one run: the opened home, the upload, and the tables that are passed between its steps.

Tables stay in memory only while a later step of the run needs them, and on disk for a run that resumes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path

import dagster as dg
import pyarrow as pa

from roster_etl.orchestration.runtime.current_home import current_home, record_summary
from roster_etl.orchestration.runtime.event_log_pool import pooled_connections
from roster_etl.orchestration.runtime.executors import steps_run_separately
from roster_etl.pipeline.lifecycle.import_lifecycle import release_import
from roster_etl.pipeline.reporting.announce import try_publish_report
from roster_etl.pipeline.reporting.import_summary import ImportSummary, read_import_summary
from roster_etl.pipeline.staging import LazyMapping, Staging, staging_of
from roster_etl.pipeline.steps.conclude import fail_import
from roster_etl.pipeline.steps.receive import receive_upload
from roster_etl.pipeline.steps.roster_snapshot_info import RosterSnapshotInfo, read_roster_snapshot_info
from roster_etl.pipeline.steps.validate import references_of
from roster_etl.pipeline.uploads.order import Order
from roster_etl.pipeline.uploads.upload import Upload
from roster_etl.pipeline.workspace import Workspace
from roster_etl.spec.errors import RetryableError, RosterError
from roster_etl.store.actor import Channel, actor_channel
from roster_etl.vendors.lineage import files_for, tables_of

_HELD_BYTES = 128 << 20  # of a table that stays in memory; that of a file of 64 MB has 90 MB
ROSTER = "roster"
"""The first segment of the asset key of every mapped table."""


class RunEndedEarly(RetryableError):
    """A run ended without ending its import."""

    code = "run_broken"
    template = "import {import_id}: its run ended before the import did; see the run's log"


class RunContext:
    """State shared by the steps of one run: workspace, upload, cached tables.

    In the in-process executor all steps share it; with `separate_steps`, each step gets an empty one.
    ``write_error``: why a table could not be written; ``summary``: the summary of the run's import from the ledger, once a step
    of this process has ended it; ``receive_error``: why the upload could not be received before the run began.
    """

    def __init__(self, workspace: Workspace, *, separate_steps: bool = False) -> None:
        self.workspace = workspace
        self.separate_steps = separate_steps
        if separate_steps:
            workspace.frames.use_separate_containers()
        self.upload: Upload | None = None
        self.summary: ImportSummary | None = None
        self._feed_state: RosterSnapshotInfo | None = None
        self._frames: dict[tuple[str, str], pa.Table] = {}
        self._pending_reads: Counter[tuple[str, str]] = Counter()
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="frames")
        self._pending_write: Future[None] | None = None
        self.write_error: Exception | None = None
        self.receive_error: Exception | None = None
        self._is_closed = False

    def receive(self, order: Order) -> Upload:
        """Receive the upload of `order`, unless that was done before the run began. Returns it. Raises as ``receive_upload``."""
        if self.receive_error is not None:
            raise self.receive_error
        if self.upload is not None:
            return self.upload
        received = receive_upload(self.workspace, order)
        self.begin_upload(received.upload)
        self.summary = received.summary
        return received.upload

    def begin_upload(self, upload: Upload) -> Upload:
        """Set the run's upload, and return it."""
        self.upload, self.summary, self._feed_state = upload, None, None
        self._frames.clear()
        self._pending_reads = _count_readers(upload)
        return upload

    def write_frame(self, path: Sequence[str], rows: pa.Table) -> None:
        """Store the rows of the asset `path`: in memory if a later step needs them and they are not many, and in staging.

        Many rows are read where staging maps them, column by column: a step needs few columns of a file. They are written
        in the background; an error in writing ends the next step. Raises as `flush`.
        """
        self.flush()
        upload, name = self._require_upload(), _frame_name(path)
        if self._pending_reads[name] and rows.nbytes <= _HELD_BYTES:
            self._frames[name] = rows
        self._pending_write = self._writer.submit(_write, staging_of(self.workspace, upload), name, rows)
        if self.separate_steps:
            self.flush()

    def flush(self) -> None:
        """Wait until the last table is written. Raises FolderUnavailable, StoreUnavailable, OSError: it could not be written."""
        written, self._pending_write = self._pending_write, None
        if written is not None:
            try:
                written.result()
            except (RosterError, OSError) as error:
                self.write_error = error
                raise

    def read_frame(self, path: Sequence[str]) -> pa.Table:
        """Return the rows of the asset `path`; its last reader removes them from memory. Raises FrameError, and as `flush`."""
        upload, name = self._require_upload(), _frame_name(path)
        self._pending_reads[name] -= 1
        held = self._frames.get(name) if self._pending_reads[name] > 0 else self._frames.pop(name, None)
        if held is not None:
            return held
        self.flush()
        return _read(staging_of(self.workspace, upload), name)

    def import_summary(self) -> ImportSummary:
        """Return the summary of the run's import: the one from the step that ended it, or read now."""
        return self.summary or read_import_summary(self.workspace, self._require_upload().import_id)

    def roster_snapshot_info(self) -> RosterSnapshotInfo:
        """Return the state of the upload's feed, read once per run, or once per step with `separate_steps`."""
        if self._feed_state is None:
            self._feed_state = read_roster_snapshot_info(self.workspace, self._require_upload())
        return self._feed_state

    def unfinished_upload(self) -> Upload | None:
        """Return the run's upload if its import has not ended: the run broke between its steps, or did not have all of them."""
        if self.upload is None or self.summary is not None:
            return None
        if self.workspace.warehouse.ledger.import_(self.upload.import_id)["status"] != "running":
            return None
        return self.upload

    def close(self) -> None:
        """Drop the tables, release the import, and close all stores."""
        if self._is_closed:
            return
        self._is_closed = True
        if self.summary is not None:
            record_summary(self.summary)
        self._frames.clear()
        self._writer.shutdown()
        if self.upload is not None:
            release_import(
                self.workspace, self.upload.import_id, continues_elsewhere=self.separate_steps, ended=self.summary is not None
            )
        self.workspace.close()

    def _require_upload(self) -> Upload:
        if self.upload is None:
            raise RuntimeError("no upload is in hand: a step must begin with it")
        return self.upload


def mapped_tables(run_context: RunContext, upload: Upload) -> LazyMapping[pa.Table]:
    """Return the mapped tables of the run's upload, in publishing order, each read when it is accessed."""
    return LazyMapping(tables_of(upload.vendor), lambda name: run_context.read_frame([ROSTER, name]))


def _frame_name(path: Sequence[str]) -> tuple[str, str]:
    stage, name = path
    return stage, name


def _write(staging: Staging, name: tuple[str, str], rows: pa.Table) -> None:
    if name[0] == ROSTER:
        staging.write_table(name[1], rows)
    else:
        staging.write_file_rows(name[1], rows)


def _read(staging: Staging, name: tuple[str, str]) -> pa.Table:
    return staging.table(name[1]) if name[0] == ROSTER else staging.file_rows(name[1])


def _count_readers(upload: Upload) -> Counter[tuple[str, str]]:
    """Return the number of steps that read each table: files that refer to it, tables mapped from it, the applying of changes.

    Canonical tables are not included: all of them, kept until they are published, would be half of an import's memory.
    """
    vendor, source = upload.vendor, upload.source
    reads = [name for file in vendor.format.files for name in references_of(file, vendor.format)]
    reads += [name for table in tables_of(vendor) for name in files_for(vendor, table)]
    reads += [file.name for file in vendor.format.files] if vendor.change_plan is not None else []
    return Counter({_frame_name((source, name)): count for name, count in Counter(reads).items()})


_prepared: ContextVar[RunContext | None] = ContextVar("prepared", default=None)


@contextmanager
def prepared_context(home: Path, order: Order) -> Iterator[RunContext]:
    """Receive the upload of `order` before its run, and hand it to the run that the block executes in this process.

    What receiving raises is raised by the run's first step, so that the run shows it.
    """
    prepared = RunContext(Workspace.open_to_write(home))
    try:
        prepared.receive(order)
    except Exception as error:  # noqa: BLE001 - the run's first step raises it
        prepared.receive_error = error
    except BaseException:
        prepared.close()
        raise
    token = _prepared.set(prepared)
    try:
        yield prepared
    finally:
        _prepared.reset(token)
        prepared.close()


@dg.resource(description="State of one run: the home (settings, registry, archive, staging, warehouse) and the current upload.")
def run_context_resource(context: dg.InitResourceContext) -> Iterator[RunContext]:
    """Open the home for one run, or for one step of it, and close it afterwards."""
    opened = _prepared.get() or RunContext(Workspace.open_to_write(current_home()), separate_steps=steps_run_separately())
    with ExitStack() as stack:
        stack.callback(opened.close)
        stack.enter_context(actor_channel(_requester_channel(context)))
        if context.instance is not None:
            stack.enter_context(pooled_connections(context.instance))
        yield opened
        if (
            not opened.separate_steps
        ):  # with separate steps only Dagster knows when the run ends: the sensor `failed_runs` handles it
            _fail_unfinished_import(context, opened)


def _requester_channel(context: dg.InitResourceContext) -> Channel:
    """Return who requested the run: the daemon, by a sensor or a schedule, or a person in the UI."""
    tags = context.run.tags if context.run is not None else {}
    return "daemon" if {"dagster/sensor_name", "dagster/schedule_name"} & set(tags) else "ui"


def _fail_unfinished_import(context: dg.InitResourceContext, run_context: RunContext) -> None:
    """Fail an import that no step ended, in ledger and run: a wrong schema or a full disk can stop a run between its steps."""
    with suppress(RosterError, OSError):
        run_context.flush()
    upload = run_context.unfinished_upload()
    if upload is None:
        return
    broken = run_context.write_error or RunEndedEarly(import_id=upload.import_id)
    run_context.summary = fail_import(run_context.workspace, upload, broken)
    try_publish_report(run_context.workspace, upload.import_id, broken, run_context.summary)
    if context.instance is not None and context.run is not None:
        context.instance.add_run_tags(context.run.run_id, {"import_status": "failed"})


class FrameIOManager(dg.IOManager):
    """Writes and reads the tables of the run's import in the home's staging, as Arrow.

    Steps read them from the run's context, not through inputs: a roster table is made of the files of one format, although every
    format that fills it is upstream in the graph.
    """

    def __init__(self, run_context: RunContext) -> None:
        self._run_context = run_context

    def handle_output(self, context: dg.OutputContext, obj: pa.Table) -> None:
        """Write the table of an asset."""
        self._run_context.write_frame(context.asset_key.path, obj)

    def load_input(self, context: dg.InputContext) -> pa.Table:
        """Return the table of an asset, of the run's import. Raises FrameError."""
        return self._run_context.read_frame(context.asset_key.path)


@dg.io_manager(required_resource_keys={"run_context"}, description="Arrow tables under the home's staging, one folder an import.")
def frame_io_manager(context: dg.InitResourceContext) -> FrameIOManager:
    """Return the IO manager of this run's context."""
    return FrameIOManager(context.resources.run_context)
