"""Remove personal data for good: a person, a whole district, or everything older than an age.

Landing zones belong to the districts and are not changed.
"""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from roster_etl.canonical.roster import TABLES, USER_KINDS
from roster_etl.engine.csv.erase_person import PersonIdentifiers, erase_person, erase_person_lines
from roster_etl.engine.csv.header_match import match_header
from roster_etl.engine.csv.reader import read_csv
from roster_etl.mapping.column_plan import Const
from roster_etl.pipeline.lifecycle.close_superseded_holds import close_holds, close_named_holds
from roster_etl.pipeline.lifecycle.crashed_imports import fail_orphans_under_lock
from roster_etl.pipeline.lifecycle.import_lifecycle import lock_out_purges, open_claimed_import, release_import
from roster_etl.pipeline.lifecycle.manifest import finalize_manifest, refresh_manifest
from roster_etl.pipeline.maintenance.rebuild_feeds import feeds_checkpoint
from roster_etl.pipeline.one_connection import on_one_connection
from roster_etl.pipeline.reconciliation.decisions import rewrite_decisions
from roster_etl.pipeline.reconciliation.person_ids import persons_without
from roster_etl.pipeline.reconciliation.reconcile import try_reconcile_published
from roster_etl.pipeline.reporting.import_summary import data_docs_path, read_import_summary, report_path
from roster_etl.pipeline.reporting.receipts.issue import try_issue_receipts
from roster_etl.pipeline.reporting.report_files import write_report
from roster_etl.pipeline.workspace import Workspace
from roster_etl.spec import Column, Family, File, ListOf
from roster_etl.spec.errors import PermanentError, RetryableError
from roster_etl.spec.findings import mask
from roster_etl.store.fault_injection import fault_point
from roster_etl.store.warehouse import KEPT_BY_PURGE, AuditEntry, ImportResult, PurgeScope
from roster_etl.vendors import Vendor, vendor

_ID_COLUMNS = frozenset({"user_id", "observer_id", "student_id", "associated_user_id", "contact_user_id", "old_id", "new_id"})
_SHARED_ID_KINDS = ("student", "user")


class NothingToPurge(PermanentError):
    """Nothing of the district was ever imported."""

    code = "nothing_to_purge"
    template = "nothing of {district_id} was ever imported"


class NobodyToPurge(PermanentError):
    """The user to remove is in no version and in no archived file."""

    code = "nobody_to_purge"
    template = (
        "nothing of {user} is in {district_id}: no version is about them, and no archived file names them; nothing was changed"
    )


class ImportUnderWay(RetryableError):
    """A running import blocks the purge."""

    code = "import_under_way"
    template = "import {import_id} of {district_id} is under way; purge when it has ended, and pause the district until then"


class UploadsWait(RetryableError):
    """Pending uploads block the purge: their import would bring the removed data back."""

    code = "uploads_wait"
    template = "uploads of {district_id} ({sources}) wait for their turn; let them be imported, then purge"


@dataclass(frozen=True, kw_only=True)
class PurgeResult:
    """The result of a purge.

    ``imports``: its number in the ledger, one per feed; ``versions``: rows of histories by table; ``records``: records of
    archived files;
    ``files``: objects of the archive that were rewritten or deleted; ``holds``: held imports that can no longer be approved.
    """

    district_id: str
    what: str
    imports: tuple[int, ...]
    versions: Mapping[str, int]
    records: int
    files: int
    holds: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class _ArchiveChanges:
    """Changes to the archive. ``changed``: import → members with new keys; ``dropped``: keys without references."""

    changed: Mapping[int, list[dict[str, Any]]]
    dropped: frozenset[str]
    locations: frozenset[tuple[int, str, int]] = frozenset()


@dataclass(frozen=True, kw_only=True)
class PurgeTarget:
    """What to remove of a district: one ``person`` (kind and id), what ended longer than ``age`` ago, or, without both, everything."""

    district_id: str
    person: tuple[str, str] | None = None
    age: timedelta | None = None

    @property
    def what(self) -> str:
        """The kind of purge, as the ledger and the audit name it."""
        return "user" if self.person else "district" if self.age is None else "older"


def purge(workspace: Workspace, target: PurgeTarget, *, by: str, now: datetime | None = None) -> PurgeResult:
    """Remove `target` for good, from warehouse, archive, staging and reports; the ledger keeps the imports and their numbers.

    Of a person: all versions about them, findings and quarantined rows of their records, their records in the archive. By age: what was
    closed before, with uploads and findings of that time, but for the newest published upload of each feed.
    Raises: NobodyToPurge, before an import is opened for it; NothingToPurge, ImportUnderWay, UploadsWait.
    """
    with lock_out_purges(workspace, target.district_id), _purge_imports(workspace, target, by) as numbers:
        removal, archived = _scope(workspace, target, tuple(numbers), frozenset(numbers.values()), now, store=True)
        about = {} if removal.before is None else {"age": str(target.age), "before": removal.before.isoformat()}
        return _execute_purge(workspace, numbers, target.what, by, removal, archived, **about)


