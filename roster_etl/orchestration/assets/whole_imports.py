"""Runs that select fewer assets than one import has, or more: each upload that they are about is imported from the start.

Each import is a run of its own, executed within the step that found this out, so that every selection a person can launch ends as
the job of the format would. Belongs here: when that is so, and which uploads. Does not belong here: which assets an import has
(``import_selections``), or executing a run (``orchestration.jobs.in_process_runs``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import dagster as dg

from roster_etl.orchestration.assets.default_upload import default_order, lists_no_file
from roster_etl.orchestration.assets.early_exit import log_materialization
from roster_etl.orchestration.assets.import_selections import ImportName, all_imports, import_keys, imports_of, whole_import
from roster_etl.orchestration.assets.run_resources import RunContext
from roster_etl.orchestration.assets.step_context import BACKFILL, IMPORT, redacted_failures, tag_run
from roster_etl.pipeline.staging import Staging
from roster_etl.pipeline.uploads.archived_uploads import (
    NotArchived,
    OlderUpload,
    archived_import,
    newest_archived,
    require_newest_upload,
)
from roster_etl.pipeline.uploads.order import Order
from roster_etl.pipeline.uploads.pending_uploads import pending_numbers
from roster_etl.pipeline.workspace import Workspace
from roster_etl.spec.errors import DistrictPaused, RosterError, UnknownFeed
from roster_etl.store.files.urls import is_url
from roster_etl.store.settings import landing_folder
from roster_etl.store.warehouse import UnknownImport
from roster_etl.vendors import vendor

WHOLE_IMPORTS = "whole_imports"
"""The tag of a run that left its work to whole imports; its value is the run's id, since a re-execution inherits tags."""
_ENDS_WELL = ("published", "unchanged")
_Choose = Callable[[], tuple[Order, str] | None]
"""Returns the order for an upload and a description of it; None: no upload has arrived yet. Raises: the landing zone cannot be read."""


@dataclass(frozen=True, kw_only=True)
class _Ended:
    """One import that the step executed. ``import_id`` None: it failed before it had a number."""

    name: ImportName
    status: str
    import_id: int | None
    run_id: str | None
    message: str = ""

    def text(self) -> str:
        number = f"Import {self.import_id}" if self.import_id else f"The import of {self.name[0]}"
        run = f"; its run is {self.run_id}" if self.run_id else ""
        return f"{number} is {self.status}{f': {self.message}' if self.message else ''}{run}."


def is_delegated_to_full_imports(context: dg.AssetExecutionContext) -> bool:
    """Return whether this step has nothing to do, since its run neither receives nor resumes one whole import.

    The first step that finds this out imports the newest uploads of the feeds concerned.
    Raises: dg.Failure: one of them is held, rejected or failed.
    """
    run_context: RunContext = context.resources.run_context
    if run_context.upload is not None:
        return False
    with redacted_failures(context):
        if _is_done(context):
            return True
        keys = context.job_def.asset_layer.executable_asset_keys
        name = whole_import(keys)
        if name is not None and (_receives(context, name[0]) or _resumes(context, run_context.workspace)):
            return False
        tag_run(context, **{WHOLE_IMPORTS: context.run.run_id})
        received = {key.path[0] for key in keys if key.path[-1] == "upload" and _receives(context, key.path[0])}
        names = [found for found in imports_of(keys) if found[0] not in received]
        newest = _newest_uploads(run_context.workspace, context.partition_key, names)
        _execute(context, _restart(context, run_context.workspace) or newest)
    return True


def import_whole_uploads(context: dg.AssetExecutionContext, source: str, named: Order | None) -> bool:
    """Import whole uploads of one format, if this run has the step that receives them but not exactly the assets of one import.

    Args:   named: the upload that the run config names; None: the newest of each file set that is selected.
    Returns: whether it did; otherwise the run goes on step by step.
    """
    keys = context.job_def.asset_layer.executable_asset_keys
    if whole_import(keys) is not None:
        return False
    run_context: RunContext = context.resources.run_context
    if named is not None:
        wanted: list[tuple[ImportName, _Choose]] = [
            ((source, named.file_set or ""), lambda: (named, "the upload that the run config names"))
        ]
    else:
        names = [name for name in imports_of(keys) if name[0] == source]
        wanted = _newest_uploads(run_context.workspace, context.partition_key, names)
    _execute(context, wanted)
    return True


