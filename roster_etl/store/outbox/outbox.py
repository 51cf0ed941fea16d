"""The outbox: messages on disk until they are delivered.

``<home>/outbox/<id>.json`` is a queued or dead-lettered (``parked``) message. ``sent/<id>`` is the receipt of a delivered one,
kept as long as the same message could be queued again. A crash between delivery and receipt sends it twice, with the same
Message-ID.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from itertools import takewhile
from pathlib import Path
from typing import Any, Literal

from roster_etl.spec.errors import PermanentError, RetryableError, RosterError
from roster_etl.store.fault_injection import fault_point
from roster_etl.store.files.folder import Folder, create_private_folder

MessageKind = Literal["mail", "webhook", "openlineage"]
RETRY_DELAYS = tuple(timedelta(minutes=m) for m in (1, 5, 15, 30, 60, 120, 240))
"""Delay after the first, second, … failed try; the last one repeats."""
RECEIPT_RETENTION = timedelta(days=90)
_LAST_REMOVAL, _REMOVAL_SECONDS = ".removed", 86_400.0


class MessageRefused(PermanentError):
    """Permanent rejection by the receiver; the message is dead-lettered."""

    code = "message_refused"
    template = "{where}: {problem}"


class TransportDown(RetryableError):
    """The server is unreachable, or login failed: no other message of this kind is tried now."""

    code = "carrier_down"
    template = "{where}: {problem}"


class TransportBusy(RetryableError):
    """Temporary rejection of this message by the receiver."""

    code = "carrier_busy"
    template = "{where}: {problem}"


@dataclass(frozen=True, kw_only=True)
class Message:
    """One message to one recipient. ``about``: its subject; with kind and recipient it makes the id, so that it is queued once.

    ``to``: an address, empty for a webhook. ``reply_to``: where answers go, empty: to the sender. ``attachments``: (file name, media type such as ``text/html``, content). Times are
    ISO text in UTC; ``due``: earliest time of the next try; ``problem``: why the last try failed, without a secret.
    """

    kind: MessageKind
    about: str
    created: str
    due: str
    text: str
    to: str = ""
    subject: str = ""
    html: str = ""
    reply_to: str = ""
    attachments: tuple[tuple[str, str, str], ...] = ()
    tries: int = 0
    parked: bool = False
    problem: str = ""

    @property
    def id(self) -> str:
        """The message's id: a hash of kind, subject and recipient, so a repeated message has the same id."""
        words = hashlib.sha256(f"{self.kind}\x1f{self.about}\x1f{self.to}".encode()).hexdigest()[:12]
        return f"{self.kind}-{words}"


Transport = Callable[[Message], None]
"""Delivers one message. Raises MessageRefused, TransportBusy, TransportDown."""


@dataclass(frozen=True, kw_only=True)
class SendResult:
    """The result of one delivery round: numbers of messages, and the distinct problems."""

    sent: int = 0
    failed: int = 0
    parked: int = 0
    problems: tuple[str, ...] = ()


