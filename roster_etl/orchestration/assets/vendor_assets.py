"""The assets of a vendor: the upload as it arrived, and each of its files, read and validated.

Factories make them, because all vendors' files are processed alike.
"""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any

import dagster as dg

from roster_etl.orchestration.assets.asset_keys import UPLOAD_NAME, file_key, step_of, upload_key
from roster_etl.orchestration.assets.default_upload import default_order
from roster_etl.orchestration.assets.district_events import log_intentions
from roster_etl.orchestration.assets.early_exit import finish_if_already_ended
from roster_etl.orchestration.assets.frame_types import file_type
from roster_etl.orchestration.assets.metadata import (
    code_references,
    file_metadata,
    import_number,
    row_count,
    upload_metadata,
    validation_metadata,
)
from roster_etl.orchestration.assets.run_resources import RunContext
from roster_etl.orchestration.assets.step_context import import_asset, import_step, redacted_failures, tag_run
from roster_etl.orchestration.assets.whole_imports import import_whole_uploads, is_delegated_to_full_imports, reexecution_order
from roster_etl.pipeline.reporting.announce import try_publish_report
from roster_etl.pipeline.review.approve import reject_person_ids
from roster_etl.pipeline.steps.receive import require_not_paused
from roster_etl.pipeline.steps.validate import references_of, validate_member
from roster_etl.pipeline.uploads.order import Order
from roster_etl.pipeline.uploads.upload import Upload
from roster_etl.pipeline.workspace import Workspace
from roster_etl.spec import File, Format
from roster_etl.spec.errors import DistrictPaused, RosterError, UnknownFeed
from roster_etl.vendors import Vendor


class UploadConfig(dg.Config):
    """The upload of a run. Default: the one in the landing zone if it has settled, else the newest archived one.

    If the landing zone cannot be read, the run fails.

    ``landing``: the upload in the landing zone; ``path``: a folder, CSV or zip; ``archived``: an earlier import to run again;
    ``rollback``: allowed even if a newer upload is published; the plan is then held for approval; ``arrival``: the number of a
    pending upload; ``approves``, ``plan_sha256`` and ``approved_by``: a held import, whose plan a person approved; ``options``:
    for this import only;
    ``stale``: files that are older than the rest, which is reported; ``leave_out``: removals that an approval leaves out;
    ``renames``: the approved renames, by number;
    ``file_set``: the format's file set, if the job does not define it; ``received_at``: when the upload arrived (ISO, UTC);
    default: now.
    """

    landing: bool = False
    path: str | None = None
    archived: int | None = None
    rollback: bool = False
    arrival: int | None = None
    approves: int | None = None
    plan_sha256: str | None = None
    approved_by: str | None = None
    options: dict[str, str] = {}  # noqa: RUF012 - pydantic copies it
    stale: list[str] = []  # noqa: RUF012 - as above
    leave_out: list[str] = []  # noqa: RUF012 - as above
    renames: list[str] = []  # noqa: RUF012 - as above
    file_set: str | None = None
    received_at: str | None = None

    def order(self, district_id: str, source: str, run_id: str, file_set: str) -> Order | None:
        """Return the order in this config; None: no upload is named. Raises BadDecision: renames are given by IDs."""
        reject_person_ids(self.renames)
        if not (self.landing or self.path or self.archived or self.arrival or self.approves):
            return None
        given: dict[str, Any] = {name: getattr(self, name) for name in _SAME}
        given |= {name: tuple(getattr(self, name)) for name in _LISTS}
        approves = (self.approves, self.plan_sha256 or "", self.approved_by or "") if self.approves else None
        return Order(
            district_id=district_id, source=source, run_id=run_id, **{**given, "file_set": file_set, "approves": approves}
        )

    def describe_upload(self) -> str:
        """Return a text that describes the named upload."""
        if self.approves:
            return f"the archived upload of import {self.approves}, whose plan was approved"
        if self.archived:
            return f"the archived upload of import {self.archived} again, as the run config says"
        if self.arrival:
            return f"the upload that waits as number {self.arrival}, archived when it had settled"
        return "the upload at the path in the run config" if self.path else "the upload in the landing zone"


_LISTS = ("stale", "leave_out", "renames")
_SAME = ("path", "archived", "rollback", "arrival", "options", "file_set", "received_at")


def upload_config(order: Order) -> dict[str, Any]:
    """Return the minimal run config for `order`."""
    named = {name: getattr(order, name) for name in _SAME} | {name: list(getattr(order, name)) for name in _LISTS}
    named |= dict(zip(("approves", "plan_sha256", "approved_by"), order.approves or (), strict=False))
    config = {name: dict(value) if name == "options" else value for name, value in named.items() if value}
    if not config.keys() & {"path", "archived", "arrival", "approves"}:
        config["landing"] = True
    return {"ops": {step_of(order.source, UPLOAD_NAME): {"config": config}}}


