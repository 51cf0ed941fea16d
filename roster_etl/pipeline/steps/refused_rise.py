"""Detect a sudden rise of the share of refused rows, compared with the feed's last published upload.

Belongs here: the counts that an upload leaves for the next one, and the comparison. A share that is as high as the last time is known to
the district and holds nothing here; the limit for any share is the gate's (``quality.tolerance_overrides``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from roster_etl.pipeline.staging import Staging
from roster_etl.pipeline.uploads.upload import Upload
from roster_etl.quality.verdict import share_text

RefusedCounts = Mapping[str, Sequence[int]]
"""File of the format → [rows read, rows refused], rows from which changes could not be applied included."""
SUMMARY_KEY = "refused"
FEWEST_ROWS = 5
"""How many more refused rows are enough where their share rises by more than ``refused_rows_pct``: small districts have few rows."""


def refused_counts(staging: Staging, upload: Upload) -> dict[str, list[int]]:
    """Return the counts of each file of the upload that has rows."""
    later = staging.changes(upload).refused
    counts = {}
    for name, result in staging.file_results(upload).items():
        more = sum(later.get(member.name, 0) for member in upload.members_of(name))
        if result.rows_read:
            counts[name] = [result.rows_read, result.rows_rejected + more]
    return counts


def rise_messages(now: RefusedCounts, before: RefusedCounts, values: Mapping[str, Any], source: str) -> dict[str, str]:
    """Return, by file, why its share of refused rows is a sudden one.

    Args: before: the counts of the last published upload; a file that it did not have is not compared. values: the feed's options.
    """
    points, least = float(values["refused_rise_pct"]), int(values["refused_rise_min"])
    steep = max(points, float(values["refused_rows_pct"]))
    found = {}
    for name, (read, refused) in now.items():
        if points >= 100 or name not in before:
            continue
        read_before, refused_before = before[name]
        expected = read * refused_before / read_before if read_before else 0.0
        more = refused - expected
        few_do = more * 100 > steep * read and more >= min(least, FEWEST_ROWS)
        if few_do or (more * 100 > points * read and more >= least):
            found[name] = (
                f"{source}/{name}: {share_text(read, refused)} of {read:,} rows are refused, "
                f"{share_text(read_before, refused_before)} in the last published upload; more than {points:g} points above it hold"
            )
    return found
