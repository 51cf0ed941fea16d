"""Set columns aside of which too many cells cannot be read.

Belongs here: which columns those are, and the file without them. An absent column keeps the known values, so that a changed date form
or a shifted column empties nothing. What cannot be read is found in ``column_checks``.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.compute as pc

from roster_etl.engine.validation.validate import ValidatedFile
from roster_etl.frames.arrow import findings_table
from roster_etl.spec.findings import Finding

CODE = "unreadable_column"


@dataclass(frozen=True, kw_only=True)
class UnreadableLimits:
    """When a column is set aside: more than ``percent`` of its filled cells cannot be read, and at least ``least`` cells."""

    percent: float
    least: int

    def are_exceeded(self, filled: int, unreadable: int) -> bool:
        """Return whether `unreadable` of `filled` cells are too many."""
        return self.percent < 100 and unreadable >= self.least and unreadable * 100 > self.percent * filled


def set_unreadable_columns_aside(
    result: ValidatedFile, known: Collection[str], limits: UnreadableLimits, file_name: str
) -> ValidatedFile:
    """Return `result` as if the file lacked the columns of which too many cells cannot be read.

    One warning a column replaces those about its cells.

    Args: known: the columns that earlier published uploads had; of others there is no value to keep.
    """
    columns = [n for n, counts in result.malformed.items() if n in known and n in result.present and limits.are_exceeded(*counts)]
    if not columns:
        return result
    names = pa.array(columns, pa.string())
    of_cells = pc.and_(pc.is_in(result.findings["field"], value_set=names), pc.equal(result.findings["severity"], "warning"))
    of_cells = pc.and_(of_cells, pc.is_valid(result.findings["row"]))
    warnings = findings_table([_finding(name, *result.malformed[name], limits, file_name) for name in columns])
    return replace(
        result,
        rows=result.rows.drop_columns(columns),
        findings=pa.concat_tables([result.findings.filter(pc.invert(of_cells)), warnings]),
        present=tuple(name for name in result.present if name not in columns),
        set_aside=tuple(columns),
    )


def _finding(column: str, filled: int, unreadable: int, limits: UnreadableLimits, file_name: str) -> Finding:
    share = f"{100 * unreadable / filled:.1f} %"
    message = (
        f"{unreadable:,} of {filled:,} filled cells ({share}) cannot be read, at most {limits.percent:g} % allowed: the column was set "
        "aside. Known values stay as they are, and new records have none."
    )
    return Finding(severity="warning", code=CODE, file=file_name, field=column, message=message, count=unreadable)
