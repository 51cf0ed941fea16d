"""Sign receipts: give the next numbers of a feed's chain to what happened, and write a signed statement of each.

Belongs here: the order of the steps. A number is given in a transaction, then the files are written, then the ledger learns their
hash: whoever is killed in between leaves a number that the next call signs, so that a chain has no gap and no number twice.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version as installed_version
from typing import Any

from roster_etl.pipeline.reporting.import_summary import ImportSummary, read_import_summary
from roster_etl.pipeline.reporting.receipts.outcomes import digest_of, outcome_note, outcomes_csv
from roster_etl.pipeline.reporting.receipts.statement import (
    canonical_json,
    export_statement,
    import_outcome,
    import_statement,
    key_statement,
    roster_digests,
)
from roster_etl.pipeline.workspace import Workspace
from roster_etl.spec.errors import PermanentError, RosterError
from roster_etl.spec.findings import Finding
from roster_etl.store.fault_injection import fault_point
from roster_etl.store.signing_keys import KeyFolder, NoEnvelope, SigningKey, SigningKeys, open_envelope
from roster_etl.store.warehouse import Warehouse

_LOG = logging.getLogger("roster_etl")
FAILED = "receipt_failed"


@dataclass(frozen=True, kw_only=True)
class Rotation:
    """A rotation of the key. ``keyid``: the new key's; ``chains``: how many chains name it now."""

    keyid: str
    chains: int


class KeyMissing(PermanentError):
    """Receipts were signed with a key that this home does not have: with another one, whoever has its public half could verify no more."""

    code = "key_missing"
    template = (
        "receipts of {feeds} feeds are signed with key {keyid}, which is not in this home: put its keys/ back, or name it in [receipts]; "
        "if the key is lost, `roster-etl keys init --lost` makes another one, whose public key recipients need as well"
    )


def keys_of_chains(warehouse: Warehouse) -> dict[str, int]:
    """Return the keys that the newest receipts of feeds are signed with, or name: ID → how many feeds."""
    with warehouse.read_receipts() as receipts:
        found = (receipts.key_of_chain(*chain) for chain in receipts.chains())
        return dict(Counter(keyid for keyid in found if keyid is not None))


def create_key(workspace: Workspace, *, lost: bool = False) -> SigningKey:
    """Make the first key of a home. Raises KeyMissing: there were others, unless they are `lost`; KeyExists; NoKey."""
    folder, known = KeyFolder(workspace.settings), keys_of_chains(workspace.warehouse)
    if known and not lost and not folder.is_enabled:
        keyid = max(known, key=lambda one: (known[one], one))
        raise KeyMissing(feeds=known[keyid], keyid=keyid[:12])
    return folder.create()


def receipts_enabled(workspace: Workspace) -> bool:
    """Return whether imports of this workspace get receipts: it has a key, and is no dry run."""
    return workspace.signs_receipts and KeyFolder(workspace.settings).is_enabled


def issue_receipts(workspace: Workspace, district_id: str, source: str, import_id: int | None = None) -> int:
    """Sign a receipt of everything in a feed that has none, and return how many were signed; 0 without a key.

    Args:   import_id: the import that has just ended, with which a chain may begin.
    Raises: SettingsError: the key cannot be used. RosterError: the archive or the warehouse cannot be written.
    """
    if not receipts_enabled(workspace):
        return 0
    with workspace.warehouse.write(directly=True) as tx:
        tx.receipts.reserve(district_id, source, import_id)
        fault_point("receipt.number")
    fault_point("receipt.numbered")
    return _sign_numbered(workspace, KeyFolder(workspace.settings).load(), district_id, source)


def try_issue_receipts(workspace: Workspace, summary: ImportSummary) -> ImportSummary:
    """Sign what is due once an import has ended. Returns its summary, with a warning if that failed: a receipt stops no roster."""
    if summary.status == "running" or not receipts_enabled(workspace):
        return summary
    try:
        issue_receipts(workspace, summary.district_id, summary.source, summary.import_id)
    except (RosterError, OSError) as error:
        problem = error.message if isinstance(error, RosterError) else type(error).__name__
        return _with_warning(workspace, summary, problem)
    return summary


