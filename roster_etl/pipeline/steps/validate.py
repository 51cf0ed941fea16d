"""Validate one file of an upload, row by row.

Belongs here: from archived bytes to a validated table, with everything that later steps need written to staging.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import cast

import pyarrow as pa
import pyarrow.compute as pc

from roster_etl.engine.csv.reader import DEFAULT_LIMITS, STRICT_LIMITS, CsvLimits, read_csv
from roster_etl.engine.validation.unreadable_columns import UnreadableLimits, set_unreadable_columns_aside
from roster_etl.engine.validation.validate import VERDICTS, FeedValues, ReferencedFile, ValidatedFile, empty_result, validate_file
from roster_etl.frames.arrow import (
    FILE,
    FINDINGS,
    combine_chunks,
    findings_table,
    keep_freed_memory,
    release_memory,
    use_memory_for,
)
from roster_etl.pipeline.staging import FileResult, MemberResult, staging_of
from roster_etl.pipeline.uploads.cross_set_references import published_files
from roster_etl.pipeline.uploads.published_identities import published_records
from roster_etl.pipeline.uploads.upload import Member, Upload
from roster_etl.pipeline.workspace import Workspace
from roster_etl.quality import SuiteError, has_failing_rules, start_gx_process
from roster_etl.spec import File, Format
from roster_etl.spec.findings import Finding
from roster_etl.store.fault_injection import fault_point
from roster_etl.store.files.spool import spool_pieces


def validate_member(workspace: Workspace, upload: Upload, name: str, referenced: Mapping[str, pa.Table]) -> pa.Table:
    """Read and validate the file `name` of the format.

    Args:    referenced: the validated rows of the files that it refers to, by name.
    Returns: one row per readable record in vendor spelling, with ``_row`` and ``_refused``; no rows if the file is absent or
        was rejected. In delta formats: the rows of all files of the kind in the order of their paths, with ``_file``; a column
        that one of them lacks is null there. Findings, quarantine and rule counts go to staging.
    """
    fault_point("judge.begin")
    file = upload.format.file(name)
    parts = [(member, _validate_file(workspace, upload, file, member, referenced)) for member in upload.members_of(name)]
    if parts:
        _stage_results(workspace, upload, name, parts)
    rows = _concat_in_order(file, parts) if file.ordered_changes else (parts[0][1] if parts else empty_result(file)).rows
    release_memory()
    fault_point("judge.done")
    return rows


def references_of(file: File, format_: Format) -> tuple[str, ...]:
    """Return the names of the files that `file` refers to and that come in the same upload."""
    own = format_.file_set_of(file.file_name)
    names = dict.fromkeys(name for name, _ in file.lookups())
    return tuple(name for name in names if format_.file_set_of(format_.file(name).file_name) == own)


def limits_of(format_: Format) -> CsvLimits:
    """Return the read limits (tolerated damage) for files of a format."""
    return STRICT_LIMITS if format_.broken_records == "file" else DEFAULT_LIMITS


def _validate_file(
    workspace: Workspace, upload: Upload, file: File, member: Member, referenced: Mapping[str, pa.Table]
) -> ValidatedFile:
    values = upload.values
    if member.key is None:
        return _unarchived_result(workspace, upload, file, member)
    others = {
        name: ReferencedFile(rows=rows, file_name=upload.file_name(upload.format.file(name))) for name, rows in referenced.items()
    }
    with workspace.warehouse.read():  # both calls use this session
        others |= published_files(workspace, upload, file)
        known = _referenced_feed_values(workspace, upload, file)
    others |= _later_files(workspace, upload, file, others)
    result = _judged(workspace, upload, file, member, others, known)
    limits = UnreadableLimits(percent=float(str(values["unreadable_cells_pct"])), least=int(str(values["unreadable_cells_min"])))
    result = set_unreadable_columns_aside(result, upload.headers.get(file.name, ()), limits, member.name)
    return replace(result, findings=pa.concat_tables([result.findings, _missing_feed_findings(upload, file, known)]))


def _judged(
    workspace: Workspace,
    upload: Upload,
    file: File,
    member: Member,
    others: Mapping[str, ReferencedFile],
    known: Mapping[str, FeedValues],
) -> ValidatedFile:
    values = upload.values
    scratch = workspace.settings.scratch
    use_memory_for(member.size)
    raw = read_csv(
        spool_pieces(workspace.archive.pieces(str(member.key)), scratch),
        encoding=str(values["encoding"]),
        limits=limits_of(upload.format),
        join=partial(spool_pieces, scratch=scratch),
    )
    release_memory()
    keep_freed_memory(member.size)  # of columns that are made one after the other
    listed = {c.name: values[c.allowed_values_option] for c in file.columns if c.allowed_values_option}
    return validate_file(
        raw,
        file,
        file_name=member.name,
        referenced_files=others,
        relaxed=frozenset(c.name for c in file.columns if c.optional_if_option and values[c.optional_if_option] is False),
        listed=cast("dict[str, dict[str, str]]", listed),
        replacements=upload.replacements,
        fixed_order=upload.fixed_column_order,
        feed_values=known,
        published=published_records(workspace, upload, file),
        strict=upload.strict,
        changes=member.changes,
        carried=member.changes is not None and member.lasts_from is not None,
    )


def _later_files(
    workspace: Workspace, upload: Upload, file: File, others: Mapping[str, ReferencedFile]
) -> dict[str, ReferencedFile]:
    """Return the file that is judged after this one and has the same ids (``Identity.shared``), judged without this one."""
    shared = file.identity.shared if file.identity else None
    member = upload.member(shared.file) if shared and not shared.first else None
    if shared is None or member is None or member.key is None:
        return {}
    later = upload.format.file(shared.file)
    before = {name: others[name] for name, _ in later.lookups() if name in others}
    alone = replace(later, identity=replace(later.identity, shared=None)) if later.identity else later
    result = _judged(workspace, upload, alone, member, before, {})
    return {later.name: ReferencedFile(rows=result.rows, file_name=member.name)}


def _referenced_feed_values(workspace: Workspace, upload: Upload, file: File) -> dict[str, FeedValues]:
    """Return, by column of `file`, the values of the feed that it should match; empty if that feed has no roster yet."""
    known = {}
    for column in file.columns:
        source = str(upload.values[column.matches.option] or "") if column.matches else ""
        if column.matches and source and workspace.warehouse.roster.base(upload.district_id, source) is not None:
            found = workspace.warehouse.roster.current(upload.district_id, source, column.matches.table)
            known[column.name] = FeedValues(source=source, values=combine_chunks(found.column(column.matches.column)))
    return known


def _missing_feed_findings(upload: Upload, file: File, known: Mapping[str, FeedValues]) -> pa.Table:
    """Report once, with the first file that should match it, that the other feed has no roster to compare with."""
    found = []
    for option in dict.fromkeys(column.matches.option for column in file.columns if column.matches):
        of_option = [(f, c) for f in upload.format.files for c in f.columns if c.matches and c.matches.option == option]
        source, names = str(upload.values[option] or ""), ", ".join(f"{f.file_name} {c.name}" for f, c in of_option)
        if source and not known and of_option[0][0] is file:
            message = f"Nothing of {source} was published for this district yet, so these could not be compared with it: {names}."
            found.append(Finding(severity="warning", code="unknown_reference", file=upload.file_name(file), message=message))
    return findings_table(found)


def _unarchived_result(workspace: Workspace, upload: Upload, file: File, member: Member) -> ValidatedFile:
    """Return the result of a file whose secrets could not be located (damaged, no header); it was validated on receipt."""
    found = staging_of(workspace, upload).unarchived(upload, member)
    found = FINDINGS.empty_table() if found is None else found
    codes = found.filter(pc.equal(found.column("severity"), "file")).column("code").to_pylist()
    refused = str(codes[0] if codes else member.refused or "malformed_csv")
    if not codes:
        message = "The file was refused, and not kept: the cells of its password column cannot be told apart."
        finding = Finding(severity="file", code=refused, message=message)
        found = pa.concat_tables([found, findings_table([finding])])
    names = pa.array([member.name] * found.num_rows, pa.string())
    found = found.set_column(FINDINGS.get_field_index("file"), FINDINGS.field("file"), names)
    return empty_result(file, refused=refused, findings=found)


def _concat_in_order(file: File, parts: Sequence[tuple[Member, ValidatedFile]]) -> pa.Table:
    """Return the rows of all `parts` one after the other, each with the name of its file."""
    named: list[tuple[str | None, pa.Table]] = [(member.name, result.rows) for member, result in parts]
    tables = []
    for name, table in named or [(None, empty_result(file).rows)]:
        tables.append(table.append_column(FILE, pa.repeat(pa.scalar(name, pa.string()), table.num_rows)))
    filled = [table for table in tables if table.num_rows] or tables[:1]
    return pa.concat_tables(filled, promote_options="default").combine_chunks()


def _stage_results(workspace: Workspace, upload: Upload, name: str, parts: Sequence[tuple[Member, ValidatedFile]]) -> None:
    results = [result for _, result in parts]
    refused = next((result.refused for result in results if result.refused), None)
    is_snapshot = not upload.format.file(name).ordered_changes  # in delta formats any set of columns is valid
    lost = _lost_columns(upload, name, results[0]) if is_snapshot and not refused else ()
    absent = tuple(column for column in lost if column not in results[0].set_aside)
    missing = findings_table(_missing_column_findings(upload, name, absent))
    result = FileResult(
        refused=refused,
        rows_read=sum(r.rows_read for r in results),
        rows_accepted=sum(r.rows_accepted for r in results),
        rows_rejected=sum(r.rows_rejected for r in results),
        evidence=tuple(cells for r in results for cells in r.unidentified_records),
        extensions=_union(r.extensions for r in results),
        present=_union(r.present for r in results),
        hidden=any(r.has_redacted_key for r in results),
        lost=lost,
        files={member.name: _member_result(result) for member, result in parts},
    )
    lines = _sum_verdicts([r.verdicts for r in results])
    _start_gates_early(workspace, f"{upload.source}/{name}", lines)
    staging_of(workspace, upload).write_file_result(
        name,
        result,
        findings=pa.concat_tables([*(r.findings for r in results), missing]),
        doubtful_keys=pa.concat_tables([r.doubtful_keys for r in results], promote_options="default"),
        quarantine=pa.concat_tables([r.quarantine for r in results]),
        lines=lines,
    )


def _start_gates_early(workspace: Workspace, suite: str, lines: pa.Table) -> None:
    """Start the gates' process if it will be asked: its library loads while the other files are read. Not where steps run apart."""
    with suppress(SuiteError):  # which the gates report
        if not workspace.frames.apart and has_failing_rules(workspace.suites[suite], lines):
            start_gx_process()


