"""SFTP connections: pinned host keys, one fresh connection per attempt, a timeout on every wait.

Belongs here: connecting through sshfs/asyncssh, credentials by reference, and translating errors. Does not belong here: listing or
fetching (``remote``), and when an upload in a folder is complete (``quiet_period``).
Reasons: both back ends trust any server unless configured otherwise, cached instances stay dead, reads from a silent peer block
forever, and one file name that is not UTF-8 breaks a listing.
"""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import asyncssh
from asyncssh.packet import PacketDecodeError
from fsspec.asyn import FSTimeoutError, sync

from roster_etl.spec.errors import (
    HostKeyMismatch,
    HostKeyMissing,
    LandingError,
    LandingNotFound,
    LandingUnavailable,
    LoginRefused,
    UnsafeSecretFile,
)
from roster_etl.store.files.connection_errors import connection_problem
from roster_etl.store.files.urls import redact
from roster_etl.store.registry.district import Feed
from roster_etl.store.settings import LandingSettings, Settings

if TYPE_CHECKING:
    from sshfs import SSHFileSystem


@dataclass(frozen=True, kw_only=True)
class SftpAddress:
    """The parts of an SFTP URL. ``folder``: absolute, or relative to the user's home (``sftp://user@host/~/in``)."""

    url: str
    host: str
    port: int
    user: str
    folder: str


@dataclass(frozen=True, kw_only=True)
class Login:
    """Credentials, never shown. ``source``: where the secret came from, for messages."""

    source: str
    key_file: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)


def parse_address(url: str) -> SftpAddress:
    """Parse ``sftp://user@host[:port]/folder``. Raises LandingError."""
    shown = redact(url)
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port or 22
    except ValueError:
        raise LandingError(where=shown, problem="not a URL of the form sftp://user@host:port/folder") from None
    if not host or not parts.username:
        raise LandingError(where=shown, problem="user and host are needed: sftp://user@host:port/folder")
    if parts.password is not None:
        raise LandingError(where=shown, problem="a password must not be in the URL; use password_env or password_file")
    folder = unquote(parts.path)
    if folder in ("", "/~") or folder.startswith("/~/"):
        folder = folder[3:] or "."
    return SftpAddress(url=shown, host=host, port=port, user=unquote(parts.username), folder=folder)


def find_login(where: str, feed: Feed, settings: Settings, environ: Mapping[str, str]) -> Login:
    """Return the key or password that the feed refers to, else the settings. Raises LandingError, UnsafeSecretFile."""
    given = feed if feed.key_file or feed.password_file or feed.password_env else settings.landing
    if given.key_file:
        path = _check_secret_file(where, settings.home / Path(given.key_file).expanduser())
        return Login(source=f"key_file {path}", key_file=str(path))
    if given.password_file:
        path = _check_secret_file(where, settings.home / Path(given.password_file).expanduser())
        return Login(source=f"password_file {path}", password=path.read_text("utf-8").rstrip("\r\n"))
    if given.password_env:
        if not (password := environ.get(given.password_env)):
            raise LandingError(where=where, problem=f"the variable {given.password_env} (password_env) is not set")
        return Login(source=f"password_env {given.password_env}", password=password)
    raise LandingError(where=where, problem="no log-in: set key_file, password_file or password_env for the feed")


def check_host_key(address: SftpAddress, known_hosts: str) -> None:
    """Require a pinned host key for the server. Raises HostKeyMissing."""
    missing = HostKeyMissing(where=address.url, host=address.host, port=address.port, known_hosts=known_hosts)
    try:
        hosts = asyncssh.read_known_hosts(known_hosts)
    except (OSError, ValueError):
        raise missing from None
    if not any(hosts.match(address.host, "", address.port)[:2]):
        raise missing


@contextmanager
def open_connection(address: SftpAddress, login: Login, known_hosts: str, limits: LandingSettings) -> Iterator[SSHFileSystem]:
    """Log in over a fresh connection, and always close it.

    Raises: HostKeyMissing, HostKeyMismatch, LoginRefused, LandingUnavailable.
    """
    check_host_key(address, known_hosts)
    with translate_sftp_errors(address.url, address=address, login=login, known_hosts=known_hosts):
        filesystem = _connect(address, login, known_hosts, limits)
    try:
        yield filesystem
    finally:
        _close(filesystem)


@contextmanager
def translate_sftp_errors(
    where: str, *, address: SftpAddress | None = None, login: Login | None = None, known_hosts: str = ""
) -> Iterator[None]:
    """Translate network errors into ours. The server's texts are omitted: they are untrusted and must not be logged."""
    try:
        yield
    except asyncssh.HostKeyNotVerifiable:
        raise HostKeyMismatch(where=where, known_hosts=known_hosts) from None
    except (asyncssh.PermissionDenied, asyncssh.SFTPPermissionDenied, PermissionError):
        if login is None or address is None:
            raise LandingUnavailable(where=where, problem="the server denies access; check the folder's permissions") from None
        raise LoginRefused(where=where, user=address.user, credential=login.source) from None
    except (FileNotFoundError, asyncssh.SFTPNoSuchFile, asyncssh.SFTPNoSuchPath):
        raise LandingNotFound(where=where) from None
    except asyncssh.KeyImportError:
        raise LandingError(where=where, problem="key_file holds no private key that can be used without a passphrase") from None
    except (PacketDecodeError, UnicodeError):
        raise LandingUnavailable(where=where, problem="what the server sends is not the SSH protocol") from None
    except (FSTimeoutError, TimeoutError):
        raise LandingUnavailable(where=where, problem="the server did not answer in time") from None
    except (asyncssh.Error, OSError, EOFError) as error:
        place = f"{address.host}:{address.port}" if address else ""
        raise LandingUnavailable(where=where, problem=connection_problem(error, place)) from None


def _connect(address: SftpAddress, login: Login, known_hosts: str, limits: LandingSettings) -> SSHFileSystem:
    from sshfs import SSHFileSystem  # costs 0.2 s, which only sftp:// needs

    return SSHFileSystem(
        address.host,
        port=address.port,
        username=address.user,
        password=login.password,
        client_keys=[login.key_file] if login.key_file else None,
        known_hosts=known_hosts,
        config=None,  # ignore ~/.ssh/config and the agent of the account that runs this process
        agent_path=None,
        connect_timeout=limits.connect_seconds,
        login_timeout=limits.connect_seconds,
        timeout=limits.connect_seconds + 1,
        keepalive_interval=limits.keepalive_seconds,
        keepalive_count_max=limits.keepalive_count,
        sftp_client_kwargs={"path_errors": "surrogateescape"},
        skip_instance_cache=True,
    )


def _close(filesystem: SSHFileSystem) -> None:
    async def close() -> None:
        filesystem.client.abort()
        await asyncio.wait_for(filesystem.client.wait_closed(), 2)

    with suppress(
        TimeoutError, FSTimeoutError, OSError, asyncssh.Error
    ):  # the peer is dead: abort() has already released the socket
        sync(filesystem.loop, close, timeout=3)


def _check_secret_file(where: str, path: Path) -> Path:
    try:
        mode = path.stat().st_mode
    except OSError:
        raise LandingError(where=where, problem=f"{path} (key_file or password_file) cannot be read") from None
    if os.name == "posix" and mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise UnsafeSecretFile(path=path, mode=f"{stat.S_IMODE(mode):04o}")
    return path