def upload_asset(vendor: Vendor) -> dg.AssetsDefinition:
    """Return the asset of a vendor's uploads: receiving one, which opens its import."""
    format_ = vendor.format
    files = ", ".join(file.file_name for file in format_.files)

    @import_asset(  # no step follows an upload that is already published
        vendor,
        upload_key(vendor),
        kinds={"sftp"},
        description=f"An upload in the format {format_.title}, archived as it arrived, password values blanked. Files: {files}. "
        "Assets of several formats cannot be launched together: launch [report](/assets/report) for a district, or the job `rerun_failed`.",
        metadata={
            "document": f"{format_.document} ({format_.version})",
            **code_references({"README": vendor.folder() / "README.md"}),
        },
    )
    def upload(context: dg.AssetExecutionContext, config: UploadConfig) -> Iterator[dg.MaterializeResult[None]]:
        with redacted_failures(context):
            taken = _receive_upload(context, vendor, config)
            if taken is None:
                return
            if taken[0].ended != "unchanged":
                log_intentions(context, taken[0].vendor)
            if finish_if_already_ended(context, taken[0]):
                return
            received, choice = taken
            metadata = {**upload_metadata(received), "upload_source": choice}
            yield dg.MaterializeResult(metadata=metadata, data_version=dg.DataVersion(received.content))

    return upload


def file_asset(vendor: Vendor, file: File) -> dg.AssetsDefinition:
    """Return the asset of one of a vendor's files: read, and validated row by row. The step of the plan evaluates its checks."""
    name = file.name
    note = f" {file.note}" if file.note else ""

    @import_asset(
        vendor,
        file_key(vendor, file.name),
        deps=[upload_key(vendor), *(file_key(vendor, other) for other in references_of(file, vendor.format))],
        dagster_type=file_type(vendor.format, file),
        io_manager_key="frames",
        kinds={"csv", "pyarrow"},
        description=f"{file.file_name}: {file.title}, read strictly and validated by the format's rules.{note}",
        metadata=file_metadata(vendor, file),
    )
    def validated_file(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[object]]:
        if is_delegated_to_full_imports(context):
            return
        with import_step(context) as (run_context, upload):
            others = {other: run_context.read_frame([upload.source, other]) for other in references_of(file, vendor.format)}
            rows = validate_member(run_context.workspace, upload, name, others)
            member = upload.member(name)
            numbers = validation_metadata(run_context.workspace, upload, name)
            yield dg.MaterializeResult(
                value=rows,
                data_version=dg.DataVersion(member.sha256 if member else "absent"),
                metadata={**row_count(rows.num_rows), **numbers, **import_number(upload.import_id)},
            )

    return validated_file


def _receive_upload(context: dg.AssetExecutionContext, vendor: Vendor, config: UploadConfig) -> tuple[Upload, str] | None:
    """Receive the run's upload, and describe it; None if the district has no such feed, or it is paused."""
    run_context: RunContext = context.resources.run_context
    district_id, source = context.partition_key, vendor.format.name
    file_set = config.file_set or first_file_set(vendor.format, context.job_def.asset_layer.executable_asset_keys)
    try:
        run_context.workspace.registry.get(district_id).feed(source)
        if not config.approves:
            require_not_paused(run_context.workspace, Order(district_id=district_id, source=source))
    except (UnknownFeed, DistrictPaused) as error:
        context.log.info("Nothing to do: %s", error.message)
        return None
    try:
        run_id = context.run.run_id
        named = config.order(district_id, source, run_id, file_set)
        if import_whole_uploads(context, source, named):
            return None
        order, choice = _choose_upload(context, named, config, file_set)
        context.log.info("Taking %s.", choice)
        return run_context.receive(order), choice
    except dg.Failure:  # of an import that has a run of its own
        raise
    except Exception as error:
        tag_run(context, district=district_id, format=source, file_set=file_set or None, import_status="failed")
        _report_failed_import(run_context.workspace, district_id, source, context.run.run_id, error)
        raise


def _choose_upload(
    context: dg.AssetExecutionContext, named: Order | None, config: UploadConfig, file_set: str
) -> tuple[Order, str]:
    """Return the order of the run and a description of its upload: the one that the config names, or the newest."""
    run_context: RunContext = context.resources.run_context
    workspace, run = run_context.workspace, context.run
    if named is None:
        source = context.asset_key.path[0]
        return default_order(workspace, context.partition_key, source, file_set=file_set, run_id=run.run_id)
    if run_context.upload is not None or run_context.receive_error is not None:  # received before the run began
        return named, config.describe_upload()
    return reexecution_order(workspace, run, named) or (named, config.describe_upload())


def first_file_set(format_: Format, keys: Iterable[dg.AssetKey]) -> str:
    """Return the file set of a run with the assets `keys`: the first of which it has a file; the format's first if it has none."""
    names = {tuple(key.path) for key in keys}
    sets = (s.name for s in format_.file_sets if any((format_.name, file) in names for file in s.files))
    return next(sets, format_.file_sets[0].name)


def _report_failed_import(workspace: Workspace, district_id: str, source: str, run_id: str, error: Exception) -> None:
    """Report the import that this run opened, if any; the error of an upload that was rejected before that has no number."""
    with suppress(RosterError):  # the ledger may be what failed
        newest = workspace.warehouse.ledger.imports(district_id, source, limit=1)
        if newest and newest[0]["run_id"] == run_id and newest[0]["status"] != "running":
            try_publish_report(workspace, newest[0]["import_id"], error)
