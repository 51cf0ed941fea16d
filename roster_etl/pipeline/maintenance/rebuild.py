"""Rebuild a district: replay the manifests of its archive into a warehouse that has no data of the district.

The pipeline's steps run with the original numbers, times, settings and decisions from the manifests.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import pyarrow as pa

from roster_etl.frames.arrow import FINDINGS
from roster_etl.pipeline.import_upload import ProgressCallback, run_steps
from roster_etl.pipeline.maintenance.rebuild_feeds import ReplayedFeeds, restore_feeds
from roster_etl.pipeline.reporting.receipts.rebuild import restore_receipt_rows
from roster_etl.pipeline.review import override, renames, undo
from roster_etl.pipeline.review.cleared_edits import SourceValue
from roster_etl.pipeline.staging import staging_of
from roster_etl.pipeline.uploads.upload import Upload
from roster_etl.pipeline.workspace import Workspace
from roster_etl.spec.errors import PermanentError
from roster_etl.store.archive import Archive
from roster_etl.store.fault_injection import fault_point
from roster_etl.store.files.temp_folders import scratch_folder
from roster_etl.store.registry.registry import District, Feed, Gate, Registry
from roster_etl.store.settings import Settings
from roster_etl.store.warehouse import AuditEntry, Connection, ImportResult, TableChange, Warehouse, WriteSession

Document = dict[str, Any]
_DECISIONS = {"published": "publish", "discarded": "held"}


class WarehouseNotEmpty(PermanentError):
    """The target warehouse already has data of the district."""

    code = "not_empty"
    template = "{url} has {imports} imports of {district_id} already; name an empty warehouse with --to"


class NothingArchived(PermanentError):
    """The archive has nothing from which to rebuild the district."""

    code = "nothing_archived"
    template = "the archive has no manifest of {district_id}"


class CannotReplay(PermanentError):
    """A manifest is of a kind that this version cannot replay."""

    code = "cannot_replay"
    template = "import {import_id} of {district_id} cannot be replayed: {problem}"


@dataclass(frozen=True, kw_only=True)
class RebuildResult:
    """The result of a rebuild. ``differs``: imports whose plan differs from the original one."""

    district_id: str
    imports: int
    published: int
    differs: tuple[int, ...] = ()


def rebuild_district(
    workspace: Workspace, district_id: str, url: str, on_progress: ProgressCallback = lambda _: None
) -> RebuildResult:
    """Replay the archive of a district into the warehouse at `url`, which is migrated if it is empty.

    Imports keep their numbers and times; versions get new numbers. Raises: WarehouseNotEmpty, NothingArchived, CannotReplay,
    ArchiveError: bytes or manifests are missing or damaged; WarehouseError.
    """
    every = [workspace.archive.read_manifest(district_id, number) for number in workspace.archive.manifests(district_id)]
    documents = [document for document in every if document.get("status") != "running"]
    if not documents:
        raise NothingArchived(district_id=district_id)
    _require_replayable(documents)
    differs = []
    with ExitStack() as opened:
        folder = opened.enter_context(scratch_folder(workspace.settings.scratch))
        replay = opened.enter_context(_open_replay(workspace, url, folder))
        replay.warehouse.migrate()
        opened.enter_context(replay.warehouse.keep_connection())
        if known := replay.warehouse.ledger.imports(district_id):
            raise WarehouseNotEmpty(url=replay.warehouse.url, imports=len(known), district_id=district_id)
        feeds = ReplayedFeeds(replay, workspace, district_id, documents)
        for document in sorted(documents, key=_replay_order):
            feeds.take_decisions(until=_replay_order(document)[0])
            if not REPLAYS[document["ledger"]["kind"]](replay, document):
                differs.append(int(document["import_id"]))
            feeds.compare(document)
            fault_point("rebuild.import")
            on_progress(f"import {document['import_id']}")
        feeds.end()
        restore_receipt_rows(replay.warehouse, workspace.archive, district_id)
    published = sum(document["status"] == "published" for document in documents)
    return RebuildResult(district_id=district_id, imports=len(documents), published=published, differs=tuple(differs))


def _require_replayable(documents: Sequence[Document]) -> None:
    for document in documents:
        problem = "its manifest was written by an earlier version" if "ledger" not in document else None
        if problem is None and document["ledger"]["kind"] not in REPLAYS:
            problem = f"imports of kind {document['ledger']['kind']} are not known"
        elif problem is None and document["ledger"]["kind"] == "override" and not _is_complete(document):
            problem = "its manifest does not say what was edited, or renamed"
        if problem:
            raise CannotReplay(import_id=document["import_id"], district_id=document["district_id"], problem=problem)


def _is_complete(document: Document) -> bool:
    """Return whether a manifest of kind ``override`` has everything needed to replay it, or needs no replay."""
    needed = "edit" in document or "pairs" in document.get("renames", {})
    return needed or bool(document.get("settled")) or document["status"] != "published"


def _replay_order(document: Document) -> tuple[str, int]:
    """Sort key: the order in which imports ended. An import was planned against the roster that those before it had published."""
    return document["ledger"]["finished_at"] or document["ledger"]["started_at"], int(document["import_id"])


def _open_replay(workspace: Workspace, url: str, folder: Path) -> ReplayWorkspace:
    settings = replace(workspace.settings, warehouse=url, staging=str(folder / "staging"), districts=str(folder / "districts"))
    return ReplayWorkspace(settings)


# ---- one import


def replay_upload(replay: ReplayWorkspace, document: Document) -> bool:
    """Replay the import of an upload. Returns whether its plan is the original one."""
    replay.begin_again(document["ledger"])
    same = True
    if document["walked"]:
        upload = _received_upload(replay, document)
        with replay.replay_context(document):
            planned, _ = run_steps(replay, upload)
        same = bool(document.get("purged")) or _plain(planned.tables) == document["ledger"]["summary"].get("plan")
        replay.frames.drop(upload.district_id, upload.import_id)
    replay.end_again(document)
    return same


def replay_override(replay: ReplayWorkspace, document: Document) -> bool:
    """Replay a steward's edit, or an approval of renames."""
    replay.begin_again(document["ledger"])
    if document.get("settled") or document["status"] != "published":
        pass
    elif "edit" in document:
        _replay_edit(replay, document)
    else:
        renames.reapply_renames(replay, (document["district_id"], document["source"]), document["renames"])
    replay.end_again(document)
    return True