def preview_purge(workspace: Workspace, target: PurgeTarget, *, by: str, now: datetime | None = None) -> PurgeResult:
    """Return what `purge` would remove, with ``imports`` empty; nothing is changed. Raises NobodyToPurge, NothingToPurge."""
    entry = AuditEntry(action="purge", who=by, district_id=target.district_id, about={"what": target.what})
    with workspace.warehouse.attempt(entry):
        sources = workspace.warehouse.ledger.sources(target.district_id)
        if not sources:
            raise NothingToPurge(district_id=target.district_id)
        if target.person is not None:
            _require_mentioned(workspace, target.district_id, *target.person)
    removal, archived = _scope(workspace, target, tuple(sources), frozenset(), now, store=False)
    return PurgeResult(
        district_id=target.district_id,
        what=target.what,
        imports=(),
        versions=workspace.warehouse.count_purge(removal),
        records=len(archived.locations),
        files=len(archived.dropped),
        holds=tuple(
            hold["import_id"]
            for hold in reversed(workspace.warehouse.ledger.holds(target.district_id))
            if _is_void(hold, removal)
        ),
    )


def _is_void(hold: Mapping[str, Any], removal: PurgeScope) -> bool:
    """Return whether a purge makes a hold invalid (`_close_void_holds`)."""
    outlasts = vendor(hold["source"]).format.mode == "changes" and "undoes" not in (hold["summary"] or {})
    return not outlasts or hold["import_id"] in removal.imports


def _scope(
    workspace: Workspace,
    target: PurgeTarget,
    sources: Collection[str],
    own: frozenset[int],
    now: datetime | None,
    *,
    store: bool,
) -> tuple[PurgeScope, _ArchiveChanges]:
    """Return what to remove from the warehouse and from the archive.

    Args: own: the imports of the purge itself; store: put the archived files without the person into the archive.
    """
    district_id = target.district_id
    if target.person is not None:
        kind, user_id = target.person
        values = workspace.warehouse.ledger.person_values(district_id, kind, user_id)
        person = PersonIdentifiers(ids=frozenset({user_id}), values=values)
        archived = _scrub_archive(workspace, district_id, kind, person, store=store)
        with workspace.warehouse.read_people() as session:
            persons = persons_without(session, district_id, kind, user_id)
        removal = PurgeScope(
            district_id=district_id,
            person=target.person,
            values=values,
            persons=persons,
            locations=archived.locations,
            masked=mask(user_id),
        )
        return removal, archived
    rows = workspace.warehouse.ledger.imports(district_id)
    if target.age is None:
        everything = frozenset(row["import_id"] for row in rows) - own
        return PurgeScope(district_id=district_id, imports=everything), _without_uploads(workspace, district_id, everything)
    before = (now or datetime.now(UTC)) - target.age
    sets = [(source, one.name) for source in sources for one in vendor(source).format.file_sets]
    last = [workspace.warehouse.roster.last_published(district_id, source, "upload", file_set=name) for source, name in sets]
    ended = {row["import_id"] for row in rows if row["finished_at"] and row["finished_at"] < before}
    old = frozenset(ended - {row["import_id"] for row in last if row})
    return PurgeScope(district_id=district_id, before=before, imports=old), _without_uploads(workspace, district_id, old)


@contextmanager
def _purge_imports(workspace: Workspace, target: PurgeTarget, by: str) -> Iterator[dict[str, int]]:
    """Open an import of kind ``purge`` for each feed, for the block. The feed's next import fails one that was interrupted."""
    district_id = target.district_id
    with workspace.warehouse.attempt(AuditEntry(action="purge", who=by, district_id=district_id, about={"what": target.what})):
        workspace.warehouse.ensure_purgeable()
        if target.person is not None:
            _require_known_person(workspace, district_id, *target.person)
        numbers = _open_purge_imports(workspace, district_id)
        try:
            fault_point("purge.opened")
            yield numbers
        finally:
            for number in numbers.values():
                release_import(workspace, number)


