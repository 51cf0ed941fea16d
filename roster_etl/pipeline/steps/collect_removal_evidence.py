"""Collect the reasons why a record that is missing from an upload may not have been removed."""

from __future__ import annotations

from collections.abc import Mapping

from roster_etl.canonical.roster import TABLES
from roster_etl.engine.planning.removal_evidence import RemovalEvidence
from roster_etl.mapping.column_plan import AnyGiven, OnlyRows, Unpivot, identity_columns
from roster_etl.pipeline.staging import FileResult, staging_of
from roster_etl.pipeline.steps.exclusions import parse_exclusions
from roster_etl.pipeline.uploads.upload import Upload
from roster_etl.pipeline.workspace import Workspace


def collect_removal_evidence(workspace: Workspace, upload: Upload) -> RemovalEvidence:
    """Return what the upload leaves unknown, file by file, read from the staged results of validation."""
    staging = staging_of(workspace, upload)
    results = staging.file_results(upload)
    unread = {file.name for file in upload.format.files} - {name for name, result in results.items() if result.rows_accepted}
    broken = [name for name, result in results.items() if result.refused and result.refused != "empty_file"]
    return RemovalEvidence(
        file_of=upload.kind_of,
        files=frozenset(unread),
        has_refused_file=bool(broken),
        unidentified_records={name: result.evidence for name, result in results.items()},
        identity=_identity(upload),
        doubtful_keys={name: staging.doubtful_keys(name) for name in results},
        unavailable_records=_unstated_records(upload, results),
        stated=_stated_tables(upload),
        exclusions=parse_exclusions(upload.leave_out),
    )


def _unstated_records(upload: Upload, results: Mapping[str, FileResult]) -> dict[tuple[str, str], Mapping[str, object]]:
    """Return (table, file) of the records about which the upload is incomplete.

    Either the columns that create them are missing, or a damaged record has an unreadable key.
    """
    found: dict[tuple[str, str], Mapping[str, object]] = {}
    for mapping in upload.vendor.mappings:
        result = results.get(mapping.source)
        lost, present = (set(result.lost), set(result.present)) if result else (set[str](), set[str]())
        table = TABLES[mapping.to]
        needed = {step.column for step in mapping.steps if isinstance(step, OnlyRows)}
        needed |= {name for step in mapping.steps if isinstance(step, AnyGiven) for name in step.columns}
        keys = set(mapping.unavailable_targets({mapping.source: present}, {mapping.source: lost})) & set(table.key) - set(
            table.optional_key
        )
        families = {step.family for step in mapping.steps if isinstance(step, Unpivot)}
        if needed & lost or keys or (result and result.hidden):
            found[mapping.to, mapping.source] = {}
        elif families & lost:
            found[mapping.to, mapping.source] = mapping.family_values
    return found


def _stated_tables(upload: Upload) -> frozenset[str]:
    """Return the tables of which the upload has no whole file; all others may lose what it leaves out."""
    whole = {member.kind for member in upload.members if member.changes is None and member.lasts_from is None}
    filled = {mapping.to for mapping in upload.vendor.mappings if mapping.source in whole}
    return frozenset({mapping.to for mapping in upload.vendor.mappings} - filled) if upload.format.manifest else frozenset()


def _identity(upload: Upload) -> dict[tuple[str, str], Mapping[str, str]]:
    """Return (table, file) → the columns with the file's key: of the table's key, or, where it has none of it, others."""
    found: dict[tuple[str, str], Mapping[str, str]] = {}
    for mapping in upload.vendor.mappings:
        table, key = TABLES[mapping.to], upload.format.file(mapping.source).key
        found[mapping.to, mapping.source] = identity_columns(mapping, table.key, key) or identity_columns(
            mapping, table.names, key
        )
    return found