def _replay_edit(replay: ReplayWorkspace, document: Document) -> None:
    edit = document["edit"]
    target = override.Target(
        district_id=document["district_id"],
        source=document["source"],
        table=edit["table"],
        key=json.loads(edit["key"]),
        field=edit["field"],
    )
    if edit["begins"]:
        override.reapply_override(replay, target, edit["value"], edit["by"])
    else:
        restored = SourceValue(**edit["restored"]) if "restored" in edit else None
        override.reclear_override(replay, target, restored, edit["by"])


def replay_undo(replay: ReplayWorkspace, document: Document) -> bool:
    """Replay an undo, as far as it got. Returns whether its plan is the original one."""
    replay.begin_again(document["ledger"])
    same = True
    if document["walked"]:
        planned = undo.reapply_undo(replay, document["ledger"])
        same = _plain(planned) == document["ledger"]["summary"].get("plan")
    replay.end_again(document)
    return same


def replay_purge(replay: ReplayWorkspace, document: Document) -> bool:
    """Restore the checkpoint that a purge stored: after a purge, the history cannot be derived from the bytes alone."""
    replay.begin_again(document["ledger"])
    checkpoint = {name: replay.archive.get_table(key) for name, key in document.get("checkpoint", {}).items()}
    tables = restore_feeds(replay, document["district_id"], checkpoint)
    with replay.warehouse.write(directly=True) as session:
        session.restore_versions(tables, document.get("overrides", []))
    replay.end_again(document)
    return True


REPLAYS: dict[str, Callable[[ReplayWorkspace, Document], bool]] = {
    "upload": replay_upload,
    "override": replay_override,
    "undo": replay_undo,
    "purge": replay_purge,
}
"""The replay function of each kind of import."""


def _received_upload(replay: ReplayWorkspace, document: Document) -> Upload:
    """Return the upload as it was after it was received, and stage the findings from that step."""
    upload = Upload.from_dict({name: document[name] for name in _UPLOAD_FIELDS if name in document})
    upload = replace(upload, decided=_DECISIONS.get(document["status"], document["status"]), ended=None)
    unarchived = {name: pa.Table.from_pylist(rows, schema=FINDINGS) for name, rows in document["unkept"].items()}
    staging_of(replay, upload).write_receive_findings(pa.Table.from_pylist(document["door"], schema=FINDINGS), unarchived)
    return upload


_UPLOAD_FIELDS = tuple(Upload.__dataclass_fields__)


