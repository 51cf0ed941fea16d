"""Write the CSV files of a vendor's format, as a whole or as a delta, and read them back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path

from roster_etl.exports.build import BuiltFile, build_files, prepare
from roster_etl.exports.cells import refuse_formulas
from roster_etl.exports.csv_file import csv_bytes
from roster_etl.exports.delta import Snapshot, delta_files
from roster_etl.exports.delta_renames import Renames, rename_file, renamed_records, say_renames
from roster_etl.exports.export_tables import ExportTables
from roster_etl.exports.measure_losses import count_roundtrip_losses
from roster_etl.pipeline.exports.export_progress import ExportProgress
from roster_etl.pipeline.exports.order import ResolvedExport
from roster_etl.pipeline.exports.read_back import compare_cells, read_back, read_back_changes
from roster_etl.pipeline.exports.read_roster import read_roster
from roster_etl.pipeline.workspace import Workspace


def write(
    workspace: Workspace, resolved: ResolvedExport, folder: Path, written: ExportProgress, work: ExportTables | None
) -> None:
    """Write all files of the format into `folder`, and read them back. Raises ReadBackFailed, FormulasFound, IdClash."""
    work = work or read_roster(workspace, resolved)
    written.losses = work.losses
    if resolved.since_at is not None:
        _write_changes(workspace, resolved, folder, written, work)
        return
    prepare(work, resolved.format)
    files = _write_files(resolved, folder, written, work, _files(resolved, work))
    read = read_back(resolved.format, folder, files, resolved.zone, resolved.options, work.store)
    count_roundtrip_losses(work, read, resolved.format)


def _files(resolved: ResolvedExport, work: ExportTables) -> Iterator[BuiltFile]:
    return build_files(work, resolved.format, resolved.order.formulas)  # type: ignore[arg-type]


def _write_files(
    resolved: ResolvedExport, folder: Path, written: ExportProgress, work: ExportTables, files: Iterable[BuiltFile]
) -> dict[str, BuiltFile]:
    """Write the files, and return what is in each. Raises FormulasFound."""
    done = {built.name: _write_file(resolved, folder, written, work, built) for built in files}
    if resolved.order.formulas == "refuse":
        refuse_formulas(built.cells.values() for built in done.values())
    if resolved.format.manifest is not None:
        rows = {file["file"]: file["rows"] for file in written.files}
        name, cells = resolved.format.manifest(work, rows, resolved.since_at is not None)
        done[name] = _write_file(resolved, folder, written, work, BuiltFile(name=name, cells=dict(cells)))
    return done


def _write_file(
    resolved: ResolvedExport, folder: Path, written: ExportProgress, work: ExportTables, built: BuiltFile
) -> BuiltFile:
    written.write(folder, built.name, csv_bytes(built.cells, resolved.format.newline, work.store.release), built.rows)
    return built


def _write_changes(
    workspace: Workspace, resolved: ResolvedExport, folder: Path, written: ExportProgress, work: ExportTables
) -> None:
    """Write what changed, and read it back after the files of before."""
    assert resolved.format.delta is not None
    assert resolved.since_at is not None
    published = _published_since(workspace, resolved)
    then = read_roster(workspace, resolved, resolved.since_at)
    renames = _say_renames(resolved, then, work)
    before, now = _prepared(resolved, then), _prepared(resolved, work)
    changes = delta_files(
        resolved.format.delta, before, now, published, lambda at: _prepared(resolved, read_roster(workspace, resolved, at))
    )
    if resolved.format.renames is not None:
        first = rename_file(resolved.format.renames, renames, work, before, now)
        changes = [*([first] if first is not None else ()), *changes]
    files = _write_files(resolved, folder, written, work, changes)
    for built in files.values():
        compare_cells(folder, built, work.store)
    read_back_changes(resolved.format, folder, [*files], resolved.options, before, now)


def _published_since(workspace: Workspace, resolved: ResolvedExport) -> list[datetime]:
    """Return when imports were published after the one that the order names, in order."""
    assert resolved.since_at is not None
    with workspace.warehouse.read() as session:
        place = (resolved.order.district_id, resolved.source, resolved.since_at, resolved.as_of)
        return session.ledger.change_moments(*place)


def _say_renames(resolved: ResolvedExport, then: ExportTables, now: ExportTables) -> Renames:
    """Give the roster of before the ids of now, where the format has a file for ids that changed."""
    if resolved.format.renames is None:
        return {}
    renames = renamed_records(then, now, resolved.format.renames)
    say_renames(then, now, renames)
    return renames


def _prepared(resolved: ResolvedExport, work: ExportTables) -> Snapshot:
    prepare(work, resolved.format)
    return {built.name: built for built in _files(resolved, work)}
