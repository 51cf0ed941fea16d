"""The application of the demo: a second SFTP account, to which the daemon sends one district's roster as OneRoster."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from roster_etl.demo_server.sftp_server import Account
from roster_etl.store.registry.district import Destination

if TYPE_CHECKING:
    from roster_etl.cli.context import Call
    from roster_etl.demo_server.sftp_server import SftpServer

USER, FORMAT, FOLDER = "reading-app", "oneroster", "rosters"
VARIABLE = "DEMO_PASSWORD_READING_APP"


@dataclass(frozen=True, kw_only=True)
class DemoApplication:
    """An application that takes the roster of `district_id`. ``password``: of its account, made for the occasion."""

    district_id: str
    password: str = field(default_factory=lambda: secrets.token_hex(16), repr=False)

    @property
    def account(self) -> Account:
        """Its account on the server."""
        return Account(user=USER, password=self.password)

    @property
    def environment(self) -> dict[str, str]:
        """What the daemon needs to log in."""
        return {VARIABLE: self.password}

    def add_destination(self, call: Call, server: SftpServer) -> None:
        """Make it a destination of the district: sent after each publish."""
        destination = Destination(
            name=USER,
            format=FORMAT,
            to=server.url(USER, f"/{FOLDER}"),
            options={"oneroster_version": "1.2", "user_ids": "kinded"},
            known_hosts=str(server.known_hosts),
            password_env=VARIABLE,
        )
        call.registry.add_destination(self.district_id, destination)

    def sent(self, call: Call) -> list[dict[str, Any]]:
        """Return what was sent to it, the first one first, and what is being sent at the moment."""
        with call.warehouse.read() as session:
            return list(reversed(session.ledger.exports(self.district_id, destination=USER)))

    def print_arrival(self, call: Call, server: SftpServer, command: str) -> None:
        """Print what lies in the application's folder now, and what its format could not say."""
        newest = self.sent(call)[-1]
        there = {path.name for path in (server.home(USER) / FOLDER).iterdir()}
        call.print("", f"— The roster of {self.district_id} leaves for an application, as OneRoster 1.2, after each publish", "")
        rows = [(file["file"], file["rows"], file["bytes"], file["sha256"][:12]) for file in newest["files"]]
        call.print_table(("file", "rows", "bytes", "sha256"), [row for row in rows if row[0] in there])
        lost = sum(loss["count"] for loss in newest["losses"])
        call.print(
            f"{len(there)} files are in the folder {FOLDER} of the account {USER}; each was read back by our own reader before it was sent.",
            f"{lost:,} records or values are said otherwise or not at all. What, why, and when it left:",
            f"  {command} exports --district {self.district_id} --home {call.home} --json",
        )
