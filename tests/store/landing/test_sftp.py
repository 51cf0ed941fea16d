"""The landing zone behind a real SFTP server: who is trusted, and that every wait ends."""

from __future__ import annotations

import asyncio
import hashlib
import os
import socket
import stat
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from roster_etl.demo_server.sftp_server import Account, SftpServer
from roster_etl.spec.errors import (
    HostKeyMismatch,
    HostKeyMissing,
    LandingError,
    LandingNotFound,
    LandingUnavailable,
    LoginRefused,
    PermanentError,
    RetryableError,
    UnsafeSecretFile,
    UploadMoved,
)
from roster_etl.store.landing.base import Landing
from roster_etl.store.landing.open import open_folder, open_landing
from roster_etl.store.landing.sftp import parse_address
from roster_etl.store.registry.registry import Feed
from roster_etl.store.settings import Settings

PASSWORD = "open-Sesame-4711"  # as in conftest
ENVIRON = {"LINCOLN_PASSWORD": PASSWORD}
pytestmark = pytest.mark.sftp

Reach = Callable[..., AbstractContextManager[Landing]]
ROWS = b"School_id,Student_id\n" + b"1,2\n" * 60_000


class _SilentReads(asyncssh.SFTPServer):
    async def read(self, file_obj: Any, offset: int, size: int) -> bytes:  # type: ignore[override]
        try:
            await asyncio.Event().wait()
        finally:
            file_obj.close()
        return b""


class _SilentLists(asyncssh.SFTPServer):
    async def scandir(self, path: bytes) -> Any:
        await asyncio.Event().wait()
        yield


class _BreaksOff(asyncssh.SFTPServer):
    def __init__(self, chan: Any, chroot: bytes) -> None:
        super().__init__(chan, chroot=chroot)
        self._connection = chan.get_connection()

    def read(self, file_obj: object, offset: int, size: int) -> bytes:
        if offset > 100_000:
            self._connection.abort()
        return super().read(file_obj, offset, size)  # type: ignore[return-value]


class _RewrittenMeanwhile(asyncssh.SFTPServer):
    """Serves other bytes at each reading, of the same size and time."""

    def open(self, path: bytes, pflags: int, attrs: Any) -> Any:
        file = super().open(path, pflags, attrs)
        found = os.stat(self.map_path(path))
        with open(self.map_path(path), "r+b") as content:
            content.write(b"%08d" % next(_COUNT))
        os.utime(self.map_path(path), ns=(found.st_atime_ns, found.st_mtime_ns))
        return file


_COUNT = iter(range(1000))


class _Faulty(SftpServer):
    def __init__(self, root: Path, fault: type[asyncssh.SFTPServer]) -> None:
        super().__init__(root, [Account(user="lincoln", password=PASSWORD)])
        self._fault = fault

    def session(self, channel: Any) -> asyncssh.SFTPServer:
        return self._fault(channel, chroot=os.fsencode(self.home("lincoln")))


def test_a_file_is_fetched_as_it_is_privately_and_stays_there(server: SftpServer, reach: Reach, tmp_path: Path) -> None:
    (server.home("lincoln") / "students.csv").write_bytes(ROWS)
    with reach(server) as landing:
        (entry,) = landing.listing()
        fetched = landing.fetch(entry, tmp_path / "copy")

    assert (entry.name, entry.size, entry.regular) == ("students.csv", len(ROWS), True)
    assert entry.mtime == int((server.home("lincoln") / "students.csv").stat().st_mtime)
    assert fetched.read() == ROWS
    assert fetched.sha256 == hashlib.sha256(ROWS).hexdigest()
    assert stat.S_IMODE(fetched.path.stat().st_mode) == 0o600
    assert sorted(path.name for path in tmp_path.glob("copy*")) == ["copy"]
    assert os.listdir(server.home("lincoln")) == ["students.csv"]


def test_links_folders_and_names_that_are_not_utf8_are_reported(server: SftpServer, reach: Reach, tmp_path: Path) -> None:
    home = server.home("lincoln")
    (home / "sub").mkdir()
    (home / "link.csv").symlink_to("/etc/passwd")
    (home / ".DS_Store").touch()
    (Path(os.fsdecode(os.fsencode(home) + b"/sch\xf6ler.csv"))).write_bytes(b"a\n")
    with reach(server) as landing:
        listing = landing.listing()
        fetched = landing.fetch(listing[1], tmp_path / "copy")

    assert [(entry.name, entry.regular) for entry in listing] == [("link.csv", False), ("sch\\xf6ler.csv", True), ("sub", False)]
    assert fetched.read() == b"a\n"
    with reach(server) as landing, pytest.raises(LandingError, match="not a regular file"):
        landing.fetch(listing[0], tmp_path / "other")


