"""The commands `receipts list`, `receipts show`, `receipts outcomes`, `receipts verify` and `receipts sign`: signed statements of what a district sent."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from roster_etl.cli.context import Call
from roster_etl.cli.districts import require_known_district
from roster_etl.cli.exit_codes import REJECTED
from roster_etl.cli.global_options import UsageError
from roster_etl.cli.options import DistrictFilter, DistrictOption, check_import_id
from roster_etl.pipeline.reporting.receipts.hand_out import write_outcomes_file
from roster_etl.pipeline.reporting.receipts.issue import issue_receipts, receipts_enabled
from roster_etl.pipeline.reporting.receipts.verify import verify_receipts
from roster_etl.store.signing_keys import open_envelope

ImportArgument = Annotated[int, typer.Argument(metavar="IMPORT", min=1, callback=check_import_id, help="Number of the import.")]


_ROWS = ("rows_read", "rows_accepted", "rows_rejected", "rows")


def list_(call: Call, district: DistrictOption) -> int:
    """List the receipts of a district: number, kind, import or export, and status."""
    require_known_district(call, district)
    with call.warehouse.read_receipts() as receipts:
        rows = receipts.listing(district)
    names = ("district_id", "source", "number", "kind", "import_id", "export_id", "status", "keyid", "sha256")
    documents = [{name: row[name] for name in names} for row in rows]
    table = [
        (
            row["source"],
            row["number"],
            row["kind"],
            row["import_id"] or "",
            row["export_id"] or "",
            row["status"] or "",
            (row["sha256"] or "not signed yet")[:12],
        )
        for row in rows
    ]
    return call.show_rows(
        documents, ("format", "receipt", "kind", "import", "export", "status", "sha256"), table, none="There is no receipt."
    )


def show(
    call: Call,
    import_id: ImportArgument,
    to: Annotated[
        Path | None, typer.Option("--to", metavar="FILE", help="Write the receipt to this file, to hand it out.")
    ] = None,
) -> int:
    """Show the newest receipt of an import: the signed envelope, and what it says."""
    with call.warehouse.read_receipts() as receipts:
        row = receipts.of_import(import_id)
    content = call.workspace.archive.read_receipt(row["district_id"], row["source"], row["number"]) if row else None
    if row is None or row["sha256"] is None or content is None:
        raise UsageError(problem=f"import {import_id} has no receipt; `roster-etl receipts list` shows those that there are")
    envelope, payload, _ = open_envelope(content)
    statement = json.loads(payload)
    if to is not None:
        to.write_bytes(content)
        return call.show_result({"number": row["number"], "to": str(to)}, f"Receipt {row['number']} is in {to}.")
    return call.show_result({"envelope": envelope, "statement": statement}, *_sentences(statement), "", content.decode().rstrip())


def outcomes(
    call: Call,
    import_id: ImportArgument,
    to: Annotated[Path, typer.Option("--to", metavar="FILE", help="Write the outcomes to this file, to hand it out.")],
    receipt: Annotated[
        int | None, typer.Option("--receipt", metavar="NUMBER", min=1, help="The receipt; default: the newest one of the import.")
    ] = None,
) -> int:
    """Write the outcome of each row of an upload to a CSV file, as its receipt signs for it; `receipts verify --outcomes` verifies it."""
    with call.warehouse.read_receipts() as receipts:
        newest = receipts.of_import(import_id)
        row = newest
        if newest is not None and receipt is not None:
            row = receipts.receipt_by_number(newest["district_id"], newest["source"], receipt)
    if row is None or row["sha256"] is None or row["import_id"] != import_id:
        which = "no receipt" if receipt is None else f"no receipt {receipt}"
        raise UsageError(problem=f"import {import_id} has {which}; `roster-etl receipts list` shows those that there are")
    done = write_outcomes_file(call.workspace, row, to)
    return call.show_result(
        {**asdict(done), "to": str(to)}, f"The outcomes of {done.rows:,} rows, of receipt {done.number}, are in {to}."
    )


def verify(
    call: Call,
    paths: Annotated[list[Path], typer.Argument(metavar="FILE|DIR", help="Receipts, or folders with whole chains of them.")],
    key: Annotated[
        list[Path], typer.Option("--key", metavar="PUB", help="Public key of whoever signed (receipts.pub); repeat for several.")
    ],
    files: Annotated[
        Path | None, typer.Option("--files", metavar="UPLOAD", help="Folder or zip that was uploaded: is it what was signed for?")
    ] = None,
    outcomes: Annotated[
        Path | None, typer.Option("--outcomes", metavar="FILE", help="File of outcomes: is it what was signed for?")
    ] = None,
) -> int:
    """Verify receipts with a public key: signatures, the chain of a folder, and files. Needs no home and no network.

    Exit code 0: all hold; 3: some do not.
    """
    result = verify_receipts(paths, key, upload=files, outcomes=outcomes)
    lines = [f"{one.file}: {'valid' if one.reason is None else one.reason}" for one in result.receipts]
    if result.missing:
        lines.append(f"missing: {', '.join(map(str, result.missing))}")
    call.show_result(result.to_json(), *lines, "All receipts hold." if result.is_valid else "Not all receipts hold.")
    return 0 if result.is_valid else REJECTED


def sign(call: Call, district: DistrictFilter = None) -> int:
    """Sign the receipts that could not be signed when their import ended."""
    if not receipts_enabled(call.workspace):
        raise UsageError(problem="this home has no key for receipts; `roster-etl keys init` makes one")
    with call.warehouse.read_receipts() as receipts:
        chains = [chain for chain in receipts.chains() if district in (None, chain[0])]
    signed = sum(issue_receipts(call.workspace, *chain) for chain in chains)
    return call.show_result({"signed": signed}, f"{signed} receipts signed.")


def _sentences(statement: dict[str, Any]) -> list[str]:
    """Return what a receipt says, for people."""
    stated = statement["predicate"]
    lines = [f"Receipt {stated['number']} of {stated['district_id']}, {stated['source']}: {stated['kind']}, {stated['status']}."]
    if stated.get("received_at"):
        lines.append(f"Received {stated['received_at']}, finished {stated['finished_at']}.")
    lines += [f"{file['file']}: {_counts(file, *(name for name in _ROWS if name in file))}." for file in stated.get("files", ())]
    lines += [f"{table}: {_counts(counts, *counts)}." for table, counts in stated.get("changes", {}).items()]
    if stated.get("decided_by"):
        lines.append(f"Decided by {stated['decided_by']}.")
    lines.append(f"The receipt before it: {stated['previous'] or 'none; it is the first'}.")
    return lines


def _counts(counts: dict[str, Any], *names: str) -> str:
    return ", ".join(f"{counts[name]} {name.replace('_', ' ')}" for name in names)