def reexecution_order(workspace: Workspace, run: dg.DagsterRun, named: Order) -> tuple[Order, str] | None:
    """Return what a re-executed run imports where the upload in its config is not there any more; None: what the config names.

    An upload that the first run archived is imported again; if a newer one is published, the newest is.
    """
    if run.parent_run_id is None or named.approves or named.rollback or not _is_gone(workspace, named):
        return None
    number = named.archived or int(run.tags.get(IMPORT, "0"))
    order, why = _again(workspace, named, number)
    return replace(order, options=named.options, run_id=named.run_id), f"{why}; the upload that the config names is not there"


def _is_gone(workspace: Workspace, named: Order) -> bool:
    district_id, source = named.district_id, named.source
    if named.archived is not None:
        return _archived_order(workspace, named, named.archived) is None
    if named.arrival is not None:
        return named.arrival not in pending_numbers(workspace, district_id, source)
    if named.path is not None:
        return not is_url(named.path) and not Path(named.path).expanduser().exists()
    feed = workspace.registry.get(district_id).feed(source)
    return lists_no_file(workspace, district_id, feed, named.file_set or "")


def _again(workspace: Workspace, wanted: Order, import_id: int) -> tuple[Order, str]:
    """Return the order for the upload of an import once more, or for the newest upload if that may not be imported."""
    again = _archived_order(workspace, wanted, import_id)
    if again is not None:
        return again, f"the archived upload of import {import_id} from the start"
    return default_order(workspace, wanted.district_id, wanted.source, file_set=wanted.file_set or "", run_id=wanted.run_id)


def _archived_order(workspace: Workspace, wanted: Order, import_id: int) -> Order | None:
    district_id, source = wanted.district_id, wanted.source
    try:
        found = archived_import(workspace, district_id, source, import_id)
        require_newest_upload(workspace, district_id, source, found)
    except RosterError as error:
        if isinstance(error, NotArchived | OlderUpload | UnknownImport):
            return None
        raise
    return Order(district_id=district_id, source=source, archived=import_id, file_set=wanted.file_set, run_id=wanted.run_id)


# ---- what this run has


def _is_done(context: dg.AssetExecutionContext) -> bool:
    run = context.instance.get_run_by_id(context.run.run_id)
    return run is not None and run.tags.get(WHOLE_IMPORTS) == run.run_id


def _steps(context: dg.AssetExecutionContext) -> frozenset[str] | None:
    """Return the steps that this run executes; None: all of its job's."""
    keys = context.run.step_keys_to_execute
    return None if keys is None else frozenset(keys)


def _receives(context: dg.AssetExecutionContext, source: str) -> bool:
    steps = _steps(context)
    return steps is None or f"{source}__upload" in steps


def _resumes(context: dg.AssetExecutionContext, workspace: Workspace) -> bool:
    """Return whether this run can continue the import of the run that it re-executes: it failed, is the newest, and is staged."""
    number = int(context.run.tags.get(IMPORT, "0"))
    if not number:
        return False
    row = workspace.warehouse.ledger.import_(number)
    if row["run_id"] == context.run.run_id:
        return True
    if row["status"] not in ("failed", "running") or row["district_id"] != context.partition_key:
        return False
    base = workspace.warehouse.roster.base(row["district_id"], row["source"])
    return (base is None or base < number) and _is_staged(context, workspace, number)


def _is_staged(context: dg.AssetExecutionContext, workspace: Workspace, import_id: int) -> bool:
    """Return whether every step that this run does not execute left its tables, and no later step is left out."""
    steps, staging = _steps(context) or frozenset(), Staging(workspace.frames, context.partition_key, import_id)
    if not staging.has_upload() or not {"warehouse", "report"} <= steps:
        return False
    upload = staging.upload()
    files = [file.name for file in upload.format.files if f"{upload.source}__{file.name}" not in steps]
    tables = [key.path[1] for key in import_keys(upload.source, upload.file_set) if key.path[0] == "roster"]
    left = [table for table in tables if table != "plan" and f"roster__{table}" not in steps]
    if f"{upload.source}__state" in {node.name for node in context.job_def.nodes} - steps and not staging.has_changes():
        return False
    planned = "roster__plan" in steps or staging.has_plan()
    return planned and all(map(staging.has_file_rows, files)) and all(map(staging.has_table, left))


# ---- which uploads


def _restart(context: dg.AssetExecutionContext, workspace: Workspace) -> list[tuple[ImportName, _Choose]]:
    """Return the upload of the import that this run cannot resume; none if it re-executes no import."""
    number = int(context.run.tags.get(IMPORT, "0"))
    if not number or context.run.parent_run_id is None:
        return []
    row = workspace.warehouse.ledger.import_(number)
    wanted = Order(district_id=row["district_id"], source=row["source"], file_set=row["file_set"])
    return [((row["source"], row["file_set"]), partial(_again, workspace, wanted, number))]