class Outbox:
    """The messages in a local folder of the home. ``tries``: failed tries after which a message is dead-lettered."""

    def __init__(self, folder: Path, *, tries: int = 12) -> None:
        self._path, self._folder, self._tries = folder, Folder(str(folder)), tries

    def put(self, message: Message) -> bool:
        """Queue `message`, unless it is queued or was delivered already. Returns whether it was new."""
        if self._folder.exists(f"{message.id}.json") or self._folder.exists(f"sent/{message.id}"):
            return False
        fault_point("outbox.queue")
        self._write(message)
        fault_point("outbox.queued")
        return True

    def messages(self) -> list[Message]:
        """Return the queued and the dead-lettered messages, oldest first."""
        found = [self._read(name) for name in self._folder.names() if name.endswith(".json")]
        return sorted((message for message in found if message), key=lambda message: (message.created, message.id))

    def damaged_files(self) -> list[str]:
        """Return the files that hold no valid message; only a manual edit can cause that."""
        names = [name for name in self._folder.names() if name.endswith(".json")]
        return [name for name in names if self._read(name) is None and self._folder.exists(name)]

    def counts(self) -> dict[tuple[MessageKind, str], int]:
        """Return the number of messages per kind and state (``queued``, ``parked``)."""
        counts: dict[tuple[MessageKind, str], int] = {}
        for message in self.messages():
            key = (message.kind, "parked" if message.parked else "queued")
            counts[key] = counts.get(key, 0) + 1
        return counts

    def discard(self, message_id: str) -> bool:
        """Discard a queued or dead-lettered message, so that it is not queued again. Returns whether there was one."""
        if not self._folder.exists(f"{message_id}.json"):
            return False
        self._folder.write(f"sent/{message_id}", b"discarded")
        self._folder.remove(f"{message_id}.json")
        return True

    def send(
        self,
        transports: Mapping[MessageKind, Transport],
        now: datetime,
        *,
        include_all: bool = False,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> SendResult:
        """Deliver due messages; with `include_all`, also those not yet due and the dead-lettered.

        Args: should_stop: when it returns True, the rest is left for later.

        One process at a time delivers; a concurrent call returns an empty result. Failed deliveries are returned, never raised.
        """
        with self._exclusive() as alone:
            if not alone:
                return SendResult()
            self._remove_old_receipts(now)
            chosen = (m for m in self.messages() if (include_all or self._is_due(m, now)) and m.kind in transports)
            return self._send_messages(takewhile(lambda _: not should_stop(), chosen), transports, now)

    def _send_messages(
        self, messages: Iterable[Message], transports: Mapping[MessageKind, Transport], now: datetime
    ) -> SendResult:
        down: dict[MessageKind, RosterError] = {}
        sent = failed = parked = 0
        problems: dict[str, None] = {}
        for message in messages:
            problem = down.get(message.kind) or _try_send(transports[message.kind], message)
            if problem is None:
                fault_point("outbox.sent")
                self._folder.write(f"sent/{message.id}", now.isoformat().encode())
                self._folder.remove(f"{message.id}.json")
                sent += 1
                continue
            if isinstance(problem, TransportDown):
                down[message.kind] = problem
            after = self._record_failure(message, problem, now)
            self._write(after)
            failed, parked = failed + 1, parked + after.parked
            problems[problem.message] = None
        return SendResult(sent=sent, failed=failed, parked=parked, problems=tuple(problems))

    def _record_failure(self, message: Message, problem: RosterError, now: datetime) -> Message:
        tries = message.tries + 1
        pause = RETRY_DELAYS[min(tries, len(RETRY_DELAYS)) - 1]
        parked = isinstance(problem, MessageRefused) or tries >= self._tries
        return replace(message, tries=tries, due=(now + pause).isoformat(), parked=parked, problem=problem.message)

    @staticmethod
    def _is_due(message: Message, now: datetime) -> bool:
        """Return whether to try a message now; one that is due later than any delay was queued by a clock that ran ahead."""
        due = datetime.fromisoformat(message.due)
        return not message.parked and not now < due <= now + RETRY_DELAYS[-1]

    def _write(self, message: Message) -> None:
        self._folder.write(f"{message.id}.json", json.dumps(asdict(message), ensure_ascii=False, indent=1).encode())

    def _read(self, name: str) -> Message | None:
        """Return the message in file `name`; None: it was delivered at this moment, or the file is damaged."""
        try:
            document: dict[str, Any] = json.loads(self._folder.read(name))
            return Message(**{**document, "attachments": tuple(map(tuple, document["attachments"]))})
        except (FileNotFoundError, ValueError, TypeError, KeyError):
            return None

    def _remove_old_receipts(self, now: datetime) -> None:
        """Remove receipts older than RECEIPT_RETENTION, whose messages would not be queued again; once a day, as there may be many."""
        last = self._path / _LAST_REMOVAL
        with suppress(FileNotFoundError):
            if 0 <= now.timestamp() - last.stat().st_mtime < _REMOVAL_SECONDS:
                return
        for name in self._folder.names("sent"):
            path = self._path / "sent" / name
            if now.timestamp() - path.stat().st_mtime > RECEIPT_RETENTION.total_seconds():
                path.unlink(missing_ok=True)
        last.touch(mode=0o600)
        os.utime(last, (now.timestamp(),) * 2)

    @contextmanager
    def _exclusive(self) -> Iterator[bool]:
        create_private_folder(self._path)
        lock = os.open(self._path / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            yield _try_lock(lock)
        finally:
            os.close(lock)


def _try_lock(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _try_send(transport: Transport, message: Message) -> RosterError | None:
    fault_point("outbox.send")
    try:
        transport(message)
    except (MessageRefused, TransportBusy, TransportDown) as problem:
        return problem
    except RosterError as problem:  # settings, or a file with a secret: a person has to fix it, and all messages wait until then
        return TransportDown(problem.message)
    return None
