"""What the steps of an import leave for each other in the staging area.

No other module names a staged file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import pyarrow as pa

from roster_etl.engine.changes import AWAITED
from roster_etl.engine.planning.plan import CLOSES
from roster_etl.engine.planning.rename_detection import PROPOSALS
from roster_etl.engine.validation.validate import QUARANTINE, VERDICTS
from roster_etl.frames.arrow import FINDINGS
from roster_etl.pipeline.plan_decision import PlanDecision
from roster_etl.pipeline.uploads.upload import Member, Upload
from roster_etl.pipeline.workspace import Workspace
from roster_etl.quality import Verdict
from roster_etl.store.staging_frames import FrameStore
from roster_etl.store.warehouse import RELEASED_ROWS_SCHEMA, Edit
from roster_etl.vendors.lineage import tables_of

# The containers of an import: at most one a stage where steps share a process, one a step where they run apart.
_RECEIVED = "received"
_VALIDATED, _FILE_ROWS = "validated", "file-rows"
_APPLIED = "applied"
_MAPPED, _TABLE_ROWS = "mapped", "table-rows"
_GATED = "gated"
_PLANNED = "planned"


@dataclass(frozen=True, kw_only=True)
class MemberResult:
    """What validation found in one file as uploaded. ``refused``: the code that the whole file was refused for, or None."""

    rows_read: int
    rows_accepted: int
    rows_rejected: int
    refused: str | None
    present: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class FileResult:
    """What validation found in all files of one kind.

    ``evidence``: the cells of records whose key could not be read; ``present``, ``extensions``: columns that the header has;
    ``hidden``: the record of a damaged row is unknown; ``lost``: columns that an earlier published upload had;
    ``files``: the result of each file, by its path as uploaded.
    """

    refused: str | None
    rows_read: int
    rows_accepted: int
    rows_rejected: int
    evidence: tuple[tuple[str, ...], ...]
    extensions: tuple[str, ...]
    present: tuple[str, ...]
    hidden: bool
    lost: tuple[str, ...]
    files: Mapping[str, MemberResult]

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> FileResult:
        """Return what ``asdict`` wrote."""
        files = {name: MemberResult(**{**about, "present": tuple(about["present"])}) for name, about in document["files"].items()}
        lists = {name: tuple(document[name]) for name in ("extensions", "present", "lost")}
        return cls(**{**document, **lists, "evidence": tuple(map(tuple, document["evidence"])), "files": files})


@dataclass(frozen=True, kw_only=True)
class AppliedChanges:
    """What applying the rows of a change upload did besides the tables.

    ``refused``: rows refused, by file as uploaded; ``released``: import, file and row of rows refused earlier that were applied now;
    ``leaving``: the same of rows that leave the quarantine; ``edits``: what becomes of stewards' edits;
    ``compared``: how the upload was compared with the last one of its data set, None: not at all; ``basis``: on what it is recorded what
    rejected rows wait for, None: it is not.
    """

    refused: Mapping[str, int] = field(default_factory=dict)
    released: Sequence[Sequence[Any]] = ()
    leaving: Sequence[Sequence[Any]] = ()
    edits: Sequence[Edit] = ()
    compared: str | None = None
    basis: str | None = None

    def leaving_quarantine(self) -> pa.Table:
        """Return the refused rows of earlier imports that were applied, or replaced by newer ones (LEAVING)."""
        return pa.Table.from_pylist(
            [dict(zip(RELEASED_ROWS_SCHEMA.names, line, strict=True)) for line in self.leaving], schema=RELEASED_ROWS_SCHEMA
        )

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> AppliedChanges:
        """Return what ``asdict`` wrote."""
        return cls(**{**document, "edits": [Edit(**edit) for edit in document["edits"]]})


class Staging:
    """What the steps of one import leave for each other.

    Each stage has a container of its own. Where steps run apart, each step has one: a container has one writer at a time.
    Every reading method raises FrameError where a step that has run left nothing, or what it left is damaged.
    """

    def __init__(self, frames: FrameStore, district_id: str, import_id: int) -> None:
        self._frames = frames
        self._at = (district_id, import_id)

    def begin(self) -> None:
        """Have what is written from now on replace what an earlier attempt left."""
        self._frames.begin(*self._at)

    def drop_rows(self) -> None:
        """Remove the rows of files and tables, nearly all of the bytes; what was found in them stays."""
        for stage in (_FILE_ROWS, _TABLE_ROWS):
            self._frames.drop_containers(*self._at, stage)

    def flush(self) -> None:
        """Put what was written where other processes read it. Raises StoreUnavailable, StoreRefused."""
        self._frames.flush()

    # ---- receiving the upload

    def write_upload(self, upload: Upload) -> None:
        """Write what the import is about."""
        self._frames.write_json(*self._at, _RECEIVED, "upload", upload)

    def has_upload(self) -> bool:
        """Return whether the import got as far as receiving its upload, and what it left is still there."""
        return self._frames.exists(*self._at, _RECEIVED, "upload")

    def upload(self) -> Upload:
        """Return what the import is about."""
        return Upload.from_dict(self._frames.read_json(*self._at, _RECEIVED, "upload"))

    def write_upload_findings(self, findings: pa.Table) -> None:
        """Write what was found before any row was read (FINDINGS)."""
        self._write(_RECEIVED, "findings", findings)

    def upload_findings(self) -> pa.Table:
        """Return what was found before any row was read (FINDINGS)."""
        return self._read(_RECEIVED, "findings", FINDINGS)

    def has_upload_findings(self) -> bool:
        """Return whether the import got as far as the findings on its upload."""
        return self._frames.exists(*self._at, _RECEIVED, "findings")

    def write_unarchived(self, upload: Upload, member: Member, findings: pa.Table) -> None:
        """Write what was found in a file whose bytes were not archived (FINDINGS)."""
        self._write(_RECEIVED, _unarchived(upload, member), findings)

    def unarchived(self, upload: Upload, member: Member) -> pa.Table | None:
        """Return what was found in a file whose bytes were not archived (FINDINGS); None: nothing is known."""
        name = _unarchived(upload, member)
        return self._read(_RECEIVED, name, FINDINGS) if self._frames.exists(*self._at, _RECEIVED, name) else None

    def receive_findings(self, upload: Upload) -> tuple[pa.Table, dict[str, pa.Table]]:
        """Return what was found before any row was read (FINDINGS), and by name what was found in files that were not archived."""
        members = [member for member in upload.members if member.kind and member.key is None]
        found = {_unarchived(upload, member): self.unarchived(upload, member) for member in members}
        before = self.upload_findings() if self.has_upload_findings() else FINDINGS.empty_table()
        return before, {name: table for name, table in found.items() if table is not None}

    def write_receive_findings(self, found: pa.Table, unarchived: Mapping[str, pa.Table]) -> None:
        """Write what `receive_findings` returned."""
        self.write_upload_findings(found)
        for name, table in unarchived.items():
            self._write(_RECEIVED, name, table)

    # ---- validating files

    def write_file_result(
        self, name: str, result: FileResult, *, findings: pa.Table, doubtful_keys: pa.Table, quarantine: pa.Table, lines: pa.Table
    ) -> None:
        """Write the result of validating the file `name` of the format.

        Args: doubtful_keys: key cells of rejected rows. quarantine: the rejected rows. lines: the input of the file's suite (VERDICTS).
        """
        to = self._own(_VALIDATED, name)
        self._write(to, f"findings/{name}", findings)
        self._write(to, f"doubtful_keys/{name}", doubtful_keys)
        self._write(to, f"quarantine/{name}", quarantine)
        self._write(to, f"lines/{name}", lines)
        self._frames.write_json(*self._at, to, f"result/{name}", result)

    def file_result(self, name: str) -> FileResult:
        """Return the result of validating the file `name` of the format."""
        item = f"result/{name}"
        return FileResult.from_dict(self._frames.read_json(*self._at, self._holder(_VALIDATED, name, item), item))

    def is_validated(self, name: str) -> bool:
        """Return whether the file `name` of the format was validated."""
        return self._has(_VALIDATED, name, f"result/{name}")

    def file_results(self, upload: Upload) -> dict[str, FileResult]:
        """Return the result of each file of the format that the upload has."""
        return {name: self.file_result(name) for name in _given(upload)}

    def file_findings(self, name: str) -> pa.Table:
        """Return what validation found in the file `name` of the format (FINDINGS)."""
        return self._read_part(_VALIDATED, name, "findings", FINDINGS)

    def doubtful_keys(self, name: str) -> pa.Table:
        """Return the key cells of rows of the file `name` that were refused, or emptied in part."""
        return self._read_part(_VALIDATED, name, "doubtful_keys")

    def file_lines(self, name: str) -> pa.Table:
        """Return the input of the suite of file `name` (VERDICTS)."""
        return self._read_part(_VALIDATED, name, "lines", VERDICTS)

    def write_file_rows(self, name: str, rows: pa.Table) -> None:
        """Write the validated rows of the file `name`."""
        self._write(self._own(_FILE_ROWS, name), f"rows/{name}", rows)

    def file_rows(self, name: str) -> pa.Table:
        """Return the validated rows of the file `name`."""
        return self._read_part(_FILE_ROWS, name, "rows")

    def has_file_rows(self, name: str) -> bool:
        """Return whether the validated rows of the file `name` are staged."""
        return self._has(_FILE_ROWS, name, f"rows/{name}")

    # ---- applying changes

    def write_changes(
        self,
        changes: AppliedChanges,
        *,
        tables: Mapping[str, pa.Table],
        findings: pa.Table,
        quarantine: pa.Table,
        awaited: pa.Table,
        tried: pa.Table,
    ) -> None:
        """Write what applying the rows of a change upload came to.

        That is: the canonical tables, findings, refused rows, what these wait for (AWAITED), and the places of rows that were tried again.
        """
        for name, table in tables.items():
            self._write(_APPLIED, f"rows/{name}", table)
        self._write(_APPLIED, "findings", findings)
        self._write(_APPLIED, "quarantine", quarantine)
        self._write(_APPLIED, "awaited", awaited)
        self._write(_APPLIED, "tried", tried)
        self._frames.write_json(*self._at, _APPLIED, "changes", changes)

    def changes(self, upload: Upload, *, complete: bool = True) -> AppliedChanges:
        """Return what applying the upload's changes did; nothing for formats whose uploads are full snapshots.

        Args: complete: the step has run; an import that failed may not have come to it.
        """
        if upload.vendor.change_plan is None or not (complete or self._frames.exists(*self._at, _APPLIED, "changes")):
            return AppliedChanges()
        return AppliedChanges.from_dict(self._frames.read_json(*self._at, _APPLIED, "changes"))

    def waits(self) -> tuple[pa.Table, pa.Table]:
        """Return what refused rows wait for (AWAITED), and the places of the rows of earlier imports that were tried again."""
        return self._read(_APPLIED, "awaited", AWAITED), self._read(_APPLIED, "tried", RELEASED_ROWS_SCHEMA)

    def has_changes(self) -> bool:
        """Return whether the changes of the upload were applied."""
        return self._frames.exists(*self._at, _APPLIED, "changes")

    def changes_findings(self) -> pa.Table:
        """Return what was found while changes were applied (FINDINGS)."""
        return self._read(_APPLIED, "findings", FINDINGS)

    def changed_table(self, table: str) -> pa.Table:
        """Return canonical `table` as it is once the upload's changes are applied."""
        return self._read(_APPLIED, f"rows/{table}")

    # ---- mapping tables

    def write_mapped(self, table: str, *, findings: pa.Table, lines: pa.Table) -> None:
        """Write what was found while canonical `table` was mapped (FINDINGS), and the input of its suite (VERDICTS)."""
        to = self._own(_MAPPED, table)
        self._write(to, f"findings/{table}", findings)
        self._write(to, f"lines/{table}", lines)

    def table_findings(self, table: str) -> pa.Table:
        """Return what was found while canonical `table` was mapped (FINDINGS)."""
        return self._read_part(_MAPPED, table, "findings", FINDINGS)

    def table_lines(self, table: str) -> pa.Table:
        """Return the input of the suite of canonical `table` (VERDICTS)."""
        return self._read_part(_MAPPED, table, "lines", VERDICTS)

    def write_table(self, table: str, rows: pa.Table) -> None:
        """Write the mapped rows of canonical `table`."""
        self._write(self._own(_TABLE_ROWS, table), f"rows/{table}", rows)

    def table(self, table: str) -> pa.Table:
        """Return the mapped rows of canonical `table`."""
        return self._read_part(_TABLE_ROWS, table, "rows")

    def has_table(self, table: str) -> bool:
        """Return whether the mapped rows of canonical `table` are staged."""
        return self._has(_TABLE_ROWS, table, f"rows/{table}")

    def tables(self, names: Iterable[str]) -> LazyMapping[pa.Table]:
        """Return the mapped canonical tables `names`, each read when it is asked for."""
        return LazyMapping(names, self.table)

    # ---- gates

    def write_verdicts(self, verdicts: Iterable[Verdict]) -> None:
        """Write the verdicts of all suites of the import, files before tables."""
        self._frames.write_json(*self._at, _GATED, "verdicts", [verdict.to_dict() for verdict in verdicts])

    def verdicts(self, *, complete: bool = False) -> list[Verdict]:
        """Return the verdicts of the import's suites, files before tables; none before the suites were run.

        Args:   complete: every step has run, so that verdicts which are missing were lost.
        Raises: FrameError: they were lost.
        """
        if not complete and not self._frames.exists(*self._at, _GATED, "verdicts"):
            return []
        return [Verdict.from_dict(document) for document in self._frames.read_json(*self._at, _GATED, "verdicts")]

    # ---- planning

    def write_plan(self, planned: PlanDecision) -> None:
        """Write the decision on the import."""
        self._frames.write_json(*self._at, _PLANNED, "plan", planned)

    def plan(self) -> PlanDecision:
        """Return the decision on the import."""
        return PlanDecision.from_dict(self._frames.read_json(*self._at, _PLANNED, "plan"))

    def has_plan(self) -> bool:
        """Return whether the import was planned."""
        return self._frames.exists(*self._at, _PLANNED, "plan")

    def write_plan_findings(self, findings: pa.Table) -> None:
        """Write what planning found (FINDINGS)."""
        self._write(_PLANNED, "findings", findings)

    def write_table_change(self, table: str, *, opens: pa.Table, closes: pa.Table) -> None:
        """Write which rows of canonical `table` open, or their positions in the mapped table, and which versions close (CLOSES)."""
        self._write(_PLANNED, f"closes/{table}", closes)
        self._write(_PLANNED, f"opens/{table}", opens)

    def opens(self, table: str) -> pa.Table:
        """Return which rows of canonical `table` open, or their positions in the mapped table."""
        return self._read(_PLANNED, f"opens/{table}")

    def closes(self, table: str) -> pa.Table:
        """Return which versions of canonical `table` close (CLOSES)."""
        return self._read(_PLANNED, f"closes/{table}", CLOSES)

    def write_renames(self, proposed: pa.Table, rows: pa.Table) -> None:
        """Write who seems to have got another id (PROPOSALS), and the rows of ``id_changes`` that open for those approved."""
        self._write(_PLANNED, "renames", proposed)
        self._write(_PLANNED, "opens/id_changes", rows)

    def renames(self) -> pa.Table:
        """Return who seems to have got another id (PROPOSALS)."""
        return self._read(_PLANNED, "renames", PROPOSALS)

    def rename_rows(self) -> pa.Table:
        """Return the rows of ``id_changes`` that open for approved renames."""
        return self._read(_PLANNED, "opens/id_changes")

    # ---- everything of the import

    def findings(self, upload: Upload, *, complete: bool) -> list[pa.Table]:
        """Return the findings that each step left (FINDINGS), in the order of the steps.

        Args:   complete: every step has run, so that findings which are missing were lost.
        Raises: FrameError: some were lost.
        """
        given, is_delta = _given(upload), upload.vendor.change_plan is not None
        tables = tables_of(upload.vendor)
        found = [self.upload_findings()] if complete or self.has_upload_findings() else []
        found += [self.file_findings(n) for n in given if complete or self._has(_VALIDATED, n, f"findings/{n}")]
        if is_delta and (complete or self._frames.exists(*self._at, _APPLIED, "findings")):
            found.append(self.changes_findings())
        found += [self.table_findings(n) for n in tables if complete or self._has(_MAPPED, n, f"findings/{n}")]
        if self._frames.exists(*self._at, _PLANNED, "findings"):  # an import that does not publish has them in its ending
            found.append(self._read(_PLANNED, "findings", FINDINGS))
        return found

    def quarantine(self, upload: Upload, *, complete: bool) -> list[pa.Table]:
        """Return the refused rows that each step left (QUARANTINE). Args and errors as of `findings`."""
        names = [n for n in _given(upload) if complete or self._has(_VALIDATED, n, f"quarantine/{n}")]
        found = [self._read_part(_VALIDATED, name, "quarantine", QUARANTINE) for name in names]
        is_delta = upload.vendor.change_plan is not None
        if is_delta and (complete or self._frames.exists(*self._at, _APPLIED, "quarantine")):
            found.append(self._read(_APPLIED, "quarantine", QUARANTINE))
        return found

    def _write(self, container: str, name: str, table: pa.Table) -> None:
        self._frames.write(*self._at, container, name, table)

    def _read(self, container: str, name: str, schema: pa.Schema | None = None) -> pa.Table:
        table = self._frames.read(*self._at, container, name)
        return table if schema is None else table.cast(schema)

    def _read_part(self, stage: str, part: str, what: str, schema: pa.Schema | None = None) -> pa.Table:
        """Return `what` the step for `part` of a stage left."""
        name = f"{what}/{part}"
        return self._read(self._holder(stage, part, name), name, schema)

    def _has(self, stage: str, part: str, name: str) -> bool:
        return self._frames.exists(*self._at, self._holder(stage, part, name), name)

    def _own(self, stage: str, part: str) -> str:
        """Return the container that the step for `part` of a stage writes."""
        return f"{stage}.{part}" if self._frames.apart else stage

    def _holder(self, stage: str, part: str, name: str) -> str:
        """Return the container that has the entry `name`: a run may be resumed where steps share a process, or do so no more."""
        own, other = (f"{stage}.{part}", stage) if self._frames.apart else (stage, f"{stage}.{part}")
        return own if self._frames.exists(*self._at, own, name) or not self._frames.exists(*self._at, other, name) else other


def staging_of(workspace: Workspace, upload: Upload) -> Staging:
    """Return the staging area of the upload's import."""
    return Staging(workspace.frames, upload.district_id, upload.import_id)


def _given(upload: Upload) -> list[str]:
    """Return the files of the format that the upload has."""
    return [file.name for file in upload.format.files if upload.member(file.name)]


def _unarchived(upload: Upload, member: Member) -> str:
    position = next(position for position, other in enumerate(upload.members) if other.name == member.name)
    return f"unkept/{member.kind}-{position}"


Value = TypeVar("Value")


class LazyMapping(Mapping[str, Value]):
    """A mapping over `names` whose values are loaded by `load` each time they are asked for."""

    def __init__(self, names: Iterable[str], load: Callable[[str], Value]) -> None:
        self._names = dict.fromkeys(names)
        self._load = load

    def __getitem__(self, name: str) -> Value:
        if name not in self._names:
            raise KeyError(name)
        return self._load(name)

    def __contains__(self, name: object) -> bool:
        return name in self._names  # what is inherited would load the value to find out

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)
