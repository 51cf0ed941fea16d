"""Landing zones behind a URL: SFTP (``sftp``), and anything else that fsspec can reach, with a timeout on every wait."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import fsspec
from fsspec.asyn import AsyncFileSystem, sync

from roster_etl.spec.errors import LandingError
from roster_etl.store.files.object_store import install_hint, translate_store_errors
from roster_etl.store.files.urls import join, redact, scheme
from roster_etl.store.landing.base import BLOCK, Landing, Sink
from roster_etl.store.landing.entries import Entry
from roster_etl.store.landing.sftp import check_host_key, find_login, open_connection, parse_address, translate_sftp_errors
from roster_etl.store.registry.district import Feed
from roster_etl.store.settings import LandingSettings, Settings, UploadLimits


@contextmanager
def open_remote(url: str, settings: Settings, feed: Feed, environ: Mapping[str, str]) -> Iterator[Landing]:
    """Open the folder at `url`; see ``landing.open_folder``."""
    if scheme(url) in ("sftp", "ssh"):
        with _open_sftp(url, settings, feed, environ) as landing:
            yield landing
    elif "sftp:" in url or "ssh:" in url:
        raise LandingError(where=redact(url), problem="SFTP inside another URL would skip the host key; give sftp://… itself")
    else:
        try:
            filesystem, folder = fsspec.url_to_fs(url, use_listings_cache=False)
        except (ValueError, ImportError) as error:
            raise LandingError(where=redact(url), problem=install_hint(url, error)) from None
        yield RemoteLanding(redact(url), settings.limits, filesystem=filesystem, folder=folder, timeouts=settings.landing)


class RemoteLanding(Landing):
    """A folder behind an fsspec file system; every wait has a timeout."""

    def __init__(self, where: str, limits: UploadLimits, *, filesystem: Any, folder: str, timeouts: LandingSettings) -> None:
        super().__init__(where, limits)
        self._fs, self._folder, self._waits = filesystem, folder, timeouts

    def _list(self) -> list[Entry]:
        with translate_store_errors(self.where), translate_sftp_errors(self.where):
            found = self._call("_ls", "ls", self._folder, detail=True)
        return [_remote_entry(info) for info in found if _base_name(info["name"]) or info["type"] != "directory"]

    def _read(self, address: str, sink: Sink) -> None:
        end = time.monotonic() + self._waits.deadline_seconds
        with (
            translate_store_errors(self.where),
            translate_sftp_errors(self.where),
            self._fs.open(join(self._folder, address), "rb") as source,
        ):
            while block := source.read(BLOCK):
                sink(block)
                if time.monotonic() > end:
                    raise TimeoutError

    def _is_unchanged(self, entry: Entry) -> bool:
        with translate_store_errors(self.where), translate_sftp_errors(self.where):
            try:
                info = self._call("_info", "info", join(self._folder, entry.address))
            except FileNotFoundError:
                return False
        return (info["type"], int(info["size"] or 0), _mtime(info)) == ("file", entry.size, entry.mtime)

    def _call(self, coroutine: str, method: str, path: str, **options: Any) -> Any:
        if hasattr(self._fs, "invalidate_cache"):
            self._fs.invalidate_cache()
        if isinstance(self._fs, AsyncFileSystem):
            return sync(self._fs.loop, getattr(self._fs, coroutine), path, timeout=self._waits.list_seconds, **options)
        return getattr(self._fs, method)(path, **options)


class SftpLanding(RemoteLanding):
    """A folder of an SFTP server. Files are read one after another, over one channel of the connection."""

    _channel: Any = None

    def _read(self, address: str, sink: Sink) -> None:
        with translate_sftp_errors(self.where):
            sync(self._fs.loop, self._read_blocks, join(self._folder, address), sink, timeout=self._waits.deadline_seconds)

    async def _read_blocks(self, path: str, sink: Sink) -> None:
        """Read a file block by block, each with a timeout; the channel is kept if all went well.

        A silent peer would block forever: keepalive covers the connection only, not its channels.
        """
        stall, start = self._waits.stall_seconds, self._fs.client.start_sftp_client
        channel = self._channel or await asyncio.wait_for(start(path_errors="surrogateescape"), stall)
        self._channel = None
        try:
            source = await asyncio.wait_for(channel.open(path, "rb"), stall)
            while block := await asyncio.wait_for(source.read(BLOCK), stall):
                sink(block)
            await asyncio.wait_for(source.close(), stall)
        except BaseException:
            channel.exit()
            raise
        self._channel = channel


@contextmanager
def _open_sftp(url: str, settings: Settings, feed: Feed, environ: Mapping[str, str]) -> Iterator[Landing]:
    address = parse_address(url)
    known_hosts = str(settings.home / Path(feed.known_hosts).expanduser()) if feed.known_hosts else settings.landing.known_hosts
    check_host_key(address, known_hosts)  # before any secret is read
    login = find_login(address.url, feed, settings, environ)
    with open_connection(address, login, known_hosts, settings.landing) as filesystem:
        yield SftpLanding(address.url, settings.limits, filesystem=filesystem, folder=address.folder, timeouts=settings.landing)


def _remote_entry(info: Mapping[str, Any]) -> Entry:
    regular = info["type"] == "file" and not info.get("islink")
    return Entry(name=_base_name(info["name"]), size=int(info.get("size") or 0), mtime=_mtime(info), regular=regular)


def _base_name(path: str) -> str:
    return path.rstrip("/").rsplit("/", 1)[-1]


def _mtime(info: Mapping[str, Any]) -> float:
    """Return the modification time; object stores use several names for it, and some have none."""
    for key in ("mtime", "LastModified", "last_modified", "updated", "created"):
        value = info.get(key)
        if isinstance(value, datetime):
            return value.timestamp()
        if isinstance(value, (int, float)):
            return float(value)
    return 0.0
