"""What a column is again once a steward's edit of it is cleared: the value of the newest published upload, where that is known.

Belongs here: finding that value. Where no upload was published since the edit was set, the version before the edit has it; else the
newest upload is read again. In delta formats an upload after the edit may have had a row of the record or not: there the next row of
the record brings its value.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from roster_etl.canonical.roster import RosterTable
from roster_etl.frames.arrow import REFUSED
from roster_etl.frames.row_hashes import as_text, key_text
from roster_etl.pipeline.lifecycle.import_lifecycle import release_import
from roster_etl.pipeline.review.dry_run import dry_run_workspace
from roster_etl.pipeline.review.preview_approval import zip_archived_files
from roster_etl.pipeline.steps.map_tables import map_roster_table
from roster_etl.pipeline.steps.receive import receive_upload
from roster_etl.pipeline.steps.roster_snapshot_info import read_roster_snapshot_info
from roster_etl.pipeline.steps.validate import references_of, validate_member
from roster_etl.pipeline.uploads.archived_uploads import NotArchived, archived_import, newest_first
from roster_etl.pipeline.uploads.order import Order
from roster_etl.pipeline.uploads.upload import Upload
from roster_etl.pipeline.workspace import Workspace
from roster_etl.store.files.temp_folders import scratch_folder
from roster_etl.vendors import vendor
from roster_etl.vendors.lineage import files_for

Feed = tuple[str, str]


@dataclass(frozen=True, kw_only=True)
class SourceValue:
    """The value of a column that an upload gives, as text, and whether it is derived.

    ``read_in``: the import that was read again for it, with ``place``, the file and row of the record there; None: the record's own.
    """

    value: str | None
    derived: bool
    read_in: int | None = None
    place: tuple[str, int] | None = None


def source_value(
    workspace: Workspace, feed: Feed, table: RosterTable, edit: Mapping[str, Any], version: pa.Table
) -> SourceValue | None:
    """Return what the column of an edit would be without it; None: that is not known before the next upload.

    Args: edit: the row of ``overrides`` that is in force; version: the current version of its record.
    """
    file_set = vendor(feed[1]).file_set_for_table(table.name)
    begun = _begun_at(workspace, feed, edit)
    with workspace.warehouse.read() as session:
        undone = session.roster.last_published(*feed, "undo", file_set=file_set)
    if undone is not None and undone["finished_at"] > begun:
        return None
    last = _last_accepted(workspace, feed, file_set)
    if last is None or last["finished_at"] < begun:
        return _before_edit(workspace, feed, table, edit, begun)
    if vendor(feed[1]).change_plan is not None or table.holds_events:
        return None
    return _in_upload(workspace, feed, table, edit, int(last["import_id"]), version)


def _last_accepted(workspace: Workspace, feed: Feed, file_set: str) -> dict[str, Any] | None:
    """Return the newest upload that made the roster what it is, also one that changed nothing: an edit may hide what is new in it."""
    rows = newest_first(workspace, *feed, file_set=file_set)
    return next((row for row in rows if row["kind"] == "upload" and row["status"] in ("published", "unchanged")), None)


def _begun_at(workspace: Workspace, feed: Feed, edit: Mapping[str, Any]) -> Any:
    """Return when the column was first edited: an edit that replaced another one goes on with it."""
    same = [
        row
        for row in workspace.warehouse.roster.overrides(*feed, ended=True)
        if (row["table_name"], row["field"]) == (edit["table_name"], edit["field"])
        and json.loads(row["key"]) == json.loads(edit["key"])
        and row["override_id"] <= edit["override_id"]
    ]
    begun = edit["set_at"]
    for row in reversed(same):
        if row["cleared_at"] == begun:
            begun = row["set_at"]
    return begun


def _before_edit(workspace: Workspace, feed: Feed, table: RosterTable, edit: Mapping[str, Any], begun: Any) -> SourceValue | None:
    """Return the value of the version that the edit closed."""
    found = workspace.warehouse.roster.trace(table.name, json.loads(edit["key"]), *feed)
    closed = found.filter(pc.fill_null(pc.equal(found.column("close_reason"), "overridden"), False))
    rows = [at for at, moment in enumerate(closed.column("valid_to").to_pylist()) if moment == begun]
    return _value_of(closed.slice(rows[0], 1), edit["field"]) if rows else None


def _in_upload(
    workspace: Workspace, feed: Feed, table: RosterTable, edit: Mapping[str, Any], import_id: int, version: pa.Table
) -> SourceValue | None:
    """Return the value that the archived upload of an import gives, with all other edits in force."""
    row, file_set = workspace.warehouse.ledger.import_(import_id), vendor(feed[1]).file_set_for_table(table.name)
    try:
        archived = archived_import(workspace, *feed, import_id)
    except NotArchived:
        return None
    manifest = workspace.archive.read_manifest(feed[0], archived)
    if any(member.get("changes") is not None for member in manifest["members"]):
        return None  # files of changes go on from the files before
    with dry_run_workspace(workspace, feed[0]) as scratch, scratch_folder(workspace.settings.scratch) as folder:
        path = str(zip_archived_files(workspace, feed[0], archived, folder))
        order = Order(district_id=feed[0], source=feed[1], path=path, options=row["options"] or {}, file_set=file_set)
        upload = receive_upload(scratch, order).upload
        try:
            mapped = _mapped(scratch, upload, table.name, without=edit["override_id"])
        finally:
            release_import(scratch, upload.import_id, ended=True)
    accepted = mapped.filter(pc.invert(mapped.column(REFUSED)))
    at = pc.index(key_text(accepted, table.key), key_text(version, table.key)[0]).as_py()
    if at < 0:
        return None
    found = accepted.slice(at, 1)
    place = (found.column("source_file")[0].as_py(), found.column("source_row")[0].as_py())
    return replace(_value_of(found, edit["field"]), read_in=archived, place=place)


def _mapped(workspace: Workspace, upload: Upload, table: str, *, without: int) -> pa.Table:
    """Return what an upload makes of a table, with all edits in force but the one with the number `without`."""
    validated: dict[str, pa.Table] = {}
    for file in upload.format.files:
        others = {name: validated[name] for name in references_of(file, upload.format)}
        validated[file.name] = validate_member(workspace, upload, file.name, others)
    state = read_roster_snapshot_info(workspace, upload)
    kept = [known for known in state.overrides if known["override_id"] != without]
    sources = {name: validated[name] for name in files_for(upload.vendor, table)}
    return map_roster_table(workspace, upload, table, sources, replace(state, overrides=kept))


def _value_of(row: pa.Table, field: str) -> SourceValue:
    (value,) = as_text(row.column(field).combine_chunks()).to_pylist()
    return SourceValue(value=value, derived=field in json.loads(row.column("derived")[0].as_py() or "[]"))
