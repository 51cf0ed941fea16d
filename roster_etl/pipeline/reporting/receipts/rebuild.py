"""Bring the table of receipts in line with the receipts in the archive, after a rebuild or a restore."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from roster_etl.pipeline.reporting.receipts.verify import CheckedReceipt, read_receipt
from roster_etl.store.archive import Archive
from roster_etl.store.warehouse import UnknownImport, Warehouse, WriteSession


def restore_receipt_rows(warehouse: Warehouse, archive: Archive, district_id: str) -> int:
    """Add the receipts of a district that the archive has and the warehouse lacks. Returns how many there were.

    A receipt of an import that the warehouse does not have (it was restored to a moment before) is kept without the import's
    number, which another import gets.
    """
    chains: dict[str, list[int]] = defaultdict(list)
    for source, number in archive.receipts(district_id):
        chains[source].append(number)
    added = 0
    for source, numbers in chains.items():
        with warehouse.write(directly=True) as tx:
            last = tx.receipts.last(district_id, source)
            for number in (n for n in numbers if last is None or n > last["number"]):
                content = archive.read_receipt(district_id, source, number)
                receipt = read_receipt(content or b"", str(number))
                if receipt.document is None or number != (last["number"] if last else 0) + 1:
                    break  # damaged, or a gap: what follows cannot be continued
                last = _row(tx, receipt, district_id, source, last)
                tx.receipts.append(last)
                added += 1
    return added


def _row(
    tx: WriteSession, receipt: CheckedReceipt, district_id: str, source: str, before: Mapping[str, Any] | None
) -> dict[str, Any]:
    stated = receipt.predicate
    import_id = _same_import(tx, stated)
    covered = before["covered_to"] if before else (import_id or 1) - 1
    status = stated["new_key"]["keyid"] if stated["kind"] == "key" else stated["status"]
    return {
        "district_id": district_id,
        "source": source,
        "number": stated["number"],
        "kind": stated["kind"],
        "import_id": import_id,
        "export_id": stated.get("export_id"),
        "status": status,
        "undecided": import_id is not None and status in ("held", "failed"),
        "covered_to": max(covered, import_id or 0),
        "roster_import": None,
        "roster": stated.get("roster", before["roster"] if before else {}),
        "keyid": receipt.keyids[0],
        "sha256": receipt.sha256,
    }


def _same_import(tx: WriteSession, stated: Mapping[str, Any]) -> int | None:
    """Return the import that a receipt is about; None: the warehouse has none of this number that began when it says."""
    number = stated.get("import_id")
    if number is None:
        return None
    try:
        row = tx.ledger.import_(number)
    except UnknownImport:
        return None
    received = stated.get("received_at")
    same = row["received_at"] == datetime.fromisoformat(received) if received else row["received_at"] is None
    return number if same and row["district_id"] == stated["district_id"] and row["source"] == stated["source"] else None
