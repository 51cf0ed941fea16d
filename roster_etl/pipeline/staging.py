"""What the steps of an import leave for each other in the staging area.

Belongs here: every name under which something is staged, and its type. No other module names a staged file.
Does not belong here: how files are written (``store.staging_frames``), or what a step computes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, TypeVar

import pyarrow as pa

from roster_etl.engine.planning.plan import CLOSES
from roster_etl.engine.planning.rename_detection import PROPOSALS
from roster_etl.engine.validation.validate import QUARANTINE, VERDICTS
from roster_etl.frames.arrow import FINDINGS
from roster_etl.pipeline.planned import Planned
from roster_etl.pipeline.uploads.upload import Member, Upload
from roster_etl.pipeline.workspace import Workspace
from roster_etl.quality import Verdict
from roster_etl.store.fault_injection import fault_point
from roster_etl.store.staging_frames import FrameStore
from roster_etl.store.warehouse import RELEASED_ROWS_SCHEMA, Edit
from roster_etl.vendors.lineage import tables_of

_CHANGES = "fold"
_PLAN = "plan"
_UPLOAD = "upload"


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
    ``hidden``: a damaged record does not tell whose it is; ``lost``: columns that an earlier published upload had;
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
    ``compared``: how the upload was compared with the last one of its data set, None: not at all.
    """

    refused: Mapping[str, int] = field(default_factory=dict)
    released: Sequence[Sequence[Any]] = ()
    leaving: Sequence[Sequence[Any]] = ()
    edits: Sequence[Edit] = ()
    compared: str | None = None

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

    Every reading method raises FrameError where a step that has run left nothing, or what it left is damaged.
    """

    def __init__(self, frames: FrameStore, district_id: str, import_id: int) -> None:
        self._frames = frames
        self._at = (district_id, import_id)

    # ---- receiving the upload

    def write_upload(self, upload: Upload) -> None:
        """Write what the import is about."""
        self._frames.write_json(*self._at, _UPLOAD, upload.to_dict())

    def upload(self) -> Upload:
        """Return what the import is about."""
        return Upload.from_dict(self._frames.read_json(*self._at, _UPLOAD))

    def has_upload(self) -> bool:
        """Return whether the import got as far as its upload."""
        return self._frames.exists(*self._at, _UPLOAD)

    def write_upload_findings(self, findings: pa.Table) -> None:
        """Write what was found before any row was read (FINDINGS)."""
        self._write(f"findings/{_UPLOAD}", findings)

    def upload_findings(self) -> pa.Table | None:
        """Return what was found before any row was read (FINDINGS); None: the import did not get that far."""
        return self._read(f"findings/{_UPLOAD}", FINDINGS) if self._has(f"findings/{_UPLOAD}") else None

    def write_unarchived(self, upload: Upload, member: Member, findings: pa.Table) -> None:
        """Write what was found in a file whose bytes were not archived (FINDINGS)."""
        self._write(_unarchived(upload, member), findings)

    def unarchived(self, upload: Upload, member: Member) -> pa.Table | None:
        """Return what was found in a file whose bytes were not archived (FINDINGS); None: nothing is known."""
        name = _unarchived(upload, member)
        return self._read(name, FINDINGS) if self._has(name) else None

    def door_findings(self, upload: Upload) -> tuple[pa.Table | None, dict[str, pa.Table]]:
        """Return what was found before any row was read, and by name what was found in files that were not archived."""
        members = [member for member in upload.members if member.kind and member.key is None]
        found = {_unarchived(upload, member): self.unarchived(upload, member) for member in members}
        return self.upload_findings(), {name: table for name, table in found.items() if table is not None}

    def write_door_findings(self, found: pa.Table, unarchived: Mapping[str, pa.Table]) -> None:
        """Write what `door_findings` returned."""
        self.write_upload_findings(found)
        for name, table in unarchived.items():
            self._write(name, table)

    # ---- validating files

    def write_judged(
        self, name: str, result: FileResult, *, findings: pa.Table, named: pa.Table, quarantine: pa.Table, lines: pa.Table
    ) -> None:
        """Write the result of validating the file `name` of the format.

        Args: named: key cells of rows that were refused. quarantine: the refused rows. lines: what the suite is to judge.
        """
        self._write(f"findings/{name}", findings)
        self._write(f"named/{name}", named)
        self._write(f"quarantine/{name}", quarantine)
        self._write(f"lines/{name}", lines)
        self._frames.write_json(*self._at, f"judged/{name}", asdict(result))

    def judged(self, name: str) -> FileResult:
        """Return the result of validating the file `name` of the format."""
        return FileResult.from_dict(self._frames.read_json(*self._at, f"judged/{name}"))

    def is_judged(self, name: str) -> bool:
        """Return whether the file `name` of the format was validated."""
        return self._has(f"judged/{name}")

    def judged_files(self, upload: Upload) -> dict[str, FileResult]:
        """Return the result of each file of the format that the upload has."""
        return {file.name: self.judged(file.name) for file in upload.format.files if upload.member(file.name)}

    def file_findings(self, name: str) -> pa.Table:
        """Return what validation found in the file `name` of the format (FINDINGS)."""
        return self._read(f"findings/{name}", FINDINGS)

    def named(self, name: str) -> pa.Table:
        """Return the key cells of rows of the file `name` that were refused, or emptied in part."""
        return self._frames.read(*self._at, f"named/{name}")

    def file_lines(self, name: str) -> pa.Table:
        """Return what the suite of the file `name` is to judge (VERDICTS)."""
        return self._read(f"lines/{name}", VERDICTS)

    # ---- gates

    def write_verdict(self, verdict: Verdict) -> None:
        """Write the verdict of a suite, replacing an earlier one of the same suite."""
        self._frames.write_json(*self._at, f"verdicts/{verdict.name}", verdict.to_dict())
        fault_point("gate.done")

    def verdicts(self, upload: Upload, *, whole: bool = False) -> list[Verdict]:
        """Return the verdicts of the suites that have run so far, files before tables.

        Args:   whole: every step has run, so that a verdict which is missing was lost.
        Raises: FrameError: one was lost.
        """
        files = [file.name for file in upload.format.files]
        names = [f"{upload.source}/{name}" for name in files] + [f"canonical/{table}" for table in tables_of(upload.vendor)]
        absent = {f"{upload.source}/{name}" for name in files if upload.member(name) is None}
        found = [f"verdicts/{n}" for n in names if (whole and n not in absent) or self._has(f"verdicts/{n}")]
        return [Verdict.from_dict(self._frames.read_json(*self._at, name)) for name in found]

    # ---- applying changes

    def write_changes(
        self, changes: AppliedChanges, *, tables: Mapping[str, pa.Table], findings: pa.Table, quarantine: pa.Table
    ) -> None:
        """Write what applying the rows of a change upload came to: the canonical tables, findings and refused rows."""
        for name, table in tables.items():
            self._write(f"folded/{name}", table)
        self._write(f"findings/{_CHANGES}", findings)
        self._write(f"quarantine/{_CHANGES}", quarantine)
        self._frames.write_json(*self._at, _CHANGES, asdict(changes))

    def changes(self, upload: Upload, *, whole: bool = True) -> AppliedChanges:
        """Return what applying the upload's changes did; nothing for formats whose uploads are full snapshots.

        Args: whole: the step has run; an import that failed may not have come to it.
        """
        if upload.vendor.change_plan is None or not (whole or self._has(_CHANGES)):
            return AppliedChanges()
        return AppliedChanges.from_dict(self._frames.read_json(*self._at, _CHANGES))

    def changes_findings(self) -> pa.Table:
        """Return what was found while changes were applied (FINDINGS)."""
        return self._read(f"findings/{_CHANGES}", FINDINGS)

    def changed_table(self, table: str) -> pa.Table:
        """Return canonical `table` as it is once the upload's changes are applied."""
        return self._frames.read(*self._at, f"folded/{table}")

    # ---- mapping tables

    def write_mapped(self, table: str, *, findings: pa.Table, lines: pa.Table) -> None:
        """Write what was found while canonical `table` was mapped (FINDINGS), and what its suite is to judge (VERDICTS)."""
        self._write(f"findings/roster-{table}", findings)
        self._write(f"lines/roster-{table}", lines)

    def table_findings(self, table: str) -> pa.Table:
        """Return what was found while canonical `table` was mapped (FINDINGS)."""
        return self._read(f"findings/roster-{table}", FINDINGS)

    def table_lines(self, table: str) -> pa.Table:
        """Return what the suite of canonical `table` is to judge (VERDICTS)."""
        return self._read(f"lines/roster-{table}", VERDICTS)

    # ---- rows that move between steps

    def write_file_rows(self, source: str, name: str, rows: pa.Table) -> None:
        """Write the validated rows of the file `name` of format `source`."""
        self._write(f"frames/{source}/{name}", rows)

    def file_rows(self, source: str, name: str) -> pa.Table:
        """Return the validated rows of the file `name` of format `source`."""
        return self._frames.read(*self._at, f"frames/{source}/{name}")

    def write_table(self, table: str, rows: pa.Table) -> None:
        """Write the mapped rows of canonical `table`."""
        self._write(f"frames/roster/{table}", rows)

    def table(self, table: str) -> pa.Table:
        """Return the mapped rows of canonical `table`."""
        return self._frames.read(*self._at, f"frames/roster/{table}")

    def tables(self, names: Iterable[str]) -> LazyMapping[pa.Table]:
        """Return the mapped canonical tables `names`, each read when it is asked for."""
        return LazyMapping(names, self.table)

    # ---- planning

    def write_plan(self, planned: Planned) -> None:
        """Write the decision on the import."""
        self._frames.write_json(*self._at, _PLAN, asdict(planned))

    def plan(self) -> Planned:
        """Return the decision on the import."""
        return Planned.from_dict(self._frames.read_json(*self._at, _PLAN))

    def write_plan_findings(self, findings: pa.Table) -> None:
        """Write what planning found (FINDINGS)."""
        self._write(f"findings/{_PLAN}", findings)

    def write_table_change(self, table: str, *, opens: pa.Table, closes: pa.Table) -> None:
        """Write which rows of canonical `table` open, or their positions in the mapped table, and which versions close (CLOSES)."""
        self._write(f"closes/{table}", closes)
        self._write(f"opens/{table}", opens)

    def opens(self, table: str) -> pa.Table:
        """Return which rows of canonical `table` open, or their positions in the mapped table."""
        return self._frames.read(*self._at, f"opens/{table}")

    def closes(self, table: str) -> pa.Table:
        """Return which versions of canonical `table` close (CLOSES)."""
        return self._read(f"closes/{table}", CLOSES)

    def write_renames(self, proposed: pa.Table, rows: pa.Table) -> None:
        """Write who seems to have got another id (PROPOSALS), and the rows of ``id_changes`` that open for those approved."""
        self._write("renames", proposed)
        if rows.num_rows:
            self._write("renamed/id_changes", rows)

    def renames(self) -> pa.Table:
        """Return who seems to have got another id (PROPOSALS)."""
        return self._read("renames", PROPOSALS)

    def rename_rows(self) -> pa.Table | None:
        """Return the rows of ``id_changes`` that open for approved renames; None: no rename was approved."""
        return self._frames.read(*self._at, "renamed/id_changes") if self._has("renamed/id_changes") else None

    # ---- everything of the import

    def findings(self, upload: Upload, *, whole: bool) -> list[pa.Table]:
        """Return the findings that each step left (FINDINGS), in the order of the steps.

        Args:   whole: every step has run, so that findings which are missing were lost.
        Raises: FrameError: some were lost.
        """
        tables = [f"roster-{table}" for table in tables_of(upload.vendor)]
        always = [_UPLOAD, *_given(upload), *_applied(upload), *tables]
        names = [_UPLOAD, *(file.name for file in upload.format.files), _CHANGES, *tables, _PLAN]
        return self._left("findings", names, set(always) if whole else set(), FINDINGS)

    def quarantine(self, upload: Upload, *, whole: bool) -> list[pa.Table]:
        """Return the refused rows that each step left (QUARANTINE). Args and errors as of `findings`."""
        names = [*(file.name for file in upload.format.files), _CHANGES]
        return self._left("quarantine", names, {*_given(upload), *_applied(upload)} if whole else set(), QUARANTINE)

    def _left(self, what: str, names: Sequence[str], always: set[str], schema: pa.Schema) -> list[pa.Table]:
        return [self._read(f"{what}/{name}", schema) for name in names if name in always or self._has(f"{what}/{name}")]

    def _write(self, name: str, table: pa.Table) -> None:
        self._frames.write(*self._at, name, table)

    def _read(self, name: str, schema: pa.Schema) -> pa.Table:
        return self._frames.read(*self._at, name).cast(schema)

    def _has(self, name: str) -> bool:
        return self._frames.exists(*self._at, name)


def staging_of(workspace: Workspace, upload: Upload) -> Staging:
    """Return the staging area of the upload's import."""
    return Staging(workspace.frames, upload.district_id, upload.import_id)


def _given(upload: Upload) -> list[str]:
    """Return the files of the format that the upload has."""
    return [file.name for file in upload.format.files if upload.member(file.name)]


def _applied(upload: Upload) -> list[str]:
    return [_CHANGES] if upload.vendor.change_plan is not None else []


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
