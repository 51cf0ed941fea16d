"""Upload files to an SFTP server one by one, as a district's nightly job does; for the demo and the tests.

Belongs here: the district's side of a landing zone. The program itself never writes to one (``store.landing``).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from pathlib import Path

import asyncssh

from roster_etl.demo_server.sftp_server import HOST, load_host_key


def upload_files(
    files: Iterable[Path], *, user: str, port: int, known_hosts: Path, password: str | None = None, key_file: Path | None = None
) -> None:
    """Upload `files` into the user's home on the loopback server, whose host key must be in `known_hosts`."""
    asyncio.run(_upload(list(files), user, port, known_hosts, password, key_file))


def make_key(file: Path) -> str:
    """Return the public key for `file`, as in ``authorized_keys``; a private key is created there (0600) if there is none."""
    return load_host_key(file).export_public_key().decode().strip()


async def _upload(
    files: list[Path], user: str, port: int, known_hosts: Path, password: str | None, key_file: Path | None
) -> None:
    options = asyncssh.SSHClientConnectionOptions(
        username=user,
        password=password,
        client_keys=[str(key_file)] if key_file else None,
        known_hosts=str(known_hosts),
        agent_path=None,
        config=None,
        connect_timeout=20,
    )
    async with asyncssh.connect(HOST, port, options=options) as connection, connection.start_sftp_client() as sftp:
        for file in files:
            await sftp.put(str(file), file.name)