def _newest_uploads(workspace: Workspace, district_id: str, names: Iterable[ImportName]) -> list[tuple[ImportName, _Choose]]:
    """Return the newest upload of each of `names` that is a feed of the district."""
    own = {feed.format for feed in workspace.registry.get(district_id).feeds}
    return [(name, partial(_newest_upload, workspace, district_id, name)) for name in names if name[0] in own]


def _newest_upload(workspace: Workspace, district_id: str, name: ImportName) -> tuple[Order, str] | None:
    source, file_set = name
    feed = workspace.registry.get(district_id).feed(source)
    is_empty = not landing_folder(workspace.settings, district_id, feed.path)
    if not is_empty and len(vendor(source).format.file_sets) > 1:  # one of the sets may not have arrived yet
        is_empty = lists_no_file(workspace, district_id, feed, file_set)
    if is_empty and newest_archived(workspace, district_id, source, file_set) is None:
        return None
    return default_order(workspace, district_id, source, file_set=file_set)


def record_missing_feed(context: dg.AssetExecutionContext, source: str) -> None:
    """Materialize the selected assets of a format that the district has no feed of, in a backfill: it counts only what is materialized.

    Assets that another upload of this run fills are left to it.
    """
    if BACKFILL not in context.run.tags:
        return
    selected = {*context.job_def.asset_layer.executable_asset_keys}
    formats = {key.path[0] for key in selected if key.path[-1] == "upload"}
    workspace = context.resources.run_context.workspace
    own = {feed.format for feed in workspace.registry.get(context.partition_key).feeds} & formats
    filled = {key for name in all_imports() if name[0] in own for key in import_keys(*name)}
    wanted = {key for name in all_imports() if name[0] == source for key in import_keys(*name)}
    for key in sorted((wanted & selected) - filled):
        log_materialization(context, key, {"note": "The district has no feed of this format: nothing was imported."})


# ---- executing them


def _execute(context: dg.AssetExecutionContext, wanted: Iterable[tuple[ImportName, _Choose]]) -> None:
    """Import each upload in a run of its own, and materialize what was selected of those that end well. Raises dg.Failure."""
    ended = [one for name, choose in wanted if (one := _import(context, name, choose)) is not None]
    for one in ended:
        context.log.info("%s", one.text())
    bad = [one for one in ended if one.status not in _ENDS_WELL]
    spoilt = {key for one in bad for key in import_keys(*one.name)}
    selected = {*context.job_def.asset_layer.executable_asset_keys}
    for one in ended:
        if one not in bad:
            for key in sorted((import_keys(*one.name) & selected) - spoilt):
                log_materialization(context, key, {"import": one.import_id or 0, "import run": _run_link(one)})
    if bad:
        raise dg.Failure(
            " ".join(one.text() for one in bad),
            metadata={f"run of {one.name[0]}": _run_link(one) for one in bad if one.run_id},
            allow_retries=False,
        )


def _import(context: dg.AssetExecutionContext, name: ImportName, choose: _Choose) -> _Ended | None:
    """Import one upload in a run of its own; None: there is none, or the feed is paused. An error is part of what is returned."""
    runs: list[str] = []
    run_context, runner = context.resources.run_context, context.resources.import_runner
    try:
        chosen = choose()
        if chosen is None:
            context.log.info("Nothing to do for %s: no upload has arrived yet.", " ".join(name).strip())
            return None
        order, choice = chosen
        context.log.info(
            "This run has not exactly the assets of one import. Importing %s in a run of its own: %s.", name[0], choice
        )
        number = runner(order, context.instance, runs.append)
    except (UnknownFeed, DistrictPaused) as error:
        context.log.info("Nothing to do: %s", error.message)
        return None
    except Exception as error:  # noqa: BLE001 - the other feeds are imported all the same; a foreign text may hold a cell
        text = error.message if isinstance(error, RosterError) else type(error).__name__
        return _Ended(name=name, status="failed", import_id=None, run_id=next(iter(runs), None), message=text)
    row = run_context.workspace.warehouse.ledger.import_(number)
    return _Ended(name=name, status=row["status"], import_id=number, run_id=runs[0])


def _run_link(ended: _Ended) -> dg.MetadataValue:
    return dg.MetadataValue.url(f"/runs/{ended.run_id}")
