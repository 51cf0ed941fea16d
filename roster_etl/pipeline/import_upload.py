"""The whole road for one upload, as plain functions in one process.

Belongs here: the order of the steps. The partitioned Dagster job walks the same steps one by one.
"""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa

from roster_etl.pipeline.lifecycle.import_lifecycle import release
from roster_etl.pipeline.planned import Planned
from roster_etl.pipeline.reporting.announce import tell_anyway, tell_of
from roster_etl.pipeline.staging import staging_of
from roster_etl.pipeline.steps.apply_changes import fold_upload, make_table
from roster_etl.pipeline.steps.conclude import fail
from roster_etl.pipeline.steps.feed_state import read_feed_state
from roster_etl.pipeline.steps.gate import gate_upload
from roster_etl.pipeline.steps.plan import plan_import
from roster_etl.pipeline.steps.publish import publish_import
from roster_etl.pipeline.steps.receive import receive
from roster_etl.pipeline.steps.validate import judge_member, references_of
from roster_etl.pipeline.uploads.order import Order
from roster_etl.pipeline.uploads.upload import Upload
from roster_etl.pipeline.workspace import Workspace
from roster_etl.vendors import Vendor
from roster_etl.vendors.lineage import files_for, tables_of

Tell = Callable[[str], None]
"""Takes the name of each step that was done, for whoever watches."""


def import_upload(workspace: Workspace, order: Order, tell: Tell = lambda _: None) -> int:
    """Import one upload from the door to the roster. Returns its import id; the ledger tells how it ended.

    Raises: what failed; the import is then in the ledger as ``failed``.
    """
    upload = receive(workspace, order)
    try:
        tell("received")
        if upload.ended is None:
            walk(workspace, upload, tell)
    except Exception as error:
        fail(workspace, upload, error)
        tell_anyway(workspace, upload.import_id, error)
        raise
    finally:
        release(workspace, upload.import_id)
    tell_of(workspace, upload.import_id)
    return upload.import_id


def steps_of(vendor: Vendor) -> int:
    """Return how many steps `walk` and the door tell of at most."""
    return len(vendor.format.files) + len(tables_of(vendor)) + (4 if vendor.fold else 3)


def walk(workspace: Workspace, upload: Upload, tell: Tell = lambda _: None) -> Planned:
    """Walk the steps after the door: judge, map, gate, plan, publish."""
    staging = staging_of(workspace, upload)
    judged: dict[str, pa.Table] = {}
    for file in upload.format.files:
        judged[file.name] = judge_member(
            workspace, upload, file.name, {name: judged[name] for name in references_of(file, upload.format)}
        )
        tell(f"judged {file.name}")
    feed = read_feed_state(workspace, upload)
    if upload.vendor.fold is not None:
        fold_upload(workspace, upload, judged, feed)
        judged.clear()
        tell("folded")
    for table in tables_of(upload.vendor):
        sources = {name: judged[name] for name in files_for(upload.vendor, table)}
        staging.write_table(table, make_table(workspace, upload, table, sources, feed))
        tell(f"mapped {table}")
    judged.clear()
    gate_upload(workspace, upload)
    tables = staging.tables(tables_of(upload.vendor))
    planned = plan_import(workspace, upload, tables, feed)
    tell("planned")
    if planned.decision == "publish":
        publish_import(workspace, upload, planned, tables)
        tell("done")
    return planned
