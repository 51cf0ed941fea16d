"""A private folder behind an fsspec URL: an object store, or anything else that fsspec can reach.

Only what every object store guarantees is used: an object is replaced atomically, and a listing after a write includes it. No
rename, lock, append or cached listing. Each store's library takes credentials from the environment or from its own files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from roster_etl.spec.errors import SettingsError, StoreRefused, StoreUnavailable
from roster_etl.store.files.urls import has_password, redact, scheme

CHUNK_SIZE = 1 << 20
"""Bytes in memory at once when a file is read in chunks."""
_BUCKETS = frozenset({"abfs", "abfss", "adl", "az", "gcs", "gs", "oci", "oss", "s3", "s3a"})
"""Stores that have no folders: where something is not found on writing, the bucket is missing, and it is not ours to create."""
_VERSION = ("ETag", "etag", "md5Hash", "LastModified", "last_modified", "mtime", "modified", "created", "size")
"""What the kinds of stores call a fact about an object that changes when it is written anew."""
_EXTRAS = {"s3": "s3", "s3a": "s3"}
_CREDENTIALS = ("NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError", "TokenRetrievalError")


class ObjectFolder:
    """The objects below a URL. Names have been validated by ``Folder``."""

    def __init__(self, url: str) -> None:
        """Prepare for the store at `url` without connecting. Raises SettingsError: SFTP, a password in the URL, or no library."""
        self.where = redact(url)
        _reject_unsupported_url(url, self.where)
        import fsspec  # local folders do not need it

        try:
            # A cached listing would not show what another host has written since.
            self._fs, self._root = fsspec.url_to_fs(url, use_listings_cache=False)
        except (ImportError, ValueError) as error:
            raise SettingsError(where=self.where, problem=install_hint(url, error)) from None

    def read(self, name: str) -> bytes:
        """Return the bytes of `name`. Raises FileNotFoundError, StoreUnavailable, StoreRefused."""
        with translate_store_errors(self.where):
            content: bytes = self._fs.cat_file(self._object_path(name))
            return content

    def read_chunks(self, name: str) -> Iterator[bytes]:
        """Open `name` and return an iterator over its bytes in chunks. Raises as `read`, at once or while iterating."""
        with translate_store_errors(self.where):
            return self._read_chunks(self._fs.open(self._object_path(name), "rb"))

    def _read_chunks(self, file: Any) -> Iterator[bytes]:
        with file:
            while True:
                with translate_store_errors(self.where):
                    piece: bytes = file.read(CHUNK_SIZE)
                if not piece:
                    return
                yield piece

    def read_all(self, names: Sequence[str]) -> Mapping[str, bytes]:
        """Return the bytes of each of `names` that exists, with concurrent requests where the store supports them."""
        if not names:
            return {}
        with translate_store_errors(self.where):
            found = self._fs.cat([self._object_path(name) for name in names], on_error="return")
            for content in found.values():
                if isinstance(content, BaseException) and not isinstance(content, FileNotFoundError):
                    raise content
        return {name: found[path] for name in names if isinstance(found.get(path := self._object_path(name)), bytes)}

    def write(self, name: str, content: bytes) -> None:
        """Write `content` to `name` as one object, atomically. Raises StoreUnavailable, StoreRefused."""
        self._put(self._object_path(name), lambda target: self._fs.pipe_file(target, content))

    def put(self, name: str, path: Path) -> None:
        """Copy the local file `path` to `name` as one object, which is visible only when complete. Raises as `write`."""
        self._put(self._object_path(name), lambda target: self._fs.put_file(str(path), target))

    def _put(self, target: str, put: Callable[[str], Any]) -> None:
        try:
            with translate_store_errors(self.where):
                self._put_in_folder(target, put)
        except FileNotFoundError:
            problem = "there is no such bucket or folder, or it may not be written to; create it first"
            raise StoreRefused(where=self.where, problem=problem) from None

    def _put_in_folder(self, target: str, put: Callable[[str], Any]) -> None:
        try:
            put(target)
        except FileNotFoundError:
            protocols = (self._fs.protocol,) if isinstance(self._fs.protocol, str) else self._fs.protocol
            if _BUCKETS & set(protocols):
                raise
            self._fs.makedirs(target.rpartition("/")[0], exist_ok=True)
            put(target)

    def size(self, name: str) -> int | None:
        """Return the size of `name` in bytes (0 or None for a folder), None if it does not exist."""
        info = self._info(name)
        return None if info is None else int(info.get("size") or 0)

    def exists(self, name: str) -> bool:
        """Return whether an object `name`, or any object below it, exists."""
        return self._info(name) is not None

    def names(self, name: str) -> tuple[str, ...]:
        """Return the names of the direct children of `name` (empty: the root), sorted; empty if it does not exist."""
        folder = self._object_path(name) if name else self._root
        try:
            with translate_store_errors(self.where):
                entries = self._fs.ls(folder, detail=False, refresh=True)
        except (FileNotFoundError, NotADirectoryError):
            return ()
        inside = (entry.rstrip("/") for entry in entries)
        # some tools mark a folder by an object of its own name
        return tuple(sorted({entry.rsplit("/", 1)[-1] for entry in inside if entry.strip("/") != folder.strip("/")}))

    def all_names(self) -> Iterator[str]:
        """Yield the names of all objects."""
        with translate_store_errors(self.where):
            found = self._fs.find(self._root)
        start = len(self._root.strip("/")) + 1
        # some tools mark a folder by an object whose name ends in a slash
        yield from (path.lstrip("/")[start:] for path in found if not path.endswith("/") and len(path.lstrip("/")) > start)

    def modified_at(self, name: str) -> float:
        """Return when `name` was last written, in seconds since 1970. Raises FileNotFoundError."""
        with translate_store_errors(self.where):
            when: datetime = self._fs.modified(self._object_path(name))
            return when.timestamp()

    def version(self, name: str) -> str | None:
        """Return a text that is another one once `name` was written anew, None if it is not there."""
        info = self._info(name)
        return None if info is None else repr([info.get(about) for about in _VERSION])

    def move(self, name: str, to: str) -> None:
        """Copy the object `name` to `to`, then remove it; a process killed in between leaves both."""
        self.write(to, self.read(name))
        self.remove(name)

    def remove(self, name: str) -> None:
        """Remove an object, or all objects below `name`; does nothing if it does not exist."""
        if self.exists(name):
            with suppress(FileNotFoundError), translate_store_errors(self.where):  # another host removed it at this moment
                self._fs.rm(self._object_path(name), recursive=True)

    def _info(self, name: str) -> Mapping[str, Any] | None:
        try:
            with translate_store_errors(self.where):
                info: Mapping[str, Any] = self._fs.info(self._object_path(name))
                return info
        except FileNotFoundError:
            return None

    def _object_path(self, name: str) -> str:
        return f"{self._root.rstrip('/')}/{name}"


def _reject_unsupported_url(url: str, where: str) -> None:
    if "sftp:" in url or "ssh:" in url:
        raise SettingsError(where=where, problem="SFTP is for landing zones; keep our own files on disk or in an object store")
    if has_password(url):
        problem = "the URL contains a password; the store's own variables or files hold credentials (docs/operations/cluster.md)"
        raise SettingsError(where=where, problem=problem)


def install_hint(url: str, error: Exception) -> str:
    """Return why `url` cannot be read here, and what to install."""
    extra = _EXTRAS.get(scheme(url))
    if isinstance(error, ImportError) and extra:
        return f"what reads {scheme(url)}:// is not installed; `pip install 'roster-etl[{extra}]'`"
    return f"no way to read such a URL is installed ({type(error).__name__})"


@contextmanager
def translate_store_errors(where: str) -> Iterator[None]:
    """Translate a store's errors into ours. Their texts are omitted: some quote signed requests."""
    try:
        yield
    except (FileNotFoundError, NotADirectoryError):
        raise
    except PermissionError:
        problem = "the store denies access; check the credentials in the environment, and what they may do"
        raise StoreRefused(where=where, problem=problem) from None
    except Exception as error:
        name = type(error).__name__
        if name in _CREDENTIALS:
            raise StoreRefused(where=where, problem=f"there are no credentials in the environment ({name})") from None
        if isinstance(error, OSError) or type(error).__module__.partition(".")[0] in _LIBRARIES:
            raise StoreUnavailable(where=where, problem=name) from None
        raise


_LIBRARIES = frozenset(
    {"aiobotocore", "aiohttp", "adlfs", "asyncio", "azure", "botocore", "fsspec", "gcsfs", "google", "requests"}
)