def _open_purge_imports(workspace: Workspace, district_id: str) -> dict[str, int]:
    """Open an import of kind ``purge`` for each feed; return the numbers. Raises NothingToPurge, ImportUnderWay, UploadsWait."""
    numbers = {}
    with workspace.import_locks.exclusive():
        for source in _idle_feeds(workspace, district_id):
            numbers[source] = open_claimed_import(workspace, district_id, source, kind="purge", started_at=datetime.now(UTC))
    return numbers


def _idle_feeds(workspace: Workspace, district_id: str) -> list[str]:
    """Return the feeds of a district if none has a running import; the caller's exclusive lock blocks new imports.

    Raises: NothingToPurge, ImportUnderWay, UploadsWait.
    """
    warehouse = workspace.warehouse
    sources = warehouse.ledger.sources(district_id)
    if not sources:
        raise NothingToPurge(district_id=district_id)
    fail_orphans_under_lock(workspace, district_id)
    if waiting := [source for source in sources if workspace.archive.pending_uploads(district_id, source)]:
        raise UploadsWait(district_id=district_id, sources=", ".join(waiting))
    if running := [row for row in warehouse.ledger.imports(district_id) if row["status"] == "running"]:
        raise ImportUnderWay(import_id=running[0]["import_id"], district_id=district_id)
    return sources


def _require_known_person(workspace: Workspace, district_id: str, kind: str, user_id: str) -> None:
    """Check that the user exists: purging a mistyped ID would close every feed's holds, and look like a removal.

    After an interrupted purge, a user whose removal is not complete counts as existing.
    Raises: NobodyToPurge; NothingToPurge, ImportUnderWay, UploadsWait.
    """
    with workspace.import_locks.exclusive():
        _idle_feeds(workspace, district_id)
    _require_mentioned(workspace, district_id, kind, user_id)


def _require_mentioned(workspace: Workspace, district_id: str, kind: str, user_id: str) -> None:
    """Check that a version, an edit or an archived file names the user. Raises NobodyToPurge."""
    if (
        workspace.warehouse.ledger.mentions_person(district_id, kind, user_id)
        or district_id in workspace.archive.pending_removals()
    ):
        return
    person = PersonIdentifiers(ids=frozenset({user_id}), values=frozenset())
    for import_id in workspace.archive.manifests(district_id):
        document = workspace.archive.read_manifest(district_id, import_id)
        for member in document.get("members", []):
            if member["key"] and member["kind"] and _erase_person(workspace, document, member, kind, person) is not None:
                return
    raise NobodyToPurge(user=f"{kind if kind in USER_KINDS else mask(kind)}:{mask(user_id)}", district_id=district_id)


def _execute_purge(
    workspace: Workspace,
    numbers: Mapping[str, int],
    what: str,
    by: str,
    removal: PurgeScope,
    archive_changes: _ArchiveChanges,
    **about: str,
) -> PurgeResult:
    """Remove from the warehouse, then bring the manifests up to date, then delete the objects that nothing refers to any more."""
    district_id = removal.district_id
    workspace.archive.begin_removal(
        district_id, archive_changes.dropped | _checkpoints(workspace, district_id), archive_changes.changed
    )
    fault_point("purge.scrubbed")
    done = datetime.now(UTC)
    details = {"what": what, "imports": list(numbers.values()), **about}
    entry = AuditEntry(action="purge", who=by, district_id=district_id, import_id=min(numbers.values()), about=details)
    sizes = {"records": len(archive_changes.locations), "files": len(archive_changes.dropped)}

    def conclusions(counts: dict[str, int]) -> list[ImportResult]:
        ended = [
            _conclusion(workspace, district_id, s, n, done, {"what": what, "by": by, **sizes, **about, "versions": counts})
            for s, n in numbers.items()
        ]
        return [replace(ended[0], entries=[entry]), *ended[1:]]

    counts = workspace.warehouse.purge(removal, conclusions)
    rewrite_decisions(workspace, district_id)
    for source in numbers:
        try_reconcile_published(workspace, district_id, source)
    _close_void_holds(workspace, district_id, numbers, removal.imports, done)
    _finalize_manifests(workspace, district_id, numbers)
    _remove_bytes(workspace, district_id, numbers.values(), what)
    holds = _holds_closed_by(workspace, district_id, numbers.values())
    return PurgeResult(district_id=district_id, what=what, imports=tuple(numbers.values()), versions=counts, holds=holds, **sizes)


def _remove_bytes(workspace: Workspace, district_id: str, numbers: Iterable[int], what: str) -> None:
    """Remove the files that nothing refers to any more, write reports and receipts anew, and end the removal."""
    fault_point("purge.settled")
    workspace.archive.remove_unreferenced(workspace.archive.pending_removal(district_id)["keys"])
    fault_point("purge.bytes")
    workspace.frames.drop_district(district_id)
    _reports(workspace, district_id, remove=what == "district")
    workspace.archive.remove_outcomes(district_id)
    for number in numbers:
        try_issue_receipts(workspace, read_import_summary(workspace, number))
    workspace.archive.end_removal(district_id)


