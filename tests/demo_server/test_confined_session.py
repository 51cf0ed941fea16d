"""Ways out of an account's home, tried by a real SFTP client: none reads, lists or changes anything outside."""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from roster_etl.demo_server.sftp_server import HOST, Account, SftpServer

pytestmark = pytest.mark.sftp
PASSWORD = "open-Sesame-4711"
SECRET = b"riverside's roster"
Client = asyncssh.SFTPClient
Attempt = Callable[[Client, Path], Awaitable[Any]]
Attrs = asyncssh.SFTPAttrs


@pytest.fixture
def server(tmp_path: Path) -> Iterator[SftpServer]:
    """Run a server with two accounts. Links that somebody else put into lincoln's home lead to riverside's."""
    accounts = [Account(user=user, password=PASSWORD) for user in ("lincoln", "riverside")]
    with SftpServer(tmp_path / "root", accounts) as server:
        home, other = server.home("lincoln"), server.home("riverside")
        (other / "students.csv").write_bytes(SECRET)
        (other / "students.csv").chmod(0o600)
        (server.root / "beside.csv").write_bytes(SECRET)
        (home / "sub" / "deep").mkdir(parents=True)
        (home / "own.csv").write_bytes(b"own")
        (home / "folder_link").symlink_to("../riverside")
        (home / "absolute_link").symlink_to(other)
        (home / "file_link").symlink_to("../riverside/students.csv")
        (home / "sub" / "up").symlink_to("../../riverside")
        (home / "new_link").symlink_to("../riverside/new.csv")
        (home / "hard.csv").hardlink_to(other / "students.csv")
        os.mkfifo(home / "pipe")
        yield server


def outside(server: SftpServer) -> dict[str, tuple[int, int, float, bytes]]:
    """Return all that is outside of lincoln's home, and the mode of the home itself."""
    home = server.home("lincoln")
    paths = [path for path in server.root.rglob("*") if not path.is_relative_to(home)]
    found = {
        str(p): (p.stat().st_mode, p.stat().st_size, p.stat().st_mtime, p.read_bytes() if p.is_file() else b"") for p in paths
    }
    return {**found, "home": (home.stat().st_mode, 0, 0, b"")}


def attempt(server: SftpServer, way: Attempt) -> tuple[Any, type[Exception] | None]:
    """Try a way out as lincoln; return its result, or the class of the error."""

    async def run() -> Any:
        options = {"username": "lincoln", "password": PASSWORD, "known_hosts": str(server.known_hosts), "config": None}
        async with asyncssh.connect(HOST, server.port, agent_path=None, client_keys=None, **options) as connection:
            async with connection.start_sftp_client() as client:
                return await asyncio.wait_for(way(client, server.root), 10)

    try:
        return asyncio.run(run()), None
    except (asyncssh.Error, OSError) as error:
        return None, type(error)


async def read(client: Client, path: str) -> bytes:
    async with client.open(path, "rb") as file:
        return await file.read()


async def write(client: Client, path: str, mode: str = "wb") -> None:
    async with client.open(path, mode) as file:
        await file.write(b"stolen")


async def link_then_rename(client: Client, target: str, rename: str) -> bytes:
    await client.symlink(target, "sub/deep/link")
    await getattr(client, rename)("sub/deep/link", "moved")
    return await read(client, "moved/students.csv")


async def swap_while_open(client: Client) -> bytes:
    """Open a folder's file after the folder was replaced by a link of the same name."""
    await client.mkdir("swap")
    await write(client, "swap/students.csv")
    await client.rename("swap", "away")
    await client.rename("folder_link", "swap")
    return await read(client, "swap/students.csv")


