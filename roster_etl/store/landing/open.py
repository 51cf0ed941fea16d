"""Open the landing folder of a feed, local or remote."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from roster_etl.spec.errors import LandingError, NoLanding
from roster_etl.store.files.urls import join, local_path
from roster_etl.store.landing.base import Landing
from roster_etl.store.landing.entries import Entry
from roster_etl.store.landing.local import LocalLanding
from roster_etl.store.registry.district import District, Feed
from roster_etl.store.settings import Settings, landing_folder


@contextmanager
def open_landing(
    district_id: str, feed: Feed, settings: Settings, *, environ: Mapping[str, str] | None = None
) -> Iterator[Landing]:
    """Open the landing folder of a feed over a fresh connection, which is closed when the block ends.

    Raises: NoLanding; LandingError and its subclasses (a person has to act); LandingUnavailable (try again later).
    """
    url = landing_folder(settings, district_id, feed.path)
    if not url:
        raise NoLanding(district_id=district_id, format=feed.format)
    with open_folder(url, settings, feed=feed, environ=environ) as landing:
        yield landing


@contextmanager
def open_folder(
    url: str, settings: Settings, *, feed: Feed | None = None, environ: Mapping[str, str] | None = None
) -> Iterator[Landing]:
    """Open any folder (path or fsspec URL), with login and host keys of `feed`, else of the settings. Raises as open_landing."""
    if (path := local_path(url)) is not None:
        _check_no_link_below(settings.landing.base, path)
        yield LocalLanding(path, settings.limits)
    else:
        from roster_etl.store.landing.remote import open_remote  # costs 0.2 s, which a local folder does not need

        with open_remote(url, settings, feed or Feed(format=""), os.environ if environ is None else environ) as landing:
            yield landing


def unregistered_folders(root: Iterable[Entry], districts: Iterable[District], settings: Settings) -> tuple[str, ...]:
    """Return the folders in `root`, the listing of the landing base, that no registered feed watches; sorted."""
    urls = [landing_folder(settings, district.id, feed.path) for district in districts for feed in district.feeds]
    watched = {folder for url in urls for folder in _with_parents(url.rstrip("/"))}
    folders = (entry for entry in root if not entry.regular)
    return tuple(sorted(f.name for f in folders if join(settings.landing.base, f.address) not in watched))


def _with_parents(url: str) -> Iterator[str]:
    """Yield a folder and all folders above it."""
    while url:
        yield url
        url = url.rpartition("/")[0]


def _check_no_link_below(base: str, folder: Path) -> None:
    """Reject a folder below the landing base that is, or is below, a link: a district could point it at another's folder."""
    root = local_path(base) if base else None
    if root is None or not folder.is_relative_to(root):
        return
    for part in [folder, *folder.parents][: len(folder.relative_to(root).parts)]:
        if part.is_symlink():
            raise LandingError(where=str(folder), problem=f"{part.name} is a link; below the landing base links are not followed")