def test_a_folder_may_be_named_in_the_url_or_relative_to_the_home(server: SftpServer, reach: Reach) -> None:
    (server.home("lincoln") / "in box").mkdir()
    (server.home("lincoln") / "in box" / "a.csv").touch()
    for folder in ("/in%20box", "/in%20box/", "/~/in%20box"):
        with reach(server, folder) as landing:
            assert [entry.name for entry in landing.listing()] == ["a.csv"]
    with reach(server, "/nowhere") as landing, pytest.raises(LandingNotFound):
        landing.listing()


def test_a_key_logs_in(tmp_path: Path, settings: Settings) -> None:
    key = asyncssh.generate_private_key("ssh-ed25519")
    (tmp_path / "id").write_bytes(key.export_private_key())
    (tmp_path / "id").chmod(0o600)
    account = Account(user="lincoln", public_keys=(key.export_public_key().decode(),))
    with SftpServer(tmp_path / "sftp", [account]) as server:
        feed = Feed(
            format="clever", path=server.url("lincoln"), known_hosts=str(server.known_hosts), key_file=str(tmp_path / "id")
        )
        with open_landing("lincoln", feed, settings, environ={}) as landing:
            assert landing.listing() == ()
        for mode in (0o644, 0o640, 0o604, 0o620, 0o601):
            (tmp_path / "id").chmod(mode)
            with pytest.raises(UnsafeSecretFile, match="chmod 600"), open_landing("lincoln", feed, settings, environ={}):
                pass


def test_no_pinned_host_key_no_start(server: SftpServer, reach: Reach, tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    for known_hosts in ("", str(tmp_path / "nowhere"), str(tmp_path / "empty")):
        with (
            pytest.raises(HostKeyMissing, match=f"ssh-keyscan -p {server.port} 127.0.0.1") as caught,
            reach(server, known_hosts=known_hosts),
        ):
            pass

        assert isinstance(caught.value, PermanentError)


def test_another_host_key_sends_nothing(server: SftpServer, reach: Reach, tmp_path: Path) -> None:
    other = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode()
    (tmp_path / "known").write_text(f"[127.0.0.1]:{server.port} {other}\n")
    with pytest.raises(HostKeyMismatch, match="nothing was sent") as caught, reach(server, known_hosts=str(tmp_path / "known")):
        pass

    assert isinstance(caught.value, PermanentError)


def test_a_refused_login_says_which_secret_and_never_shows_it(server: SftpServer, reach: Reach, tmp_path: Path) -> None:
    (tmp_path / "password").write_text("wrong-Password-99\n")
    (tmp_path / "password").chmod(0o600)
    with pytest.raises(LoginRefused, match="password_file") as caught:
        with reach(server, password_env="", password_file=str(tmp_path / "password")):
            pass

    assert isinstance(caught.value, PermanentError)
    assert "wrong-Password-99" not in repr(caught.value) + repr(caught.value.__cause__) + repr(caught.value.__context__)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"password_env": ""}, "no log-in"),
        ({"password_env": "NOT_SET"}, "NOT_SET"),
        ({"password_env": "", "key_file": "/nowhere/id"}, "cannot be read"),
    ],
)
def test_a_missing_secret_is_named(server: SftpServer, reach: Reach, changes: dict[str, str], message: str) -> None:
    with pytest.raises(LandingError, match=message), reach(server, **changes):
        pass


@pytest.mark.parametrize(
    "url", ["sftp://host/x", "sftp://u:secret@host/x", "sftp://u@host:99999/x", "sftp:///x", "filecache::sftp://u@h/x"]
)
def test_a_url_that_would_be_unsafe_or_unclear_is_refused(settings: Settings, url: str) -> None:
    with pytest.raises(LandingError) as caught, open_folder(url, settings, environ={}):
        pass

    assert "secret" not in caught.value.message


def test_the_port_is_22_unless_given() -> None:
    address = parse_address("sftp://ann%40lincoln@host")

    assert (address.host, address.port, address.user, address.folder) == ("host", 22, "ann@lincoln", ".")


@pytest.mark.parametrize("fault", [_SilentReads, _BreaksOff])
def test_a_transfer_that_stops_ends_and_may_be_tried_again(fault: Any, reach: Reach, tmp_path: Path) -> None:
    with _Faulty(tmp_path / "sftp", fault) as server:
        (server.home("lincoln") / "students.csv").write_bytes(ROWS)
        start = time.monotonic()
        with pytest.raises(LandingUnavailable) as caught, reach(server) as landing:
            landing.fetch(landing.listing()[0], tmp_path / "copy")

    assert isinstance(caught.value, RetryableError)
    assert time.monotonic() - start < 4


