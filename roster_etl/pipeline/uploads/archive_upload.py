"""Archive the bytes of one uploaded file, with its secrets blanked. The queue of pending uploads is in ``pending_uploads``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import pyarrow as pa

from roster_etl.engine.csv.header_match import is_secret_column, match_header
from roster_etl.engine.csv.reader import read_csv
from roster_etl.engine.csv.redact_columns import blank_columns
from roster_etl.frames.arrow import findings_table
from roster_etl.pipeline.uploads.upload import Member
from roster_etl.pipeline.workspace import Workspace
from roster_etl.spec import File, Format
from roster_etl.store.files.spool import spool_pieces


def archive_member(
    workspace: Workspace, format_: Format, encoding: str, member: Member, data: bytes
) -> tuple[Member, pa.Table | None]:
    """Archive a member's bytes with secrets blanked; if they cannot be located, archive nothing and return findings."""
    file = format_.file(str(member.kind))
    has_secrets = any(column.secret for column in file.columns)
    blanked = blank_columns(
        data,
        lambda name: is_secret_column(name, file),
        encoding=encoding,
        is_header=lambda names: not has_secrets or _has_required(names, file),
        join=partial(spool_pieces, scratch=workspace.settings.scratch),
    )
    if blanked is None:
        why = _findings_of_unarchived(data, file, encoding)
        codes = [line["code"] for line in why.to_pylist() if line["severity"] == "file"]
        return replace(member, refused=codes[0] if codes else "malformed_csv"), why
    return replace(member, key=workspace.archive.put(blanked, original_sha256=member.sha256).key), None


def _has_required(names: Sequence[str], file: File) -> bool:
    """Return whether `names` has a required column of `file`; if not, it is no header, and password columns are unknown."""
    found = match_header(names, file).positions
    return any(column.required and column.name in found for column in file.columns)


def _findings_of_unarchived(content: bytes, file: File, encoding: str) -> pa.Table:
    """Return the findings about a file whose bytes are not archived."""
    raw = read_csv(content, encoding=encoding)
    if raw.refused or not raw.header:
        return raw.findings
    return findings_table(match_header(raw.header, file).findings)
