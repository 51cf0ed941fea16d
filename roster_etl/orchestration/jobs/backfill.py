"""Import many districts: choose feeds, run a bounded number at a time, and collect the results."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from roster_etl.orchestration.assets.default_upload import default_order
from roster_etl.orchestration.jobs.in_process_runs import run_import
from roster_etl.pipeline.lifecycle.crashed_imports import fail_orphans_under_lock
from roster_etl.pipeline.uploads.archived_uploads import newest_archived
from roster_etl.pipeline.workspace import Workspace
from roster_etl.spec.errors import RosterError
from roster_etl.store.actor import Channel, actor_channel, current_channel
from roster_etl.store.settings import landing_folder

FeedName = tuple[str, str]
"""A district and a format."""


@dataclass(frozen=True, kw_only=True)
class BackfillResult:
    """The result for one feed. ``status``: the import's, or ``paused``, ``nothing`` (no upload to import) or ``failed``."""

    district_id: str
    source: str
    status: str
    import_id: int | None = None
    code: str | None = None
    message: str | None = None


def select_feeds(
    workspace: Workspace, *, districts: Sequence[str] = (), source: str | None = None, failed: bool = False
) -> tuple[FeedName, ...]:
    """Return the feeds of `districts` (none: all), of format `source` if given; `failed`: those whose newest import failed.

    An import whose process died counts as failed. Raises: UnknownDistrict; RegistryError naming every file that cannot be read.
    """
    known = [workspace.registry.get(district) for district in districts] if districts else workspace.registry.list()
    feeds = [(d.id, feed.format) for d in known for feed in d.feeds if source in (None, feed.format)]
    return tuple(feed for feed in feeds if not failed or _has_failed(workspace, feed))


def backfill_feeds(
    home: Path,
    feeds: Sequence[FeedName],
    *,
    max_concurrent: int = 1,
    on_result: Callable[[BackfillResult], None] = lambda _: None,
) -> tuple[BackfillResult, ...]:
    """Import the newest upload of each feed, `max_concurrent` at a time, and return the results in the order of `feeds`.

    A feed that fails does not stop the others. With more than one at a time, each runs in its own process.
    """
    done: dict[FeedName, BackfillResult] = {}
    for filled in _run_feeds(home, feeds, max_concurrent):
        done[filled.district_id, filled.source] = filled
        on_result(filled)
    return tuple(done[feed] for feed in feeds)


def backfill_feed(home: Path, feed: FeedName) -> BackfillResult:
    """Import the newest upload of one feed: the settled one in its landing zone, else the newest archived one. Never raises."""
    district_id, source = feed
    workspace = Workspace.open_to_write(home)
    before = _newest_import_id(workspace, feed)
    try:
        if why := _skip_reason(workspace, feed):
            return BackfillResult(district_id=district_id, source=source, status=why)
        order, _ = default_order(workspace, district_id, source)
        import_id = run_import(home, order)
        status = str(workspace.warehouse.ledger.import_(import_id)["status"])
        return BackfillResult(district_id=district_id, source=source, status=status, import_id=import_id)
    except Exception as error:  # noqa: BLE001 - the other feeds go on; the text of a foreign error may hold a cell
        found = _newest_import_id(workspace, feed)
        return BackfillResult(
            district_id=district_id,
            source=source,
            status="failed",
            import_id=None if found == before else found,
            code=error.code if isinstance(error, RosterError) else "failed",
            message=error.message if isinstance(error, RosterError) else type(error).__name__,
        )
    finally:
        workspace.warehouse.close()


def _run_feeds(home: Path, feeds: Sequence[FeedName], max_concurrent: int) -> Iterator[BackfillResult]:
    if max_concurrent == 1 or len(feeds) < 2:
        yield from (backfill_feed(home, feed) for feed in feeds)
        return
    # a new interpreter each: a fork would inherit the threads of Dagster and Arrow in a broken state
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(max_concurrent, len(feeds)), mp_context=context) as pool:
        runs = {pool.submit(_backfill_in_subprocess, current_channel(), home, feed): feed for feed in feeds}
        for run in as_completed(runs):
            error = run.exception()
            yield run.result() if error is None else _process_died_result(runs[run])


def _backfill_in_subprocess(channel: Channel, home: Path, feed: FeedName) -> BackfillResult:
    """Run the backfill of a feed in a new process, which has to set the audit channel again."""
    with actor_channel(channel):
        return backfill_feed(home, feed)


def _process_died_result(feed: FeedName) -> BackfillResult:
    message = "its process ended without a word; run it again"
    return BackfillResult(district_id=feed[0], source=feed[1], status="failed", code="abandoned", message=message)


def _skip_reason(workspace: Workspace, feed: FeedName) -> str | None:
    """Return why a feed is skipped; None: it is not."""
    district = workspace.registry.get(feed[0])
    if district.pause_reason(feed[1], datetime.now(UTC)):
        return "paused"
    has_landing = landing_folder(workspace.settings, district.id, district.feed(feed[1]).path)
    return None if has_landing or newest_archived(workspace, *feed) is not None else "nothing"


def _has_failed(workspace: Workspace, feed: FeedName) -> bool:
    with workspace.import_locks.exclusive():
        fail_orphans_under_lock(workspace, feed[0])
    rows = workspace.warehouse.ledger.imports(*feed, limit=1)
    return bool(rows) and rows[0]["status"] == "failed"


def _newest_import_id(workspace: Workspace, feed: FeedName) -> int | None:
    rows = workspace.warehouse.ledger.imports(*feed, limit=1)
    return int(rows[0]["import_id"]) if rows else None


def count_by_status(results: Iterable[BackfillResult]) -> dict[str, int]:
    """Return the number of feeds by status."""
    counts: dict[str, int] = {}
    for one in results:
        counts[one.status] = counts.get(one.status, 0) + 1
    return dict(sorted(counts.items()))