def test_a_silent_listing_ends(reach: Reach, tmp_path: Path) -> None:
    with _Faulty(tmp_path / "sftp", _SilentLists) as server, reach(server) as landing:
        with pytest.raises(LandingUnavailable, match="in time"):
            landing.listing()


def silent_peer(listening: socket.socket, settings: Settings, folder: Path) -> tuple[Feed, Settings]:
    """Return a feed that lands at `listening`, with a pinned key, and settings that wait half a second for it."""
    port = listening.getsockname()[1]
    key = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode()
    (folder / "known").write_text(f"[127.0.0.1]:{port} {key}\n")
    known, path = str(folder / "known"), f"sftp://lincoln@127.0.0.1:{port}/"
    feed = Feed(format="clever", path=path, known_hosts=known, password_env="LINCOLN_PASSWORD")
    return feed, replace(settings, landing=replace(settings.landing, connect_seconds=0.5))


def test_a_peer_that_never_speaks_ends(settings: Settings, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        with (
            pytest.raises(LandingUnavailable),
            open_landing("lincoln", *silent_peer(silent, settings, tmp_path), environ=ENVIRON),
        ):
            pass


@pytest.mark.parametrize(
    "packet", [b"\x14" + bytes(8), b"\x01" + b"\xff" * 60, b"\x14" + bytes(16) + b"\x00\x00\x00\x01\xff" * 12]
)
def test_what_does_not_speak_the_protocol_may_be_tried_again(packet: bytes, settings: Settings, tmp_path: Path) -> None:
    padding = bytes(4 + -(len(packet) + 9) % 8)
    framed = (len(packet) + len(padding) + 1).to_bytes(4, "big") + bytes([len(padding)]) + packet + padding

    def answer(listening: socket.socket) -> None:
        peer, _ = listening.accept()
        with peer:
            peer.sendall(b"SSH-2.0-X\r\n")
            time.sleep(0.2)  # until the client has said what it can do
            peer.sendall(framed)
            time.sleep(0.2)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=answer, args=(listening,))
        thread.start()
        with (
            pytest.raises(LandingUnavailable),
            open_landing("lincoln", *silent_peer(listening, settings, tmp_path), environ=ENVIRON),
        ):
            pass
        thread.join()


def test_a_server_that_is_gone_may_be_tried_again(reach: Reach, tmp_path: Path) -> None:
    with SftpServer(tmp_path / "sftp", [Account(user="lincoln", password=PASSWORD)]) as server:
        pass
    with pytest.raises(LandingUnavailable, match=r"connection refused: 127\.0\.0\.1:\d+"), reach(server):
        pass


def test_bytes_that_change_under_the_same_size_and_time_are_noticed(reach: Reach, tmp_path: Path) -> None:
    with _Faulty(tmp_path / "sftp", _RewrittenMeanwhile) as server:
        (server.home("lincoln") / "students.csv").write_bytes(ROWS)
        with pytest.raises(UploadMoved, match="students.csv"), reach(server) as landing:
            landing.fetch(landing.listing()[0], tmp_path / "copy")

    assert not (tmp_path / "copy").exists()


def test_connections_are_fresh_and_closed(reach: Reach, tmp_path: Path) -> None:
    seen: list[Any] = []

    class Watched(SftpServer):
        def session(self, channel: Any) -> asyncssh.SFTPServer:
            seen.append(channel.get_connection())
            return super().session(channel)

    with Watched(tmp_path / "sftp", [Account(user="lincoln", password=PASSWORD)]) as server:
        for _ in range(2):
            with reach(server) as landing:
                landing.listing()
        end = time.monotonic() + 2
        while not all(connection.is_closed() for connection in seen) and time.monotonic() < end:
            time.sleep(0.01)

        assert len(set(seen)) == 2
        assert all(connection.is_closed() for connection in seen)


def test_accounts_see_their_own_home_only(tmp_path: Path, settings: Settings) -> None:
    accounts = [Account(user="lincoln", password=PASSWORD), Account(user="adams", password="other")]
    with SftpServer(tmp_path / "sftp", accounts) as server:
        (server.home("adams") / "secret.csv").touch()
        for folder in ("/", "/../adams", "/../../"):
            feed = Feed(
                format="clever",
                path=server.url("lincoln", folder),
                known_hosts=str(server.known_hosts),
                password_env="LINCOLN_PASSWORD",
            )
            with open_landing("lincoln", feed, settings, environ=ENVIRON) as landing:
                try:
                    assert landing.listing() == ()
                except LandingNotFound:
                    assert folder == "/../adams"


def test_a_restarted_server_shows_the_same_key(tmp_path: Path) -> None:
    keys = []
    for _ in range(2):
        with SftpServer(tmp_path / "sftp", []) as server:
            keys.append(server.known_hosts.read_text().split()[1:])

    assert keys[0] == keys[1]
