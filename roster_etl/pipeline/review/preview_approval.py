"""Preview a partial approval: the plan of a held import without the excluded removals and with the approved renames."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from roster_etl.pipeline.reporting.import_summary import outcome
from roster_etl.pipeline.review.dry_run import check_upload
from roster_etl.pipeline.steps.exclusions import parse_exclusions, require_effective_exclusions
from roster_etl.pipeline.workspace import Workspace
from roster_etl.store.files.temp_folders import scratch_folder


def preview_approval(
    workspace: Workspace, import_id: int, leave_out: Sequence[str], renames: Sequence[str] = ()
) -> dict[str, Any]:
    """Return what publishing held import `import_id` would do, as the document of ``check``.

    `leave_out` are the removals to leave out, `renames` the renames to approve (``all``, the number of a proposal, or
    ``OLD=NEW``).
    Raises: BadLeaveOut, NothingLeftOut, BadRename, UnknownImport; ArchiveError: the archived bytes are missing.
    """
    parse_exclusions(leave_out)
    require_effective_exclusions(leave_out, outcome(workspace, import_id)["plan"] if leave_out else {}, import_id)
    row = workspace.warehouse.ledger.import_(import_id)
    with scratch_folder(workspace.settings.scratch) as folder:
        upload = zip_archived_files(workspace, row["district_id"], import_id, folder)
        return check_upload(
            workspace,
            str(upload),
            row["source"],
            district_id=row["district_id"],
            options=row["options"] or {},
            leave_out=tuple(leave_out),
            renames=tuple(renames),
        )


def zip_archived_files(workspace: Workspace, district_id: str, import_id: int, folder: Path) -> Path:
    """Return a zip in `folder` with the archived files of an upload, under their original names."""
    manifest = workspace.archive.read_manifest(district_id, import_id)
    path = folder / "upload.zip"
    with zipfile.ZipFile(path, "w") as packed:
        for member in manifest["members"]:
            if member["key"]:
                packed.writestr(member["name"], workspace.archive.get(member["key"]))
    return path
