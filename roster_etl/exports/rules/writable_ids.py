"""Ids that no file can hold, whatever the format: the records are left out before the rules of the format."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from roster_etl.canonical.references import ID_COLUMNS
from roster_etl.exports.arrays import Array, Mask, mask
from roster_etl.exports.cells import runs, without_breaks
from roster_etl.exports.export_tables import ExportTables
from roster_etl.spec.field_rules import ID_CHARS


def leave_out_unwritable_ids(work: ExportTables) -> None:
    """Leave out records whose id has a line break, or is longer than a reader accepts, and what hangs on them.

    An id is as it is written: with the kind before it (``kinded``), and with ``'`` where a spreadsheet would run it.
    """
    for entity, columns in ID_COLUMNS.items():
        table, name = columns[0]
        if entity in work.tables and entity in work.homes:
            work.keep(table, _is_writable(work.col(table, name), _beside(work, entity)), "id_not_allowed")
    if "logins" in work.tables:
        work.keep("logins", _is_writable(work.col("logins", "login_user_id")), "id_not_allowed")
    work.cascade()


def _beside(work: ExportTables, entity: str) -> Array | int:
    """Return how many characters are written before each id."""
    if entity != "users" or work.options.get("user_ids") != "kinded":
        return 0
    return pc.add(pc.utf8_length(work.col("users", "user_kind")), 1)


def _is_writable(ids: Array, beside: Array | int = 0) -> Mask:
    size = pc.add(pc.utf8_length(ids), beside)
    if (pc.max(size).as_py() or 0) >= ID_CHARS:
        size = pc.add(size, pa.array(runs(ids)).cast(pa.int32()))
    whole = without_breaks(ids)
    fits = mask(pc.fill_null(pc.less_equal(size, ID_CHARS), True))
    return fits if whole is ids else fits & mask(pc.fill_null(pc.equal(whole, ids), True))