WAYS: dict[str, Attempt] = {
    "read by a relative path": lambda c, _: read(c, "../riverside/students.csv"),
    "read by a path that goes down and up": lambda c, _: read(c, "sub/../../riverside/students.csv"),
    "read by many steps up": lambda c, root: read(c, "../" * 30 + str(root).lstrip("/") + "/beside.csv"),
    "read by an absolute path of the machine": lambda c, root: read(c, str(root / "beside.csv")),
    "read through two slashes": lambda c, _: read(c, "//riverside//students.csv"),
    "read through a link to a folder": lambda c, _: read(c, "folder_link/students.csv"),
    "read through an absolute link": lambda c, _: read(c, "absolute_link/students.csv"),
    "read through a link below": lambda c, _: read(c, "sub/up/students.csv"),
    "read through a link and up again": lambda c, _: read(c, "folder_link/../beside.csv"),
    "read a link to a file": lambda c, _: read(c, "file_link"),
    "read a second name of a file": lambda c, _: read(c, "hard.csv"),
    "read a named pipe": lambda c, _: read(c, "pipe"),
    "download through a link": lambda c, root: c.get("folder_link/students.csv", str(root.parent / "copy")),
    "write by a relative path": lambda c, _: write(c, "../riverside/students.csv"),
    "write beside the root": lambda c, _: write(c, "../../beside.csv"),
    "write by an absolute path of the machine": lambda c, root: write(c, str(root / "beside.csv")),
    "write through a link to a folder": lambda c, _: write(c, "folder_link/new.csv"),
    "write a link to a file": lambda c, _: write(c, "file_link"),
    "append to a link to a file": lambda c, _: write(c, "file_link", "ab"),
    "create the target of a link": lambda c, _: write(c, "new_link", "xb"),
    "overwrite a second name of a file": lambda c, _: write(c, "hard.csv"),
    "update a second name of a file": lambda c, _: write(c, "hard.csv", "r+b"),
    "truncate a link to a file": lambda c, _: c.truncate("file_link", 0),
    "truncate a second name of a file": lambda c, _: c.truncate("hard.csv", 0),
    "list by a relative path": lambda c, _: c.listdir("../riverside"),
    "list a link": lambda c, _: c.listdir("folder_link"),
    "list a link with a slash": lambda c, _: c.listdir("folder_link/"),
    "list a link with a dot": lambda c, _: c.listdir("folder_link/."),
    "attributes through a link": lambda c, _: c.lstat("folder_link/students.csv"),
    "attributes of a link's target": lambda c, _: c.stat("file_link"),
    "target of a link": lambda c, _: c.readlink("absolute_link"),
    "make a link": lambda c, _: c.symlink("../riverside", "sub/link"),
    "make an absolute link": lambda c, root: c.symlink(str(root), "sub/link"),
    "make a second name": lambda c, _: c.link("own.csv", "sub/own.csv"),
    "make a second name of a link's target": lambda c, _: c.link("folder_link/students.csv", "sub/copy.csv"),
    "make a link below, rename it upwards": lambda c, _: link_then_rename(c, "../../riverside", "rename"),
    "make a link below, replace upwards": lambda c, _: link_then_rename(c, "../../riverside", "posix_rename"),
    "rename a link upwards": lambda c, _: c.rename("sub/up", "up"),
    "replace by a link": lambda c, _: c.posix_rename("sub/up", "own.csv"),
    "rename out of the home": lambda c, _: c.rename("own.csv", "../riverside/own.csv"),
    "rename into a link": lambda c, _: c.rename("own.csv", "folder_link/own.csv"),
    "rename from a link": lambda c, _: c.rename("folder_link/students.csv", "students.csv"),
    "replace in a link": lambda c, _: c.posix_rename("own.csv", "folder_link/students.csv"),
    "rename the home": lambda c, _: c.rename("/", "/sub/home"),
    "put a link in a folder's place": lambda c, _: swap_while_open(c),
    "remove through a link": lambda c, _: c.remove("folder_link/students.csv"),
    "remove by a relative path": lambda c, _: c.remove("../riverside/students.csv"),
    "remove the home": lambda c, _: c.rmdir("/"),
    "remove a folder outside": lambda c, _: c.rmdir("folder_link/"),
    "make a folder outside": lambda c, _: c.mkdir("folder_link/new"),
    "widen the home": lambda c, _: c.chmod("/", 0o777),
    "widen the home by a dot": lambda c, _: c.chmod(".", 0o755),
    "widen the home from below": lambda c, _: c.chmod("sub/..", 0o755),
    "change the mode of a link's target": lambda c, _: c.chmod("file_link", 0o666),
    "change the mode of a second name": lambda c, _: c.chmod("hard.csv", 0o666),
    "change the times of a link's target": lambda c, _: c.utime("file_link", (1, 1)),
    "give a file away": lambda c, _: c.chown("own.csv", 12345, 12345),
    "a name with a zero byte": lambda c, _: read(c, "own.csv\0/../../riverside/students.csv"),
    "a name of 5,000 characters": lambda c, _: read(c, "a" * 5000),
}
HARMLESS = {"write beside the root"}  # a file of this name in the home


