"""The exports as assets: ``export/NAME`` for each destination, a partition a district, with its checks."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import dagster as dg

from roster_etl.orchestration.assets.asset_keys import filled_tables, warehouse_key
from roster_etl.orchestration.assets.markdown import markdown_table
from roster_etl.orchestration.assets.metadata import OWNERS, code_references
from roster_etl.orchestration.assets.step_context import redacted_failures, tag_run
from roster_etl.orchestration.runtime.partitions import DISTRICTS
from roster_etl.pipeline.exports import destinations
from roster_etl.pipeline.workspace import Workspace
from roster_etl.store.actor import os_user
from roster_etl.store.registry.district import UnknownDestination
from roster_etl.vendors import Vendor

GROUP = "export"
STATUS = "export_status"  # the tag of a run: what became of its destinations
SENT, READ_BACK, SHRINK = "sent", "read_back", "shrink"
_CHECKS = {
    SENT: "The roster was written to the destination, or was there already and is unchanged.",
    READ_BACK: "Our own reader of the format takes the files as they were written, cell by cell.",
    SHRINK: "No file has many fewer rows than the last one that was sent.",
}
_READ_BACK_FAILED, _SHRUNK = "read_back_failed", "shrunk"
Document = Mapping[str, Any]


def export_key(name: str) -> dg.AssetKey:
    """Return the key of the asset of a destination."""
    return dg.AssetKey([GROUP, name])


def export_asset(name: str, vendors: Sequence[Vendor]) -> dg.AssetsDefinition:
    """Return the asset of the destinations of one name, a partition a district. A district without it has nothing to send."""
    key = export_key(name)
    spec = dg.AssetSpec(
        key,
        deps=[warehouse_key(table) for table in filled_tables(vendors)],
        partitions_def=DISTRICTS,
        skippable=True,
        group_name=GROUP,
        kinds={"sftp"},
        owners=OWNERS,
        description=f"The current roster, as it was sent to the destination {name} of a district. An unchanged roster is not sent again.",
        metadata=code_references({"destinations": Path(destinations.__file__)}),
    )
    checks = [
        dg.AssetCheckSpec(check, asset=key, description=about, partitions_def=DISTRICTS) for check, about in _CHECKS.items()
    ]

    @dg.multi_asset(  # one asset, whose checks have no result where there is nothing to send
        name=_op_name(name), specs=[spec], check_specs=checks, can_subset=True, required_resource_keys={"run_context"}
    )
    def export(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
        with redacted_failures(context):
            document = send_in_run(context, context.resources.run_context.workspace, context.partition_key, name)
            if document is None:
                return
            tag_run(context, **{STATUS: document["status"]})
            for check, passed in check_results(document).items():
                metadata = {} if passed else refusal_metadata(document)
                yield dg.AssetCheckResult(asset_key=key, check_name=check, passed=passed, metadata=metadata)
            if is_refused(document):
                raise dg.Failure(document["error"]["message"], metadata=refusal_metadata(document), allow_retries=False)
            yield dg.MaterializeResult(asset_key=key, metadata=export_metadata(document), data_version=data_version(document))

    return export


def _op_name(name: str) -> str:
    """Return the name of the op of a destination: another one for each, and of letters, digits and ``_``."""
    return "export__" + name.replace("_", "_u").replace("-", "_d")


def is_refused(document: Document) -> bool:
    """Return whether nothing was sent, because a gate refused it or an error stopped it."""
    return document["status"] in ("refused", "failed")


def send_in_run(
    context: dg.AssetExecutionContext | dg.OpExecutionContext, workspace: Workspace, district_id: str, name: str
) -> Document | None:
    """Send to one destination of a district, and return the document of the export; None: the district does not have it.

    Raises: what stopped it before it began; that was told by alert and mail.
    """
    try:
        document = destinations.send_unattended(workspace, district_id, name, requested_by=os_user())
    except UnknownDestination as error:
        context.log.info("Nothing to do: %s", error.message)
        return None
    context.log.info("%s/%s: %s", district_id, name, document["status"])
    return document


def check_results(document: Document) -> dict[str, bool]:
    """Return which checks passed. One that was not reached, because another one stopped the export, is not among them."""
    reason = document["error"]["code"] if is_refused(document) else ""
    results = {SENT: not reason}
    if reason in ("", _SHRUNK):
        results |= {READ_BACK: True, SHRINK: not reason}
    elif reason == _READ_BACK_FAILED:
        results[READ_BACK] = False
    return results


def data_version(document: Document) -> dg.DataVersion:
    """Return a hash of what the destination has: equal for equal files."""
    hashes = "".join(sorted(f"{file['file']} {file['sha256']}\n" for file in document["files"]))
    return dg.DataVersion(hashlib.sha256(hashes.encode()).hexdigest())


def export_metadata(document: Document) -> dict[str, Any]:
    """Return what was sent: counts and places, no values."""
    files = [(file["file"], f"{file['rows']:,}", f"{file['bytes']:,}") for file in document["files"]]
    losses = [
        (loss["kind"], ".".join(filter(None, (loss["table"], loss["column"]))), loss["reason"], f"{loss['count']:,}")
        for loss in document["losses"]
    ]
    return {
        "status": document["status"],
        "format": document["format"],
        "to": document["to"],
        "as of import": document["as_of_import"],
        "dagster/row_count": sum(file["rows"] for file in document["files"]),
        **({"export": document["export_id"]} if document["export_id"] is not None else {}),
        "files": markdown_table(("file", "rows:", "bytes:"), files),
        "losses": markdown_table(("kind", "where", "why", "count:"), losses) if losses else "none",
    }


def refusal_metadata(document: Document) -> dict[str, Any]:
    """Return why nothing was sent."""
    error, more = document["error"], document.get("refused") or {}
    return {
        "status": document["status"],
        "code": error["code"],
        "why": error["message"],
        "to": document["to"],
        "as of import": document["as_of_import"],
        **({"count": more["count"]} if "count" in more else {}),
    }
