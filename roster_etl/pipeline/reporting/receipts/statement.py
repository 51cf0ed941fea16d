"""What a receipt states: an in-toto statement about one import, decision, undo, purge, export or new key.

Belongs here: the statement's fields, from the ledger alone, so that a statement made again is the same. No name, no id of a person, no value.
Source: in-toto Attestation Framework, Statement v1; RFC 8785 (canonical JSON).
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from roster_etl.canonical.roster import TABLES
from roster_etl.pipeline.reporting.import_summary import ImportSummary
from roster_etl.pipeline.reporting.receipts.outcomes import ImportOutcome
from roster_etl.store.warehouse import SqlReceipts

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "urn:x-roster-etl:receipt:1"

Document = dict[str, Any]


def canonical_json(document: Any) -> bytes:
    """Return `document` as canonical JSON (RFC 8785): the same bytes wherever it is written."""
    import rfc8785

    return rfc8785.dumps(document)


def import_statement(
    row: Mapping[str, Any],
    summary: ImportSummary,
    *,
    previous: str | None,
    installation: str,
    version: str,
    roster: Mapping[str, Any],
    outcomes_sha256: str | None,
) -> Document:
    """Return the statement of receipt `row` (``canonical.receipts``) about the import of `summary`.

    Args: previous: hash of the receipt before it. roster: table → rows and sha256. outcomes_sha256: of the file of outcomes, if any.
    """
    details = summary.details
    stated = {
        "import_id": summary.import_id,
        "export_id": None,
        "upload_id": summary.row["upload_id"],
        "received_at": _time(summary.row["received_at"]),
        "finished_at": _time(_moment_of(row, summary)),
        "options_sha256": hashlib.sha256(canonical_json(summary.row["options"] or {})).hexdigest(),
        "files": [_file_counts(file) for file in summary.files],
        "findings": count_findings(summary.findings),
        "changes": details.get("changes", {}) if row["status"] == "published" else {},
        "plan_sha256": details.get("sha256"),
        "decided_by": (summary.hold or {}).get("decided_by") if row["kind"] == "decision" else None,
        "roster": dict(roster),
        "outcomes_sha256": outcomes_sha256,
    }
    frame = _frame(row, previous=previous, installation=installation, version=version)
    package = details.get("package")
    subject = [*([package] if package else []), *({"name": file["file"], "sha256": file["sha256"]} for file in summary.files)]
    return _statement(subject or [_roster_subject(row, roster)], {**frame, **stated})


def key_statement(
    row: Mapping[str, Any], *, previous: str | None, installation: str, version: str, keyid: str, public_pem: str
) -> Document:
    """Return the statement that from now on the chain is signed with another key: ``new_key`` has its id and its SPKI PEM."""
    digest = hashlib.sha256(public_pem.encode()).hexdigest()
    frame = _frame(row, previous=previous, installation=installation, version=version)
    return _statement(
        [{"name": "receipts.pub", "sha256": digest}], {**frame, "new_key": {"keyid": keyid, "public_key": public_pem}}
    )


def export_statement(
    row: Mapping[str, Any],
    export: Mapping[str, Any],
    *,
    previous: str | None,
    installation: str,
    version: str,
    roster: Mapping[str, Any],
) -> Document:
    """Return the statement of receipt `row` about an export: the files that left, and the roster that they were made of.

    Args: export: its row in the ledger of exports. previous: hash of the receipt before it. roster: table → rows and sha256.
    """
    stated = {
        "import_id": None,
        "export_id": export["export_id"],
        "upload_id": None,
        "received_at": None,
        "finished_at": _time(export["finished_at"]),
        "options_sha256": hashlib.sha256(canonical_json(export["options"] or {})).hexdigest(),
        "format": export["format"],
        "as_of_import": export["as_of_import"],
        "since_import": export["since_import"],
        "files": [{"file": file["file"], "rows": file["rows"]} for file in export["files"]],
        "roster": dict(roster),
    }
    frame = _frame(row, previous=previous, installation=installation, version=version)
    subject = [{"name": file["file"], "sha256": file["sha256"]} for file in export["files"]]
    return _statement(subject or [_roster_subject(row, roster)], {**frame, **stated})


def _statement(subject: Sequence[Mapping[str, str]], predicate: Mapping[str, Any]) -> Document:
    return {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": one["name"], "digest": {"sha256": one["sha256"]}} for one in subject if one["sha256"]],
        "predicateType": PREDICATE_TYPE,
        "predicate": dict(predicate),
    }


def _frame(row: Mapping[str, Any], *, previous: str | None, installation: str, version: str) -> Document:
    """Return the fields that every receipt has."""
    return {
        "kind": row["kind"],
        "number": row["number"],
        "previous": previous,
        "installation": installation,
        "district_id": row["district_id"],
        "source": row["source"],
        "status": row["status"],
        "version": version,
    }


def _roster_subject(row: Mapping[str, Any], roster: Mapping[str, Any]) -> dict[str, str]:
    """Return what a receipt without files is about: the roster as it is after the event."""
    return {
        "name": f"roster/{row['district_id']}/{row['source']}",
        "sha256": hashlib.sha256(canonical_json(dict(roster))).hexdigest(),
    }


def _file_counts(file: Mapping[str, Any]) -> Document:
    return {name: file[name] for name in ("file", "kind", "rows_read", "rows_accepted", "rows_rejected")}


def count_findings(findings: Sequence[Mapping[str, Any]]) -> Document:
    """Return severity → code → number of findings."""
    counts: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for finding in findings:
        if finding["code"] != "receipt_failed":  # of the receipt itself: a statement made again is the same
            counts[finding["severity"]][finding["code"]] += finding["count"]
    return {severity: dict(codes) for severity, codes in counts.items()}


def roster_digests(receipts: SqlReceipts, district_id: str, source: str, import_id: int | None) -> Document:
    """Return, for each table that had records after import `import_id`, ``rows`` and ``sha256``; empty: none was published.

    The hash is that of the sorted hashes of the rows (``row_hash``), each followed by a line feed.
    """
    found: Document = {}
    if import_id is None:
        return found
    for name in TABLES:
        hashes = receipts.roster_hashes(district_id, source, name, import_id).column("row_hash").to_pylist()
        if hashes:
            text = "".join(f"{value}\n" for value in sorted(hashes))
            found[name] = {"rows": len(hashes), "sha256": hashlib.sha256(text.encode()).hexdigest()}
    return found


def import_outcome(row: Mapping[str, Any], summary: ImportSummary, rejected: Sequence[Mapping[str, Any]]) -> ImportOutcome:
    """Return what became of the rows of an import. Args: rejected: its quarantined rows, one for each finding."""
    codes: dict[tuple[str, int], str] = {}
    for one in rejected:
        codes.setdefault((one["file"], one["row"]), one["code"])
    refusals = {f["file"]: f["code"] for f in summary.findings if f["severity"] in ("file", "upload")}
    return ImportOutcome(
        district_id=summary.district_id,
        source=summary.source,
        import_id=summary.import_id,
        status=row["status"],
        rejected=codes,
        released=[(int(n), str(file), int(at)) for n, file, at in summary.details.get("released", ()) if n is not None],
        refusals=refusals,
    )


def _moment_of(row: Mapping[str, Any], summary: ImportSummary) -> datetime | None:
    """Return when the event was: for a decision that publishes nothing, when it was made."""
    hold = summary.hold or {}
    finished: datetime | None = summary.row["finished_at"]
    if row["kind"] == "decision" and row["status"] != "published":
        return hold.get("decided_at") or finished
    return finished


def _time(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment is not None else None
