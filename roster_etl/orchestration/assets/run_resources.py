"""What one run works with: an opened home, the upload in hand, and the frames that its steps hand on.

Belongs here: keeping frames in memory only as long as a later step of the run wants them, and on disk for a run that resumes.
Does not belong here: what is in a frame.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, suppress

import dagster as dg
import pyarrow as pa

from roster_etl.orchestration.runtime.current_home import current_home
from roster_etl.orchestration.runtime.event_log_pool import kept_connections
from roster_etl.orchestration.runtime.executors import steps_apart
from roster_etl.pipeline.lifecycle.import_lifecycle import release
from roster_etl.pipeline.reporting.announce import tell_anyway
from roster_etl.pipeline.staging import Loaded, Staging, staging_of
from roster_etl.pipeline.steps.conclude import fail
from roster_etl.pipeline.steps.feed_state import FeedState, read_feed_state
from roster_etl.pipeline.steps.validate import references_of
from roster_etl.pipeline.uploads.upload import Upload
from roster_etl.pipeline.workspace import Workspace
from roster_etl.spec.errors import RetryableError, RosterError
from roster_etl.store.actor import Via, acting
from roster_etl.vendors.lineage import files_for, tables_of

ROSTER = "roster"
"""The first segment of the asset key of every mapped table."""


class RunBroken(RetryableError):
    """A run ended without ending its import."""

    code = "run_broken"
    template = "import {import_id}: its run ended before the import did; the run's log says where"


class Desk:
    """The desk at which one run sits. In the in-process executor all steps share it; where steps are `apart`, each gets an empty one.

    ``broken``: why a frame could not be written.
    """

    def __init__(self, workspace: Workspace, *, apart: bool = False) -> None:
        self.workspace = workspace
        self.apart = apart
        self.upload: Upload | None = None
        self._feed_state: FeedState | None = None
        self._frames: dict[tuple[str, str], pa.Table] = {}
        self._wanted: Counter[tuple[str, str]] = Counter()
        self._clerk = ThreadPoolExecutor(1, thread_name_prefix="frames")
        self._written: Future[None] | None = None
        self.broken: Exception | None = None

    def begin(self, upload: Upload) -> Upload:
        """Take `upload` in hand, and return it."""
        self.upload, self._feed_state = upload, None
        self._frames.clear()
        self._wanted = _readers(upload)
        return upload

    def put(self, path: Sequence[str], rows: pa.Table) -> None:
        """Hand on the rows of the asset `path`: kept in memory if a later step wants it, and in staging.

        It is written while the next step works, and what goes wrong then ends that step. Raises as `settle`.
        """
        self.settle()
        upload, name = self._in_hand(), _name(path)
        if self._wanted[name]:
            self._frames[name] = rows
        self._written = self._clerk.submit(_write, staging_of(self.workspace, upload), name, rows)
        if self.apart:
            self.settle()

    def settle(self) -> None:
        """Wait until the last frame is written. Raises FolderUnavailable, StoreUnavailable, OSError: it could not be."""
        written, self._written = self._written, None
        if written is not None:
            try:
                written.result()
            except (RosterError, OSError) as error:
                self.broken = error
                raise

    def take(self, path: Sequence[str]) -> pa.Table:
        """Return the rows of the asset `path`; its last reader takes it away from memory. Raises FrameError, and as `settle`."""
        upload, name = self._in_hand(), _name(path)
        self._wanted[name] -= 1
        held = self._frames.get(name) if self._wanted[name] > 0 else self._frames.pop(name, None)
        if held is not None:
            return held
        self.settle()
        return _read(staging_of(self.workspace, upload), name)

    def feed_state(self) -> FeedState:
        """Return the state of the feed of the upload in hand, read once a run; where steps are apart, once a step."""
        if self._feed_state is None:
            self._feed_state = read_feed_state(self.workspace, self._in_hand())
        return self._feed_state

    def abandoned(self) -> Upload | None:
        """Return the upload in hand if its import has not ended: the run broke between its steps, or had not all of them."""
        if self.upload is None or self.workspace.warehouse.import_(self.upload.import_id)["status"] != "running":
            return None
        return self.upload

    def close(self) -> None:
        """Drop the frames, release the import, and close what was opened."""
        self._frames.clear()
        self._clerk.shutdown()
        if self.upload is not None:
            release(self.workspace, self.upload.import_id, goes_on=self.apart)
        self.workspace.close()

    def _in_hand(self) -> Upload:
        if self.upload is None:
            raise RuntimeError("no upload is in hand: a step must begin with it")
        return self.upload


def handed_tables(desk: Desk, upload: Upload) -> Loaded[pa.Table]:
    """Return the mapped tables of the upload in hand, in publishing order, each taken from the desk when it is asked for."""
    return Loaded(tables_of(upload.vendor), lambda name: desk.take([ROSTER, name]))


def _name(path: Sequence[str]) -> tuple[str, str]:
    stage, name = path
    return stage, name


def _write(staging: Staging, name: tuple[str, str], rows: pa.Table) -> None:
    if name[0] == ROSTER:
        staging.write_table(name[1], rows)
    else:
        staging.write_file_rows(*name, rows)


def _read(staging: Staging, name: tuple[str, str]) -> pa.Table:
    return staging.table(name[1]) if name[0] == ROSTER else staging.file_rows(*name)


def _readers(upload: Upload) -> Counter[tuple[str, str]]:
    """Return how many steps read each frame: files that refer to it, tables made of it, the fold.

    Tables are not among them: all of them together, kept until they are published, would be half of an import's memory.
    """
    vendor, source = upload.vendor, upload.source
    reads = [name for file in vendor.format.files for name in references_of(file, vendor.format)]
    reads += [name for table in tables_of(vendor) for name in files_for(vendor, table)]
    reads += [file.name for file in vendor.format.files] if vendor.fold is not None else []
    return Counter({_name((source, name)): count for name, count in Counter(reads).items()})


@dg.resource(description="The home (settings, registry, archive, staging, warehouse), and the upload that the run has in hand.")
def desk(context: dg.InitResourceContext) -> Iterator[Desk]:
    """Open the home for one run, or for one step of it, and close it afterwards."""
    opened = Desk(Workspace.open(current_home()), apart=steps_apart())
    with ExitStack() as stack:
        stack.callback(opened.close)
        stack.enter_context(acting(_via(context)))
        if context.instance is not None:
            stack.enter_context(kept_connections(context.instance))
        yield opened
        if not opened.apart:  # of a run whose steps are apart only Dagster knows the end: the sensor `failed_runs` hears of it
            _end(context, opened)


def _via(context: dg.InitResourceContext) -> Via:
    """Return who asked for the run: the daemon, by a sensor or a schedule, or a person in the UI."""
    tags = context.run.tags if context.run is not None else {}
    return "daemon" if {"dagster/sensor_name", "dagster/schedule_name"} & set(tags) else "ui"


def _end(context: dg.InitResourceContext, desk: Desk) -> None:
    """Tell ledger and run of an import that nobody ended: a frame of the wrong shape, or a full disk, stops a run between its steps."""
    with suppress(RosterError, OSError):
        desk.settle()
    upload = desk.abandoned()
    if upload is None:
        return
    broken = desk.broken or RunBroken(import_id=upload.import_id)
    fail(desk.workspace, upload, broken)
    tell_anyway(desk.workspace, upload.import_id, broken)
    if context.instance is not None and context.run is not None:
        context.instance.add_run_tags(context.run.run_id, {"import_status": "failed"})
