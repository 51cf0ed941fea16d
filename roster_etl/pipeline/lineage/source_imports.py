"""Find the import whose upload had the row of a version."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

Version = Mapping[str, Any]


def source_import(
    ledger_import: Callable[[int], Mapping[str, Any]], version: Version, versions: Callable[[], Iterable[Version]]
) -> int:
    """Return the number of the import in whose upload the version's row was read.

    Args:
        ledger_import: returns an import of the ledger, with its ``summary``.
        version: of a record, with its validity, file, row and hash.
        versions: returns all versions of the version's record; called only where an undo brought the version back.
    """
    opened = int(version["valid_from_import"])
    summary = ledger_import(opened)["summary"] or {}
    by_row = summary.get("read_in_by_row", {}).get(row_name(version["source_file"], version["source_row"]))
    if by_row is not None:  # a section whose name follows from a steward's edit of another record
        return int(by_row)
    if "read_in" in summary:  # a steward's edit of one column: the other values are from an earlier upload
        return int(summary["read_in"])
    if undoes := summary.get("undoes"):  # a restored version: it was read by the import that first published it
        came = (v for v in versions() if v["valid_from_import"] < undoes[0] and _is_same_row(v, version))
        first = next(came, None)
        return source_import(ledger_import, first, versions) if first else opened
    released = summary.get("released", ())
    found = (n for n, file, row in released if (file, row) == (version["source_file"], version["source_row"]))
    return next(found, opened)


def row_name(file: str | None, row: int | None) -> str:
    """Return the name of a row in a ledger's ``read_in_by_row``."""
    return f"{file}:{row}"


def _is_same_row(one: Version, other: Version) -> bool:
    return all(one[name] == other[name] for name in ("source_file", "source_row", "row_hash"))
