"""All exit codes of the commands, and which outcome has which code."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

OK, FAILED, USAGE_ERROR, REJECTED, HELD, INTERRUPTED = 0, 1, 2, 3, 4, 130

# By status of an import in the ledger; "publishable" is a status of `check` only.
BY_STATUS = {
    "published": OK,
    "unchanged": OK,
    "publishable": OK,
    "failed": FAILED,
    "running": FAILED,
    "rejected": REJECTED,
    "discarded": REJECTED,
    "held": HELD,
}


def most_severe(codes: Iterable[int]) -> int:
    """Return the exit code of the uploads of one command: failed before rejected before held."""
    return min(codes, key=(FAILED, USAGE_ERROR, REJECTED, HELD, OK).index)


def of_backfill(statuses: Iterable[str]) -> int:
    """Return the exit code of many districts' imports: failed before held before rejected, since a hold waits for a person."""
    return min((BY_STATUS[status] for status in statuses), key=(FAILED, HELD, REJECTED, OK).index, default=OK)


def of_feeds(needs: Iterable[Sequence[str]]) -> int:
    """Return the exit code of how feeds stand, from why each needs a person: as `of_backfill`; a late feed counts as failed."""
    codes = {"held": HELD, "rejected": REJECTED}
    return min(
        (codes.get(need, FAILED) for of_feed in needs for need in of_feed), key=(FAILED, HELD, REJECTED, OK).index, default=OK
    )
