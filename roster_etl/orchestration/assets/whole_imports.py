"""Runs that are not one import: of a part of a format's assets, or of the assets of districts. Each upload that they are about is imported.

Each import is a run of its own, executed within the step that found this out, so that every selection a person can launch ends as
the job of the format would. Belongs here: when that is so, and which uploads. Does not belong here: which assets an import has
(``import_selections``), or executing a run (``orchestration.jobs.in_process_runs``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import dagster as dg

from roster_etl.orchestration.assets.asset_keys import MAPPED, PLANNED, PUBLISHED, REPORTED, STATE_NAME, UPLOAD_NAME, step_of
from roster_etl.orchestration.assets.default_upload import default_order, lists_no_file
from roster_etl.orchestration.assets.district_events import log_materialization
from roster_etl.orchestration.assets.import_selections import ImportName, all_imports, import_keys, imports_of, whole_import
from roster_etl.orchestration.assets.metadata import Metadata, import_number
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
from roster_etl.vendors.lineage import tables_of

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

    @property
    def is_good(self) -> bool:
        """Whether the roster is now that of the upload."""
        return self.status in _ENDS_WELL

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
        received = {key.path[0] for key in keys if key.path[-1] == UPLOAD_NAME and _receives(context, key.path[0])}
        names = [found for found in imports_of(keys) if found[0] not in received]
        newest = _newest_uploads(run_context.workspace, context.partition_key, names)
        _execute_and_log(context, _restart(context, run_context.workspace) or newest)
    return True


def import_newest_uploads(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[None]]:
    """Import the newest upload of each feed of the district that fills a selected asset, and yield what was made of these assets.

    Raises: dg.Failure: one of the imports is held, rejected or failed; what the others made has been yielded.
    """
    run_context: RunContext = context.resources.run_context
    with redacted_failures(context):
        selected = context.selected_asset_keys
        if _is_done(context):  # by a step of a format in this run
            return
        wanted = _newest_uploads(run_context.workspace, context.partition_key, imports_of(selected))
        ended = _import_all(context, wanted)
        made = _made(context, ended, selected) | _not_fed(context, selected)
        in_order = context.assets_def.keys_by_output_name.values()  # each after those that it depends on
        for key in filter(made.__contains__, in_order):
            yield dg.MaterializeResult(asset_key=key, metadata=made[key])
        _raise_if_bad(ended)


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
    _execute_and_log(context, wanted)
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
    return steps is None or step_of(source, UPLOAD_NAME) in steps


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
    if not staging.has_upload():
        return False
    upload = staging.upload()
    source, vendor_ = upload.source, upload.vendor
    if not {step_of(source, PUBLISHED), step_of(source, REPORTED)} <= steps:
        return False
    files = [file.name for file in upload.format.files if step_of(source, file.name) not in steps]
    applied = vendor_.change_plan is None or step_of(source, STATE_NAME) in steps or staging.has_changes()
    mapped = step_of(source, MAPPED) in steps or all(map(staging.has_table, tables_of(vendor_)))
    planned = step_of(source, PLANNED) in steps or staging.has_plan()
    return planned and mapped and applied and all(map(staging.has_file_rows, files))


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


# ---- executing them


def _execute_and_log(context: dg.AssetExecutionContext, wanted: Iterable[tuple[ImportName, _Choose]]) -> None:
    """Import each upload, and materialize what was selected of those that end well. Raises dg.Failure."""
    ended = _import_all(context, wanted)
    for key, metadata in sorted(_made(context, ended, {*context.job_def.asset_layer.executable_asset_keys}).items()):
        log_materialization(context, key, metadata)
    _raise_if_bad(ended)


def _import_all(context: dg.AssetExecutionContext, wanted: Iterable[tuple[ImportName, _Choose]]) -> list[_Ended]:
    ended = [one for name, choose in wanted if (one := _import(context, name, choose)) is not None]
    for one in ended:
        context.log.info("%s", one.text())
    return ended


def _made(
    context: dg.AssetExecutionContext, ended: Iterable[_Ended], selected: Iterable[dg.AssetKey]
) -> dict[dg.AssetKey, Metadata]:
    """Return what the imports that ended well made of the selected assets, as their runs show it; not of those that another one spoilt."""
    good, bad = [one for one in ended if one.is_good], [one for one in ended if not one.is_good]
    keys = {*selected}.difference(*(import_keys(*one.name) for one in bad))
    return {key: _metadata(context, key, one) for one in good for key in import_keys(*one.name) & keys}


def _metadata(context: dg.AssetExecutionContext, key: dg.AssetKey, ended: _Ended) -> Metadata:
    """Return the metadata of an asset: what the import's run says of it, and the link to that run."""
    wanted = dg.AssetRecordsFilter(asset_key=key, asset_partitions=[context.partition_key])
    records = context.instance.fetch_materializations(wanted, limit=1).records
    newest = records[0].asset_materialization if records and records[0].run_id == ended.run_id else None
    return {**(newest.metadata if newest else {}), **import_number(ended.import_id or 0), "import run": _run_link(ended)}


def _not_fed(context: dg.AssetExecutionContext, selected: Iterable[dg.AssetKey]) -> dict[dg.AssetKey, Metadata]:
    """Return the selected assets that no feed of the district fills, in a backfill: it counts only what is materialized."""
    if BACKFILL not in context.run.tags:
        return {}
    feeds = context.resources.run_context.workspace.registry.get(context.partition_key).feeds
    filled = {key for name in all_imports() if name[0] in {feed.format for feed in feeds} for key in import_keys(*name)}
    return {key: {"note": "No feed of the district fills it: nothing was imported."} for key in {*selected} - filled}


def _raise_if_bad(ended: Iterable[_Ended]) -> None:
    bad = [one for one in ended if not one.is_good]
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
        context.log.info("This run is not exactly one import. Importing %s in a run of its own: %s.", name[0], choice)
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