def sign_export(workspace: Workspace, district_id: str, source: str, number: int) -> dict[str, Any] | None:
    """Sign the receipt of an export, which has its number, and those before it.

    Returns: what the document of the export says of it; None: that failed, is logged, and the next import of the feed signs it.
    """
    try:
        _sign_numbered(workspace, KeyFolder(workspace.settings).load(), district_id, source)
    except (RosterError, OSError) as error:
        problem = error.message if isinstance(error, RosterError) else type(error).__name__
        _LOG.warning("the receipt of an export of %s could not be signed: %s", district_id, problem)
        return None
    with workspace.warehouse.read_receipts() as receipts:
        row = receipts.receipt_by_number(district_id, source, number)
    return None if row is None else _described(workspace, row)


def receipt_of(workspace: Workspace, import_id: int) -> dict[str, Any] | None:
    """Return what the documents say of an import's newest receipt: ``number``, ``kind``, ``file`` in the archive, ``sha256``; None: none."""
    if not receipts_enabled(workspace):
        return None
    with workspace.warehouse.read_receipts() as receipts:
        row = receipts.of_import(import_id)
    if row is None or row["sha256"] is None:
        return None
    return _described(workspace, row)


def _described(workspace: Workspace, row: Mapping[str, Any]) -> dict[str, Any]:
    name = workspace.archive.receipt_name(row["district_id"], row["source"], row["number"])
    return {"number": row["number"], "kind": row["kind"], "file": name, "sha256": row["sha256"], "keyid": row["keyid"]}


def rotate_key(workspace: Workspace) -> Rotation:
    """Replace the key: every chain gets a receipt of the new one, signed with the old one. An interrupted rotation is continued.

    Raises: NoKey; SettingsError; RosterError.
    """
    folder = KeyFolder(workspace.settings)
    keys = folder.begin_rotation()
    assert keys.next is not None
    with workspace.warehouse.read_receipts() as receipts:
        chains = receipts.chains()
    for district_id, source in chains:
        issue_receipts(workspace, district_id, source)
        _reserve_key(workspace, district_id, source, keys.next)
        _sign_numbered(workspace, keys, district_id, source)
    folder.end_rotation()
    return Rotation(keyid=keys.next.keyid, chains=len(chains))


def _reserve_key(workspace: Workspace, district_id: str, source: str, following: SigningKey) -> None:
    """Give the chain's next number to the new key, unless the chain names it already."""
    with workspace.warehouse.write(directly=True) as tx:
        last = tx.receipts.last(district_id, source)
        assert last is not None
        if last["keyid"] == following.keyid or (last["kind"] == "key" and last["status"] == following.keyid):
            return
        shared = {name: last[name] for name in ("district_id", "source", "covered_to", "roster_import")}
        row = {**shared, "number": last["number"] + 1, "kind": "key", "status": following.keyid, "undecided": False}
        tx.receipts.append(row)


def _sign_numbered(workspace: Workspace, keys: SigningKeys, district_id: str, source: str) -> int:
    with workspace.warehouse.read_receipts() as receipts:
        rows = receipts.unsigned(district_id, source)
        before = receipts.receipt_by_number(district_id, source, rows[0]["number"] - 1) if rows else None
    for row in rows:
        before = _sign(workspace, keys, row, before)
    return len(rows)


def _sign(workspace: Workspace, keys: SigningKeys, row: Mapping[str, Any], before: Mapping[str, Any] | None) -> dict[str, Any]:
    """Write one receipt, and its hash to the ledger. Returns the receipt's row."""
    key = _key_of_chain(keys, before)
    place = (row["district_id"], row["source"], row["number"])
    previous = before["sha256"] if before else None
    content, roster = _adopted(workspace, keys, row, previous), _known_roster(row, before)
    if content is None:
        fault_point("receipt.write")
        statement, roster = _statement(workspace, keys, row, previous, roster)
        content = json.dumps(key.sign(canonical_json(statement)), indent=1).encode() + b"\n"
        workspace.archive.write_receipt(*place, content)
        fault_point("receipt.written")
    _, payload, signers = open_envelope(content)
    stated = json.loads(payload)["predicate"].get("roster", roster or {})
    signed = {**row, "sha256": hashlib.sha256(content).hexdigest(), "keyid": signers[0], "roster": stated}
    with workspace.warehouse.write(directly=True) as tx:
        tx.receipts.complete(signed)
    fault_point("receipt.signed")
    return signed


