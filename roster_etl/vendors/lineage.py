"""Table-level lineage of a vendor: the tables that its files fill, through which mappings, and the files of each table."""

from __future__ import annotations

from roster_etl.canonical.roster import TABLES
from roster_etl.mapping.change_plan import changed_tables as tables_of_fold
from roster_etl.mapping.column_plan import Mapping
from roster_etl.vendors import Vendor


def tables_of(vendor: Vendor) -> tuple[str, ...]:
    """Return the canonical tables that a vendor fills, in publishing order."""
    if vendor.change_plan is not None:
        return tables_of_fold(vendor.change_plan)
    filled = {mapping.to for mapping in vendor.mappings}
    return tuple(name for name in TABLES if name in filled)


def mappings_to(vendor: Vendor, table: str) -> tuple[Mapping, ...]:
    """Return the vendor's mappings to `table`, in their order."""
    return tuple(mapping for mapping in vendor.mappings if mapping.to == table)


def reads_of(vendor: Vendor, table: str) -> list[tuple[str, tuple[tuple[str, str], ...]]]:
    """Return the lineage of canonical `table`: its columns, each with its source (file, column) pairs; one entry per plan."""
    if vendor.change_plan is not None:
        return [(target, pairs) for target, pairs in vendor.change_plan.lineage(table).items() if target in TABLES[table].names]
    return [entry for mapping in mappings_to(vendor, table) for entry in mapping.lineage().items()]


def files_for(vendor: Vendor, table: str) -> tuple[str, ...]:
    """Return the vendor files that `table` is computed from, in the order of the format."""
    read = {name for mapping in mappings_to(vendor, table) for name in mapping.files()}
    return tuple(file.name for file in vendor.format.files if file.name in read)