@pytest.mark.parametrize("name", WAYS)
def test_no_way_leads_out(name: str, server: SftpServer):
    before = outside(server)
    result, error = attempt(server, WAYS[name])

    assert error is not None or name in HARMLESS, result
    assert outside(server) == before
    assert SECRET not in repr(result).encode()
    assert sorted(path.name for path in server.home("lincoln").iterdir() if path.is_symlink()) == [
        "absolute_link",
        "file_link",
        "folder_link",
        "new_link",
    ]


def test_at_least_forty_ways_are_tried():
    assert len(WAYS) >= 40


@pytest.mark.parametrize("service", ["a command", "a shell", "scp", "a forwarded port"])
def test_nothing_but_files_is_served(service: str, server: SftpServer):
    async def run() -> None:
        options = {"username": "lincoln", "password": PASSWORD, "known_hosts": str(server.known_hosts), "config": None}
        async with asyncssh.connect(HOST, server.port, agent_path=None, client_keys=None, **options) as connection:
            if service == "a forwarded port":
                await connection.open_connection("127.0.0.1", server.port)
            elif service == "scp":
                await asyncssh.scp((connection, "own.csv"), str(server.root.parent))
            else:
                done = await connection.run("cat own.csv" if service == "a command" else None, check=True, timeout=5)
                assert not done.stdout

    with pytest.raises((asyncssh.Error, OSError)):
        asyncio.run(run())


def test_a_link_is_listed_as_a_link_and_can_be_removed(server: SftpServer):
    async def way(client: Client, root: Path) -> list[str]:
        links = [str(e.filename) for e in await client.readdir("/") if stat.S_ISLNK(e.attrs.permissions or 0)]
        await client.remove("folder_link")
        return links

    result, error = attempt(server, way)

    assert error is None
    assert "folder_link" in result
    assert not (server.home("lincoln") / "folder_link").is_symlink()


def test_what_a_district_does_works_and_stays_its_own(server: SftpServer, tmp_path: Path):
    home, upload = server.home("lincoln"), tmp_path / "students.csv"
    upload.write_bytes(b"one\n" * 50_000)
    upload.chmod(0o644)

    async def way(client: Client, root: Path) -> Any:
        await client.mkdir("in")
        await client.put(str(upload), "in/students.part", preserve=True)
        await client.rename("in/students.part", "in/students.csv")
        await write(client, "log", "ab")
        await write(client, "log", "ab")
        await client.truncate("log", 3)
        await client.posix_rename("log", "own.csv")
        with pytest.raises(asyncssh.SFTPError):
            await client.rename("own.csv", "in/students.csv")
        return await client.realpath("in/../own.csv"), await client.listdir(".."), await client.stat("/")

    (real, names, attributes), error = attempt(server, way)

    assert error is None
    assert (real, names.count("own.csv")) == ("/own.csv", 1)
    assert stat.S_ISDIR(attributes.permissions)
    assert (home / "in" / "students.csv").read_bytes() == upload.read_bytes()
    assert (home / "own.csv").read_bytes() == b"sto"
    assert [stat.S_IMODE((home / name).stat().st_mode) for name in ("in", "in/students.csv")] == [0o700, 0o600]
    assert int((home / "in" / "students.csv").stat().st_mtime) == int(upload.stat().st_mtime)
