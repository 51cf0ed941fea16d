"""Many districts at once: which feeds, a bounded number of runs at a time, and what became of each.

Belongs here: choosing feeds, and the processes that run them. One feed is imported as ``runs`` imports any; which upload it takes is
said by ``orders``.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from roster_etl.orchestration.assets.default_upload import newest_order
from roster_etl.orchestration.jobs.in_process_runs import run_import
from roster_etl.pipeline.lifecycle.import_lifecycle import end_abandoned
from roster_etl.pipeline.uploads.archived_uploads import newest_archived
from roster_etl.pipeline.workspace import Workspace
from roster_etl.spec.errors import RosterError
from roster_etl.store.actor import Via, acting, acting_via
from roster_etl.store.settings import landing_folder

FeedName = tuple[str, str]
"""A district and a format."""


@dataclass(frozen=True, kw_only=True)
class Filled:
    """What became of one feed. ``status``: the import's, or ``paused``, ``nothing`` (there is no upload to run) or ``failed``."""

    district_id: str
    source: str
    status: str
    import_id: int | None = None
    code: str | None = None
    message: str | None = None


def chosen_feeds(
    workspace: Workspace, *, districts: Sequence[str] = (), source: str | None = None, failed: bool = False
) -> tuple[FeedName, ...]:
    """Return the feeds of `districts` (none: all), of format `source` where given; `failed`: those whose newest import failed.

    An import whose process is gone has failed. Raises: UnknownDistrict; RegistryError naming every file that cannot be read.
    """
    known = [workspace.registry.get(district) for district in districts] if districts else workspace.registry.list()
    feeds = [(d.id, feed.format) for d in known for feed in d.feeds if source in (None, feed.format)]
    return tuple(feed for feed in feeds if not failed or _has_failed(workspace, feed))


def backfill(
    home: Path, feeds: Sequence[FeedName], *, at_once: int = 1, tell: Callable[[Filled], None] = lambda _: None
) -> tuple[Filled, ...]:
    """Import the newest upload of each feed, `at_once` of them side by side, and return what became of each, in their order.

    A feed that fails hinders no other. Where more than one runs at once, each has a process of its own.
    """
    done: dict[FeedName, Filled] = {}
    for filled in _each(home, feeds, at_once):
        done[filled.district_id, filled.source] = filled
        tell(filled)
    return tuple(done[feed] for feed in feeds)


def fill(home: Path, feed: FeedName) -> Filled:
    """Import the newest upload of one feed: the settled one in its landing zone, else the newest archived one. Raises nothing."""
    district_id, source = feed
    workspace = Workspace.open(home)
    before = _newest(workspace, feed)
    try:
        if why := _nothing_to_do(workspace, feed):
            return Filled(district_id=district_id, source=source, status=why)
        order, _ = newest_order(workspace, district_id, source)
        import_id = run_import(home, order)
        status = str(workspace.warehouse.import_(import_id)["status"])
        return Filled(district_id=district_id, source=source, status=status, import_id=import_id)
    except Exception as error:  # noqa: BLE001 - the other feeds go on; the text of a foreign error may hold a cell
        found = _newest(workspace, feed)
        return Filled(
            district_id=district_id,
            source=source,
            status="failed",
            import_id=None if found == before else found,
            code=error.code if isinstance(error, RosterError) else "failed",
            message=error.message if isinstance(error, RosterError) else type(error).__name__,
        )
    finally:
        workspace.warehouse.close()


def _each(home: Path, feeds: Sequence[FeedName], at_once: int) -> Iterator[Filled]:
    if at_once == 1 or len(feeds) < 2:
        yield from (fill(home, feed) for feed in feeds)
        return
    # a fresh interpreter each: Dagster and Arrow have threads, which a forked child would inherit half
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(at_once, len(feeds)), mp_context=context) as pool:
        runs = {pool.submit(_fill_for, acting_via(), home, feed): feed for feed in feeds}
        for run in as_completed(runs):
            error = run.exception()
            yield run.result() if error is None else _lost(runs[run])


def _fill_for(via: Via, home: Path, feed: FeedName) -> Filled:
    """Fill in a process of its own, which knows nothing of who asked."""
    with acting(via):
        return fill(home, feed)


def _lost(feed: FeedName) -> Filled:
    message = "its process ended without a word; run it again"
    return Filled(district_id=feed[0], source=feed[1], status="failed", code="abandoned", message=message)


def _nothing_to_do(workspace: Workspace, feed: FeedName) -> str | None:
    """Return why nothing is run for a feed; None: there is something."""
    district = workspace.registry.get(feed[0])
    if district.pause_of(feed[1], datetime.now(UTC)):
        return "paused"
    has_landing = landing_folder(workspace.settings, district.id, district.feed(feed[1]).path)
    return None if has_landing or newest_archived(workspace, *feed) is not None else "nothing"


def _has_failed(workspace: Workspace, feed: FeedName) -> bool:
    with workspace.holders.gate():
        end_abandoned(workspace, feed[0])
    rows = workspace.warehouse.imports(*feed, limit=1)
    return bool(rows) and rows[0]["status"] == "failed"


def _newest(workspace: Workspace, feed: FeedName) -> int | None:
    rows = workspace.warehouse.imports(*feed, limit=1)
    return int(rows[0]["import_id"]) if rows else None


def counted(filled: Iterable[Filled]) -> dict[str, int]:
    """Return how many feeds ended how."""
    counts: dict[str, int] = {}
    for one in filled:
        counts[one.status] = counts.get(one.status, 0) + 1
    return dict(sorted(counts.items()))
