"""The ledger tables: uploads, imports, findings, decisions, manual overrides and exports."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, Literal, get_args

import sqlalchemy as sa

from roster_etl.canonical.sql_types import METADATA, NUMBERED, JsonText, Timestamp

ImportKind = Literal["upload", "override", "undo", "purge"]
ImportStatus = Literal["running", "published", "unchanged", "held", "rejected", "failed", "discarded"]
Decision = Literal["approved", "discarded", "superseded"]
IMPORT_STATUSES: Final[tuple[str, ...]] = get_args(ImportStatus)
ExportStatus = Literal["written", "refused", "failed"]


def _text(name: str, comment: str, *, nullable: bool = True, primary_key: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.Text(), nullable=nullable and not primary_key, primary_key=primary_key, comment=comment)


def _integer(name: str, comment: str, *, nullable: bool = True, primary_key: bool = False) -> sa.Column[Any]:
    kind = sa.BigInteger()
    return sa.Column(
        name, kind, nullable=nullable and not primary_key, primary_key=primary_key, autoincrement=False, comment=comment
    )


def _timestamp(name: str, comment: str, *, nullable: bool = True) -> sa.Column[Any]:
    return sa.Column(name, Timestamp(), nullable=nullable, comment=comment)


def _json(name: str, comment: str, *, nullable: bool = True) -> sa.Column[Any]:
    return sa.Column(name, JsonText(), nullable=nullable, comment=comment)


IMPORTS: Final = sa.Table(
    "imports",
    METADATA,
    sa.Column("import_id", NUMBERED, sa.Identity(), primary_key=True, comment="One rising number for the whole warehouse"),
    _text("kind", "upload, override, undo or purge", nullable=False),
    _text("district_id", "The district's partition key", nullable=False),
    _text("source", "The format of the feed", nullable=False),
    _text("upload_id", "The upload that was imported; NULL for an override, an undo or a purge"),
    _text("run_id", "The Dagster run"),
    _text("status", "running, published, unchanged, held, rejected, failed or discarded", nullable=False),
    _timestamp("received_at", "When the upload had arrived"),
    _timestamp("started_at", "When the import began", nullable=False),
    _timestamp("finished_at", "When the import ended, and its versions became known; NULL while running"),
    _json("options", "JSON object of the options in force", nullable=False),
    _json("summary", "JSON object of what came of it", nullable=False),
    sa.Column(
        "file_set",
        sa.Text(),
        nullable=False,
        server_default="",
        comment="The set of the format's files that the upload was of; empty where all of them arrive together",
    ),
    sa.Column(
        "quarantined", sa.Boolean(), nullable=False, server_default=sa.false(), comment="Whether it has rows in the quarantine"
    ),
    sa.Index("ix_imports_feed", "district_id", "source", "status", "import_id"),
    sa.Index(
        "ix_imports_finished", "district_id", "source", "status", "finished_at", "import_id", "kind"
    ),  # all that metrics count
    sa.Index("ix_imports_district", "district_id", "import_id"),
    sa.Index("ix_imports_status", "status", "import_id"),
    sa.Index("ix_imports_of_feed", "district_id", "source", "import_id"),
    sa.Index("ix_imports_of_set", "district_id", "source", "file_set", "import_id"),
    sa.Index("ix_imports_ended_of_set", "district_id", "source", "file_set", "status", "import_id"),
    sa.Index("ix_imports_quarantined", "district_id", "source", "status", "quarantined", "import_id"),
    sa.Index(
        "ix_imports_undos",
        "district_id",
        "source",
        "import_id",
        sqlite_where=sa.text("kind = 'undo'"),
        postgresql_where=sa.text("kind = 'undo'"),
    ),
    comment="Every import, and how it ended",
    sqlite_autoincrement=True,
)

IMPORT_COUNTS: Final = sa.Table(
    "import_counts",
    METADATA,
    _text("district_id", "The district's partition key", primary_key=True),
    _text("source", "The format of the feed", primary_key=True),
    _text("kind", "upload, override, undo or purge", primary_key=True),
    _text("status", "As in imports", primary_key=True),
    _integer("imports", "How many imports there are", nullable=False),
    comment="How many imports of each feed have each status, so that nobody has to count them",
)

IMPORT_FILES: Final = sa.Table(
    "import_files",
    METADATA,
    _integer("import_id", "The import", primary_key=True),
    _text("file", "The member's path as uploaded", primary_key=True),
    _text("kind", "The vendor's name for this kind of file; NULL: none of the format's"),
    _text("sha256", "Hash of the bytes as uploaded (hex)"),
    _integer("bytes", "Size as uploaded"),
    _integer("rows_read", "Records in the file, without the header"),
    _integer("rows_accepted", "Records that were applied"),
    _integer("rows_rejected", "Records that were refused"),
    comment="The files of every import",
)

FINDINGS: Final = sa.Table(
    "findings",
    METADATA,
    _integer("import_id", "The import", primary_key=True),
    _integer("id", "The finding's number within its import, from 1", primary_key=True),
    _text("severity", "reject, warning, info, file or upload", nullable=False),
    _text("code", "What was found: a stable, documented word", nullable=False),
    _text("file", "The member's path; NULL: the whole upload"),
    _integer("row", "Record number with the header as row 1; NULL: the whole file"),
    _text("field", "The column as the format's document spells it; NULL: the whole row"),
    _text("key", "The record's key, masked"),
    _text("message", "What was expected and what was found; never a cell in full", nullable=False),
    _integer("cause_id", "The finding that this one follows from"),
    _integer("count", "How many findings this one stands for", nullable=False),
    comment="What was noticed about every upload",
)


def _rejected_row() -> Iterator[sa.Column[Any]]:
    """Yield the columns of a row in quarantine."""
    yield _integer("import_id", "The import", nullable=False)
    yield _text("file", "The member's path", nullable=False)
    yield _integer("row", "Record number with the header as row 1", nullable=False)
    yield _text("code", "Why it was refused", nullable=False)
    yield _text("record", "JSON object of the raw cells, without passwords", nullable=False)
    yield _text("record_hash", "Hash of feed, file and record (hex): equal for the same cells refused again")
    yield _timestamp("refused_at", "When the import began that refused the row")


REJECTED_ROWS: Final = sa.Table(
    "rejected_rows",
    METADATA,
    *_rejected_row(),
    sa.Index("ix_rejected_rows_place", "import_id", "file", "row"),
    sa.Index("ix_rejected_rows_record", "record_hash", "refused_at"),
    comment="The quarantine: one row for each finding of severity reject",
)

LEFT_QUARANTINE: Final = sa.Table(
    "left_quarantine",
    METADATA,
    *_rejected_row(),
    _integer("by_import", "The import that applied or replaced the row", nullable=False),
    sa.Index("ix_left_quarantine_by", "by_import"),
    sa.Index("ix_left_quarantine_place", "import_id", "file", "row"),
    comment="Rows that left the quarantine of a delta format: they come back if the import that applied or replaced them is undone",
)

WAITING_FOR: Final = sa.Table(
    "waiting_for",
    METADATA,
    _integer("import_id", "The import that refused the row", nullable=False),
    _text("file", "The member's path", nullable=False),
    _integer("row", "Record number with the header as row 1", nullable=False),
    _integer("awaits", "Hash of feed and of one record, value or row that the row waits for", nullable=False),
    sa.Index("ix_waiting_for_awaits", "awaits"),
    sa.Index("ix_waiting_for_place", "import_id", "file", "row"),
    comment="What the rows in the quarantine of a delta format wait for; a row of which nothing was touched is not tried again",
)

WAITING_FEEDS: Final = sa.Table(
    "waiting_feeds",
    METADATA,
    _text("district_id", "The district's partition key", primary_key=True),
    _text("source", "The format of the feed", primary_key=True),
    _integer("import_id", "The import that recorded last what rows wait for", nullable=False),
    _text("basis", "Hash of the settings and code under which the rows were refused", nullable=False),
    comment="Feeds of which it is recorded what each row in the quarantine waits for; where one is missing, all rows are tried again",
)

HOLDS: Final = sa.Table(
    "holds",
    METADATA,
    _integer("import_id", "The import that was held", primary_key=True),
    _text("reason", "Why it was held", nullable=False),
    _text("plan_sha256", "Hash of the plan that a person is asked to approve", nullable=False),
    _timestamp("created_at", "When it was held", nullable=False),
    _text("decision", "approved, discarded or superseded; NULL while open"),
    _text("decided_by", "Who decided"),
    _timestamp("decided_at", "When it was decided"),
    sa.Index(
        "ix_holds_open",
        "import_id",
        sqlite_where=sa.text("decision IS NULL"),
        postgresql_where=sa.text("decision IS NULL"),
    ),
    comment="Imports that a gate or a threshold stopped, and what a person decided",
)

OVERRIDES: Final = sa.Table(
    "overrides",
    METADATA,
    sa.Column("override_id", NUMBERED, sa.Identity(), primary_key=True, comment="The number of this override"),
    _text("district_id", "The district's partition key", nullable=False),
    _text("source", "The format of the feed", nullable=False),
    _text("table_name", "The roster table", nullable=False),
    _text("key", "JSON object of the record's key", nullable=False),
    _text("field", "The column that was set", nullable=False),
    _text("value", "The value that imports do not overwrite; NULL clears the cell"),
    _text("set_by", "Who set it", nullable=False),
    _timestamp("set_at", "When it was set", nullable=False),
    _timestamp("cleared_at", "When it ended; NULL while in force"),
    sa.Index("ix_overrides_feed", "district_id", "source", "table_name"),
    comment="A steward's edits that imports keep",
)

CHECKS: Final = sa.Table(
    "checks",
    METADATA,
    _integer("import_id", "The import", primary_key=True),
    _text("name", "What was checked", primary_key=True),
    sa.Column("passed", sa.Boolean(), nullable=False, comment="Whether it passed"),
    _text("severity", "error: a failure stops publishing; warn: it is shown", nullable=False),
    _json("details", "JSON object: expectations that failed, and by how much", nullable=False),
    comment="The verdicts of the quality gates of every import",
)

EXPORTS: Final = sa.Table(
    "exports",
    METADATA,
    sa.Column("export_id", NUMBERED, sa.Identity(), primary_key=True, comment="One rising number for the whole warehouse"),
    _text("district_id", "The district's partition key", nullable=False),
    _text("source", "The format of the feed whose roster was exported", nullable=False),
    _text("format", "The format that was written", nullable=False),
    _json("options", "JSON object of the options in force, the scope and the handling of formulas", nullable=False),
    _integer("as_of_import", "The newest import of the feed that the export contains"),
    _integer("since_import", "The import after which changes were exported; NULL: everything"),
    _text("destination", "Where it was written, without secrets", nullable=False),
    _text("destination_name", "The outgoing feed in the district's settings; NULL: a single export"),
    _text(
        "status",
        "written, refused (a gate; nothing was written) or failed; failed without an end: its process died",
        nullable=False,
    ),
    _json("refused", "JSON object: which gate refused it, and a count; NULL: none did"),
    _timestamp("started_at", "When the export began", nullable=False),
    _timestamp("finished_at", "When it ended; NULL while it is being written, or if its process died"),
    _json("files", "JSON list of the files: name, rows, bytes, sha256", nullable=False),
    _json("losses", "JSON list of what the format could not say, as counts", nullable=False),
    _text("requested_by", "Who asked for it", nullable=False),
    sa.Index("ix_exports_district", "district_id", "export_id"),
    sa.Index("ix_exports_destination", "district_id", "destination_name", "export_id"),
    sa.Index("ix_exports_place", "district_id", "destination", "export_id"),
    comment="The record of disclosures: what left, when, for whom and with which losses; no personal data",
    sqlite_autoincrement=True,
)
