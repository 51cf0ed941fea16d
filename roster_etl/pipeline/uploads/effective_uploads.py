"""Find the uploads of a feed that still count, from which files go on to later ones."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any

from roster_etl.pipeline.uploads.upload import Member, Upload
from roster_etl.pipeline.workspace import Workspace
from roster_etl.spec.errors import ArchiveError

_RECENT = 100  # imports of a feed that are read at first, so that the usual cost does not grow with its history


def effective_uploads(workspace: Workspace, upload: Upload) -> Iterator[tuple[int, tuple[Member, ...]]]:
    """Yield the imports of the feed that are published or held, newest first, each with its files, without those that were undone.

    Held ones count, so that nothing of them is lost: an upload that follows a held one includes it, and is held too.
    """
    seen: set[int] = {upload.import_id}
    for limit in (_RECENT, None):
        with workspace.warehouse.read() as session:
            rows = session.ledger.imports(upload.district_id, upload.source, None, limit, upload.file_set)
        counted = {row["import_id"] for row in without_undone(row for row in rows if row["status"] == "published")}
        for row in rows:
            number = int(row["import_id"])
            if row["kind"] != "upload" or number in seen or not (row["status"] == "held" or number in counted):
                continue
            seen.add(number)
            with suppress(ArchiveError):  # its manifest is older than the archive keeps
                document = workspace.archive.read_manifest(upload.district_id, number)
                yield number, tuple(Member(**member) for member in document["members"])
        if len(rows) < _RECENT:
            return


def without_undone(rows: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """Yield the imports in `rows` (published, newest first) that still count. Reads no more rows than its caller asks for."""
    undone: set[int] = set()
    for row in rows:
        if row["import_id"] in undone:
            continue
        undone.update((row["summary"] or {}).get("undoes", ()))
        yield row
