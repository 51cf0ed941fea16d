"""A real SFTP server on loopback, for the demo and the tests: one account per district, each confined to its home.

It is not for production: no quotas, no audit, no rate limits.
"""

from __future__ import annotations

import asyncio
import hmac
import threading
from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import asyncssh

from roster_etl.demo_server.confined_session import ConfinedSession
from roster_etl.store.files.folder import create_private_file, create_private_folder

HOST = "127.0.0.1"


@dataclass(frozen=True, kw_only=True)
class Account:
    """An account and its credentials. ``home``: folder under the server's root; default: the user's name.

    ``public_keys``: lines as in ``authorized_keys``.
    """

    user: str
    password: str | None = field(default=None, repr=False)
    public_keys: tuple[str, ...] = ()
    home: str = ""


class SftpServer:
    """An SFTP server in a thread: ``with SftpServer(root, accounts) as server: server.port, server.known_hosts``.

    Host key and known_hosts line are stored in `keys` (default: beside the root), so that the key survives a restart.
    """

    def __init__(self, root: Path, accounts: Iterable[Account], *, port: int = 0, keys: Path | None = None) -> None:
        self.root = root
        self.accounts = {account.user: account for account in accounts}
        self.port = port
        self.keys = keys or root.with_name(f"{root.name}.keys")
        self.known_hosts = self.keys / "known_hosts"
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="sftp-server", daemon=True)
        self._connections: set[asyncssh.SSHServerConnection] = set()
        self._acceptor: asyncssh.SSHAcceptor | None = None

    def __enter__(self) -> Self:
        create_private_folder(self.keys)
        for account in self.accounts.values():
            create_private_folder(self.home(account.user))
        host_key = load_host_key(self.keys / "host_key")
        self._thread.start()
        try:
            self._acceptor = self._run(self._listen(host_key))
        except BaseException:
            self._stop()
            raise
        self.port = self._acceptor.get_port()
        self.known_hosts.write_text(f"[{HOST}]:{self.port} {host_key.export_public_key().decode().strip()}\n", "utf-8")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._acceptor is not None:
            self._run(self._close(self._acceptor))
        self._stop()

    def home(self, user: str) -> Path:
        """Return the folder that is ``/`` to `user`."""
        return self.root / (self.accounts[user].home or user)

    def url(self, user: str, folder: str = "/") -> str:
        """Return the URL of `folder` for `user`."""
        return f"sftp://{user}@{HOST}:{self.port}{folder}"

    def session(self, channel: asyncssh.SSHServerChannel[bytes]) -> asyncssh.SFTPServer:
        """Return the handler of one SFTP session; tests override this to inject faults."""
        return ConfinedSession(channel, self.home(channel.get_connection().get_extra_info("username")))

    async def _listen(self, host_key: asyncssh.SSHKey) -> asyncssh.SSHAcceptor:
        return await asyncssh.listen(
            HOST,
            self.port,
            server_factory=lambda: _Login(self.accounts, self._connections),
            server_host_keys=[host_key],
            sftp_factory=self.session,
            sftp_version=3,
            allow_scp=False,
            config=None,
            agent_forwarding=False,
        )

    async def _close(self, acceptor: asyncssh.SSHAcceptor) -> None:
        acceptor.close()
        await asyncio.wait_for(acceptor.wait_closed(), 5)
        for connection in list(self._connections):
            connection.abort()
            await asyncio.wait_for(connection.wait_closed(), 5)
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        if tasks:
            await asyncio.wait(tasks, timeout=1)  # sessions close their files once their connection is closed
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _run(self, coroutine: Any) -> Any:
        future: Future[Any] = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        return future.result(30)

    def _stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()


class _Login(asyncssh.SSHServer):
    """Password and public-key authentication against the accounts."""

    def __init__(self, accounts: Mapping[str, Account], connections: set[asyncssh.SSHServerConnection]) -> None:
        self._accounts = accounts
        self._connections = connections
        self._connection: asyncssh.SSHServerConnection | None = None

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._connection = conn
        self._connections.add(conn)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._connection is not None:
            self._connections.discard(self._connection)

    def begin_auth(self, username: str) -> bool:
        account = self._accounts.get(username)
        if account and account.public_keys and self._connection is not None:
            self._connection.set_authorized_keys(asyncssh.import_authorized_keys("\n".join(account.public_keys)))
        return True

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        account = self._accounts.get(username)
        expected = account.password if account else None
        return expected is not None and hmac.compare_digest(expected.encode("utf-8"), password.encode("utf-8"))


def load_host_key(file: Path) -> asyncssh.SSHKey:
    """Return the host key in `file`; a new key is created (0600) if there is none."""
    if not file.exists():
        with create_private_file(file) as out:
            out.write(asyncssh.generate_private_key("ssh-ed25519").export_private_key())
    return asyncssh.read_private_key(str(file))
