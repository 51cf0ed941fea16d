"""The keys of assets and steps. They are an interface: others build on them (``docs/operations/downstream.md``)."""

from __future__ import annotations

from collections.abc import Sequence

import dagster as dg

from roster_etl.canonical.roster import TABLES
from roster_etl.vendors import Vendor
from roster_etl.vendors.lineage import files_for, tables_of

UPLOAD_NAME, STATE_NAME = "upload", "state"
MAPPED, PLANNED, PUBLISHED, REPORTED = "mapped", "planned", "published", "reported"
STAGES = (MAPPED, PLANNED, PUBLISHED, REPORTED)
"""The assets of a format after its files, in the order of its steps."""
PLAN, REPORT = dg.AssetKey(["roster", "plan"]), dg.AssetKey("report")


def upload_key(vendor: Vendor) -> dg.AssetKey:
    """Return the key of the vendor's uploads."""
    return vendor_key(vendor.format.name, UPLOAD_NAME)


def file_key(vendor: Vendor, name: str) -> dg.AssetKey:
    """Return the key of one of the vendor's files."""
    return vendor_key(vendor.format.name, name)


def vendor_key(source: str, name: str) -> dg.AssetKey:
    """Return the key of an asset of a format: the upload, a file, the state, or a stage after them."""
    return dg.AssetKey([source, name])


def step_of(source: str, name: str) -> str:
    """Return the name of the step that makes an asset of a format."""
    return f"{source}__{name}"


def roster_key(table: str) -> dg.AssetKey:
    """Return the key of a mapped table."""
    return dg.AssetKey(["roster", table])


def warehouse_key(table: str) -> dg.AssetKey:
    """Return the key of a published table."""
    return dg.AssetKey(["warehouse", table])


def filled_tables(vendors: Sequence[Vendor]) -> tuple[str, ...]:
    """Return the tables that at least one vendor fills, in publishing order."""
    filled = {table for vendor in vendors for table in tables_of(vendor)}
    return tuple(name for name in TABLES if name in filled)


def mapped_from(vendor: Vendor, table: str) -> list[dg.AssetKey]:
    """Return the assets from which a roster table is mapped: files, or the state after a delta upload."""
    if vendor.change_plan is not None:
        return [vendor_key(vendor.format.name, STATE_NAME)]
    return [file_key(vendor, name) for name in files_for(vendor, table)]


def district_keys(vendor: Vendor) -> tuple[dg.AssetKey, ...]:
    """Return the assets of a district that an import of `vendor` (or a file set of it) makes: tables, plan and report."""
    tables = tables_of(vendor)
    return (*map(roster_key, tables), PLAN, *map(warehouse_key, tables), REPORT)


def suites_of(vendors: Sequence[Vendor]) -> dict[dg.AssetKey, str]:
    """Return the suite of each file of `vendors` and of each table that one of them fills."""
    return file_suites(vendors) | {roster_key(table): f"canonical/{table}" for table in filled_tables(vendors)}


def file_suites(vendors: Sequence[Vendor]) -> dict[dg.AssetKey, str]:
    """Return the suite of each file of `vendors`."""
    return {
        file_key(vendor, file.name): f"{vendor.format.name}/{file.name}" for vendor in vendors for file in vendor.format.files
    }