def _plain(tables: Mapping[str, Any]) -> Any:
    return json.loads(json.dumps(tables))


# ---- workspace of a replay


@dataclass(frozen=True)
class ReplayWorkspace(Workspace):
    """A workspace that reads the archive, and writes the replayed imports to another warehouse."""

    signs_receipts = False
    settings: Settings
    current_documents: list[Document] = field(default_factory=list)
    ledger_rows: list[Mapping[str, Any]] = field(default_factory=list)

    @cached_property
    def archive(self) -> Archive:
        """The archive, read-only."""
        return _ReadOnlyArchive(self.settings.archive)

    @cached_property
    def registry(self) -> Registry:
        """The registry as it was at the import being replayed."""
        return _RegistryAtImport(self)

    @cached_property
    def warehouse(self) -> Warehouse:
        """The target warehouse."""
        return Warehouse(self.settings.warehouse, open_writer=lambda connection: _ReplayWriter(connection, self))

    @property
    def entered(self) -> Mapping[str, Any]:
        """The original ledger row of the import being replayed."""
        return self.ledger_rows[-1]

    @property
    def finished_at(self) -> datetime.datetime:
        """When the import being replayed ended."""
        return datetime.datetime.fromisoformat(self.entered["finished_at"] or self.entered["started_at"])

    def begin_again(self, row: Mapping[str, Any]) -> None:
        """Open an import with its original number and times."""
        self.ledger_rows[:] = [row]
        with self.warehouse.write(directly=True) as session:
            session.restore_import(row)

    def end_again(self, document: Mapping[str, Any]) -> None:
        """Record the original end of the import."""
        with self.warehouse.write(directly=True) as session:
            session.restore_end(
                document["ledger"],
                files=document["files"],
                checks=document["checks"],
                hold=document["hold"],
                findings=document.get("findings"),
                rejected=document.get("rejected"),
            )

    def replay_context(self, document: Document) -> _CurrentReplay:
        """Set `document` as the import being replayed, for the block."""
        return _CurrentReplay(self, document)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.warehouse.close()


class _CurrentReplay:
    """The import being replayed, for the registry of that time."""

    def __init__(self, replay: ReplayWorkspace, document: Document) -> None:
        self._replay, self._document = replay, document

    def __enter__(self) -> None:
        self._replay.current_documents.append(self._document)

    def __exit__(self, *_: object) -> None:
        self._replay.current_documents.clear()


class _ReadOnlyArchive(Archive):
    """An archive whose manifests are never rewritten."""

    def write_manifest(self, district_id: str, import_id: int, document: Mapping[str, Any]) -> str:
        """Leave the manifest unchanged."""
        return ""


class _RegistryAtImport(Registry):
    """A registry with one district, with the settings in the manifest."""

    def __init__(self, replay: ReplayWorkspace) -> None:
        super().__init__(replay.settings.districts)
        self._replay = replay

    def get(self, district_id: str) -> District:
        """Return the district as it was."""
        (document,) = self._replay.current_documents
        gates = tuple(Gate(**{**gate, "date": datetime.date.fromisoformat(gate["date"])}) for gate in document["gates"])
        return District(id=district_id, feeds=(Feed(format=document["source"], gates=gates),))


class _ReplayWriter(WriteSession):
    """Ends the import that the replay opened at its original time."""

    def __init__(self, connection: Connection, replay: ReplayWorkspace) -> None:
        super().__init__(connection)
        self._replay = replay

    def open_import(self, **_: Any) -> int:
        """Return the original number, under which the import is already open."""
        return int(self._replay.entered["import_id"])

    def conclude(self, conclusion: ImportResult) -> None:
        """End the import at its original time."""
        super().conclude(self._as_then(conclusion))

    def publish(
        self, conclusion: ImportResult, changes: Mapping[str, TableChange], base: int | None, *, approved_by: str | None = None
    ) -> None:
        """Publish at the original time."""
        super().publish(self._as_then(conclusion), changes, base, approved_by=approved_by)

    def supersede_holds(self, *_: Any, **__: Any) -> list[int]:
        """Leave holds unchanged: each is replayed from its own manifest."""
        return []

    def append_audit(self, *_: AuditEntry) -> None:
        """Write no audit entry: the original decision was recorded at its time."""

    def _as_then(self, conclusion: ImportResult) -> ImportResult:
        return replace(conclusion, finished_at=self._replay.finished_at, entries=[])