def _holds_closed_by(workspace: Workspace, district_id: str, numbers: Iterable[int]) -> tuple[int, ...]:
    """Return the imports whose holds were closed by imports `numbers`, according to the ledger."""
    by = {f"import {number}" for number in numbers}
    holds = workspace.warehouse.ledger.holds(district_id, undecided=False)
    return tuple(sorted(hold["import_id"] for hold in holds if hold["decided_by"] in by))


def _close_void_holds(
    workspace: Workspace, district_id: str, numbers: Mapping[str, int], emptied: Collection[int], at: datetime
) -> None:
    """Close the holds that a purge makes invalid: plans of snapshots and undos, and uploads whose bytes are gone."""
    for source, number in numbers.items():
        close_holds(workspace, (district_id, source), number, at)
    for source, number in numbers.items():
        void = [
            hold["import_id"] for hold in workspace.warehouse.ledger.holds(district_id, source) if hold["import_id"] in emptied
        ]
        with workspace.warehouse.write() as tx:
            close_named_holds(tx, void, number, at)


def _conclusion(
    workspace: Workspace, district_id: str, source: str, number: int, at: datetime, purge_summary: Mapping[str, Any]
) -> ImportResult:
    """Build the result of a purge: the columns of past uploads stay known, the last content no longer counts as published."""
    last = workspace.warehouse.roster.last_published(district_id, source, file_set="") or {}
    known = {name: value for name, value in (last.get("summary") or {}).items() if name in KEPT_BY_PURGE}
    summary = {"changes": {}, "purge": purge_summary, **({} if purge_summary["what"] == "district" else known)}
    return ImportResult(import_id=number, status="published", finished_at=at, summary=summary)


def _checkpoints(workspace: Workspace, district_id: str) -> set[str]:
    """Return the keys of the roster checkpoints that earlier purges stored."""
    documents = (workspace.archive.read_manifest(district_id, number) for number in workspace.archive.manifests(district_id))
    return {key for document in documents for key in document.get("checkpoint", {}).values()}


@on_one_connection
def _finalize_manifests(workspace: Workspace, district_id: str, numbers: Mapping[str, int]) -> None:
    """Bring every manifest up to date with the ledger, and store a checkpoint of the remaining roster with the newest."""
    changed = workspace.archive.pending_removal(district_id)["members"]
    for import_id in workspace.archive.manifests(district_id):
        document = workspace.archive.read_manifest(district_id, import_id)
        members = changed.get(str(import_id), document.get("members", []))
        finalize_manifest(workspace, district_id, import_id, members=members, checkpoint={}, overrides=[])
    feeds = feeds_checkpoint(workspace, district_id)
    for source, number in numbers.items():
        refresh_manifest(workspace, read_import_summary(workspace, number))
        versions = {name: workspace.warehouse.ledger.all_versions(district_id, source, name) for name in TABLES}
        versions |= feeds if number == min(numbers.values()) else {}  # links and differences are the district's, not a feed's
        checkpoint = {name: workspace.archive.put_table(rows) for name, rows in versions.items() if rows.num_rows}
        edits = [
            {name: value.isoformat() if isinstance(value, datetime) else value for name, value in row.items()}
            for row in workspace.warehouse.roster.overrides(district_id, source, ended=True)
        ]
        finalize_manifest(workspace, district_id, number, checkpoint=checkpoint, overrides=edits)


def _reports(workspace: Workspace, district_id: str, *, remove: bool) -> None:
    """Rewrite the reports of the district, or delete them."""
    kept = set(workspace.archive.reports(district_id))
    workspace.archive.remove_reports(district_id)
    for row in workspace.warehouse.ledger.imports(district_id):
        page = report_path(workspace, district_id, row["import_id"])
        if not remove and (page.exists() or row["import_id"] in kept):
            write_report(workspace, read_import_summary(workspace, row["import_id"]))
        elif page.exists():
            for kind in (".html", ".json", ".csv"):
                page.with_suffix(kind).unlink(missing_ok=True)
            shutil.rmtree(data_docs_path(workspace, district_id, row["import_id"]).parent, ignore_errors=True)


# ---- archive