def _member_result(result: ValidatedFile) -> MemberResult:
    return MemberResult(
        rows_read=result.rows_read,
        rows_accepted=result.rows_accepted,
        rows_rejected=result.rows_rejected,
        refused=result.refused,
        present=result.present,
    )


def _union(names: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for some in names for name in some))


def _sum_verdicts(verdicts: Sequence[pa.Table]) -> pa.Table:
    """Return one row per rule: the sums over all files of the kind."""
    if len(verdicts) == 1:
        return verdicts[0]
    lines = pa.concat_tables(verdicts).group_by(["rule", "column", "check"], use_threads=False)
    summed = lines.aggregate([("judged", "sum"), ("failing", "sum")])
    return summed.rename_columns({"judged_sum": "judged", "failing_sum": "failing"}).select(VERDICTS.names).cast(VERDICTS)


def _lost_columns(upload: Upload, name: str, result: ValidatedFile) -> tuple[str, ...]:
    """Return the columns of file `name` that an earlier published upload had, and this one lacks."""
    return tuple(sorted(set(upload.headers.get(name, ())) - {*result.present, *result.extensions}))


def _missing_column_findings(upload: Upload, name: str, lost: tuple[str, ...]) -> list[Finding]:
    """Return a finding about absent columns: they keep the current values, whereas a blank cell clears them."""
    message = "Earlier uploads had this column, and this one does not; the values that came from it are left as they are."
    file = upload.file_name(upload.format.file(name))
    return [Finding(severity="warning", code="missing_column", file=file, field=column, message=message) for column in lost]