def _key_of_chain(keys: SigningKeys, before: Mapping[str, Any] | None) -> SigningKey:
    """Return the key that signs after receipt `before`: the next one from the receipt on that names it."""
    if keys.next and before and (before["keyid"] == keys.next.keyid or before["status"] == keys.next.keyid):
        return keys.next
    return keys.current


def _adopted(workspace: Workspace, keys: SigningKeys, row: Mapping[str, Any], previous: str | None) -> bytes | None:
    """Return the envelope that a killed process wrote under this number; None: there is none, or it states something else."""
    content = workspace.archive.read_receipt(row["district_id"], row["source"], row["number"])
    if content is None:
        return None
    try:
        _, payload, signers = open_envelope(content)
        stated = json.loads(payload)["predicate"]
    except (NoEnvelope, ValueError, KeyError, TypeError):
        return None
    known = {key.keyid for key in (keys.current, keys.next) if key}
    same = all(stated.get(name) == row[name] for name in ("number", "kind", "status")) and stated.get("previous") == previous
    same = same and all(stated.get(name) == row[name] for name in ("import_id", "export_id"))
    return content if same and set(signers) <= known else None


def _known_roster(row: Mapping[str, Any], before: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return the roster that the receipt before stated, if nothing was published since; None: it has to be read."""
    same = before is not None and before["roster"] is not None and before["roster_import"] == row["roster_import"]
    return dict(before["roster"]) if same and before and row["kind"] != "purge" else None


def _statement(
    workspace: Workspace, keys: SigningKeys, row: Mapping[str, Any], previous: str | None, roster: dict[str, Any] | None
) -> tuple[dict[str, Any], dict[str, Any] | None]:
    shared: dict[str, Any] = {"previous": previous, "installation": keys.installation, "version": installed_version("roster_etl")}
    if row["kind"] == "key":
        assert keys.next is not None
        return key_statement(row, **shared, keyid=keys.next.keyid, public_pem=keys.next.public_pem), roster
    with workspace.warehouse.read() as session, workspace.warehouse.read_receipts() as receipts:
        if roster is None:
            roster = roster_digests(receipts, row["district_id"], row["source"], row["roster_import"])
        if row["kind"] == "export":
            export = session.ledger.export(row["export_id"])
            assert export is not None  # the ledger of exports outlives purges
            return export_statement(row, export, **shared, roster=roster), roster
        summary = read_import_summary(workspace, row["import_id"])
        rejected = session.ledger.quarantined_rows(row["import_id"]).to_pylist()
    outcomes = None
    if summary.row["kind"] == "upload" and row["status"] not in ("discarded", "superseded"):
        note = outcome_note(workspace, import_outcome(row, summary, rejected))
        workspace.archive.write_outcomes(row["district_id"], row["source"], row["number"], note)
        outcomes = digest_of(outcomes_csv(workspace.archive, note))
    return import_statement(row, summary, **shared, roster=roster, outcomes_sha256=outcomes), roster


def _with_warning(workspace: Workspace, summary: ImportSummary, problem: str) -> ImportSummary:
    """Add the finding that the receipt failed to an import, once. Returns the import's summary."""
    if any(finding["code"] == FAILED for finding in summary.findings):
        return summary
    message = (
        f"The receipt of this import could not be signed ({problem}); the next import, or `roster-etl receipts sign`, signs it."
    )
    try:
        with workspace.warehouse.write(directly=True) as tx:
            tx.add_finding(summary.import_id, Finding(severity="warning", code=FAILED, message=message))
        return read_import_summary(workspace, summary.import_id)
    except RosterError:
        return summary
