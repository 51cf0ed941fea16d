"""What one run works with: an opened home, the upload in hand, and the frames that its steps hand on.

Belongs here: keeping frames in memory only as long as a later step of the run wants them, and on disk for a run that resumes.
Does not belong here: what is in a frame.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack

import dagster as dg
import pandas as pd

from roster_etl.orchestration.event_log import kept_connections
from roster_etl.orchestration.executors import steps_apart
from roster_etl.orchestration.home import current_home
from roster_etl.pipeline.abandoned import release
from roster_etl.pipeline.conclude import fail
from roster_etl.pipeline.judge import references_of
from roster_etl.pipeline.map import files_for, tables_of
from roster_etl.pipeline.tell import tell_anyway
from roster_etl.pipeline.upload import Upload
from roster_etl.pipeline.workspace import Workspace
from roster_etl.spec.errors import RetryableError
from roster_etl.store.acting import Via, acting


class RunBroken(RetryableError):
    """A run ended without ending its import."""

    code = "run_broken"
    template = "import {import_id}: its run ended before the import did; the run's log says where"


class Desk:
    """The desk at which one run sits. In the in-process executor all steps share it; where steps are `apart`, each gets an empty one."""

    def __init__(self, workspace: Workspace, *, apart: bool = False) -> None:
        self.workspace = workspace
        self.apart = apart
        self.upload: Upload | None = None
        self._frames: dict[str, pd.DataFrame] = {}
        self._wanted: Counter[str] = Counter()

    def begin(self, upload: Upload) -> Upload:
        """Take `upload` in hand, and return it."""
        self.upload = upload
        self._frames.clear()
        self._wanted = _readers(upload)
        return upload

    def put(self, path: Sequence[str], frame: pd.DataFrame) -> None:
        """Hand on the frame of the asset `path`: kept in memory if a later step wants it, and in staging."""
        upload, name = self._in_hand(), _name(path)
        if self._wanted[name]:
            self._frames[name] = frame
        self.workspace.frames.write(upload.district_id, upload.import_id, name, frame)

    def take(self, path: Sequence[str]) -> pd.DataFrame:
        """Return the frame of the asset `path`; its last reader takes it away from memory. Raises FrameError."""
        upload, name = self._in_hand(), _name(path)
        self._wanted[name] -= 1
        held = self._frames.get(name) if self._wanted[name] > 0 else self._frames.pop(name, None)
        return self.workspace.frames.read(upload.district_id, upload.import_id, name) if held is None else held

    def abandoned(self) -> Upload | None:
        """Return the upload in hand if its import has not ended: the run broke between its steps, or had not all of them."""
        if self.upload is None or self.workspace.warehouse.import_(self.upload.import_id)["status"] != "running":
            return None
        return self.upload

    def close(self) -> None:
        """Drop the frames, release the import, and close what was opened."""
        self._frames.clear()
        if self.upload is not None:
            release(self.workspace, self.upload.import_id, goes_on=self.apart)
        self.workspace.close()

    def _in_hand(self) -> Upload:
        if self.upload is None:
            raise RuntimeError("no upload is in hand: a step must begin with it")
        return self.upload


class HandedTables(Mapping[str, pd.DataFrame]):
    """The mapped tables of the upload in hand, each taken from the desk when it is asked for: a table that was written is not kept."""

    def __init__(self, desk: Desk, upload: Upload) -> None:
        self._desk, self._names = desk, tables_of(upload.vendor)

    def __getitem__(self, name: str) -> pd.DataFrame:
        """Return the table `name`, which memory then forgets. Raises KeyError, FrameError."""
        if name not in self._names:
            raise KeyError(name)
        return self._desk.take(["roster", name])

    def __iter__(self) -> Iterator[str]:
        """Go through the names, in publishing order."""
        return iter(self._names)

    def __len__(self) -> int:
        """Return how many tables the upload's format fills."""
        return len(self._names)


def _name(path: Sequence[str]) -> str:
    return "/".join(("frames", *path))


def _readers(upload: Upload) -> Counter[str]:
    """Return how many steps read each frame: files that refer to it, tables made of it, the fold; a table is planned, then published."""
    vendor, source = upload.vendor, upload.source
    reads = [name for file in vendor.format.files for name in references_of(file, vendor.format)]
    reads += [name for table in tables_of(vendor) for name in files_for(vendor, table)]
    reads += [file.name for file in vendor.format.files] if vendor.fold is not None else []
    tables = {_name(("roster", table)): 2 for table in tables_of(vendor)}
    return Counter({_name((source, name)): count for name, count in Counter(reads).items()}) + Counter(tables)


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
    upload = desk.abandoned()
    if upload is None:
        return
    broken = RunBroken(import_id=upload.import_id)
    fail(desk.workspace, upload, broken)
    tell_anyway(desk.workspace, upload.import_id, broken)
    if context.instance is not None and context.run is not None:
        context.instance.add_run_tags(context.run.run_id, {"import_status": "failed"})