def _without_uploads(workspace: Workspace, district_id: str, imports: Iterable[int]) -> _ArchiveChanges:
    """Return the manifests of `imports` without the bytes of their uploads."""
    changed, dropped = {}, set()
    for import_id in sorted(set(imports) & set(workspace.archive.manifests(district_id))):
        members = _members(workspace, district_id, import_id)
        dropped |= {member["key"] for member in members if member["key"]}
        changed[import_id] = [{**member, "key": None} for member in members]
    return _ArchiveChanges(changed=changed, dropped=frozenset(dropped))


def _scrub_archive(
    workspace: Workspace, district_id: str, kind: str, person: PersonIdentifiers, *, store: bool
) -> _ArchiveChanges:
    """Rewrite every archived file of the district that has the person; the manifests follow after the warehouse.

    Args: store: False: only find the files and records.
    """
    changed, dropped, places = {}, set(), set()
    for import_id in workspace.archive.manifests(district_id):
        document = workspace.archive.read_manifest(district_id, import_id)
        members = []
        for member in _members(workspace, district_id, import_id):
            found = _erase_person(workspace, document, member, kind, person) if member["key"] and member["kind"] else None
            if found is not None:
                cleaned, rows = found
                key = workspace.archive.put(cleaned, original_sha256=member["sha256"]).key if store else None
                dropped.add(member["key"])
                places |= {(import_id, member["name"], row) for row in rows}
                member = {**member, "key": key}  # noqa: PLW2901 - the member as it is from now on
            members.append(member)
        changed[import_id] = members
    return _ArchiveChanges(changed=changed, dropped=frozenset(dropped), locations=frozenset(places))


def _members(workspace: Workspace, district_id: str, import_id: int) -> list[dict[str, Any]]:
    """Return the files of an import; after an interrupted purge, those that it had rewritten."""
    rewritten: list[dict[str, Any]] | None = workspace.archive.pending_removal(district_id)["members"].get(str(import_id))
    return rewritten or workspace.archive.read_manifest(district_id, import_id).get("members", [])


def _erase_person(
    workspace: Workspace, document: Mapping[str, Any], member: Mapping[str, Any], kind: str, person: PersonIdentifiers
) -> tuple[bytes, tuple[int, ...]] | None:
    """Return the bytes of a file without the person, and the emptied records; None: the person is not in it."""
    content = workspace.archive.get(member["key"])
    facts = vendor(document["source"])
    file = facts.format.file(member["kind"])
    encoding = document["options"].get("encoding", "utf-8")
    raw = read_csv(content, encoding=encoding)
    own, mentions = _positions(facts, file, raw.header, kind)
    lists = _list_positions(file, raw.header)
    scrubbed = erase_person(
        content, person, own_columns=own, mention_columns=mentions, list_columns=mentions & lists, encoding=encoding
    )
    cleaned = erase_person_lines(scrubbed.content, person) if raw.refused or raw.damaged else scrubbed.content
    return None if cleaned == content else (cleaned, scrubbed.rows)


def _positions(facts: Vendor, file: File, header: tuple[str, ...], kind: str) -> tuple[set[int], set[int]]:
    """Return the positions of columns with IDs of users of `kind`: in the record's own key, and elsewhere."""
    matched = match_header(header, file)
    ids = id_columns(facts, kind).get(file.name, set())
    names = {name for name in matched.positions if name in ids}
    names |= {name for pattern, members in matched.families.items() if pattern in ids for name in members}
    about = {*file.key, *(column.name for column in file.columns if column.purge_with_person)}
    own = {matched.positions[name] for name in names & about}
    return own, {matched.positions[name] for name in names} - own


def _list_positions(file: File, header: tuple[str, ...]) -> set[int]:
    """Return the positions of columns whose cells are lists."""
    lists = {column.name for column in file.columns if isinstance(column.cell_format, ListOf)}
    return {place for name, place in match_header(header, file).positions.items() if name in lists}


def id_columns(facts: Vendor, kind: str) -> dict[str, set[str]]:
    """Return, by file, a format's columns (and patterns of numbered ones) with IDs of users of `kind`, from its mappings."""
    found: dict[str, set[str]] = {file.name: set() for file in facts.format.files}
    for mapping in facts.mappings:
        named = mapping.columns.get("user_kind")
        if (isinstance(named, Const) and named.value != kind) or (named is None and kind not in _SHARED_ID_KINDS):
            continue
        for target, origins in mapping.lineage().items():
            for name, column in origins if target in _ID_COLUMNS else ():
                found[name].add(column)
    for file in facts.format.files:
        every: tuple[Column | Family, ...] = (*file.columns, *file.families)
        for declared in every:
            known = declared.references
            if known and known.column in found.get(known.file, set()):
                found[file.name].add(declared.pattern if isinstance(declared, Family) else declared.name)
    return found
