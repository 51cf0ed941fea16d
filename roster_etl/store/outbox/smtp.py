"""Mail transport: deliver an outbox message to an SMTP server.

Errors contain no address and no reply text: a server may repeat what it received.
"""

from __future__ import annotations

import smtplib
import ssl
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from types import TracebackType
from typing import Self

from roster_etl.store.files.secrets import read_secret
from roster_etl.store.outbox.outbox import Message, MessageRefused, TransportBusy, TransportDown
from roster_etl.store.settings import MailSettings

_PORTS = {"starttls": 587, "tls": 465, "none": 25}
_SETTINGS_TABLE = "[mail] in roster_etl.toml"
_MAX_SUBJECT_LENGTH = 300  # characters


class Mailer:
    """Send messages over one connection, which the first of them opens. Use it in a ``with`` block."""

    def __init__(self, settings: MailSettings) -> None:
        self._settings = settings
        self._server: smtplib.SMTP | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._server is not None:
            with suppress(smtplib.SMTPException, OSError):
                self._server.quit()

    def __call__(self, message: Message) -> None:
        """Send `message`. Raises MessageRefused, TransportBusy, TransportDown."""
        with self._translate_smtp_errors():
            if self._server is None:
                self._server = self._connect()
            self._server.send_message(build_email(message, self._settings.sender), self._settings.sender, [message.to])

    def check(self) -> str:
        """Log in, and return the server's host and port. Raises TransportDown, SettingsError."""
        with self._translate_smtp_errors():
            self._server = self._connect()
        return self._where

    @property
    def _where(self) -> str:
        return f"mail server {self._settings.host} port {self._port}"

    @property
    def _port(self) -> int:
        return self._settings.port or _PORTS[self._settings.security]

    def _connect(self) -> smtplib.SMTP:
        mail = self._settings
        context = ssl.create_default_context(cafile=mail.ca_file or None)
        if mail.security == "tls":
            server: smtplib.SMTP = smtplib.SMTP_SSL(mail.host, self._port, timeout=mail.timeout_seconds, context=context)
        else:
            server = smtplib.SMTP(mail.host, self._port, timeout=mail.timeout_seconds)
        try:
            if mail.security == "starttls":
                server.starttls(context=context)
            if mail.user:
                server.login(mail.user, read_secret(_SETTINGS_TABLE, file=mail.password_file, variable=mail.password_env))
        except BaseException:
            server.close()
            raise
        return server

    @contextmanager
    def _translate_smtp_errors(self) -> Iterator[None]:
        """Translate SMTP errors into ours; any error but a rejected recipient closes the connection."""
        try:
            yield
        except smtplib.SMTPRecipientsRefused as error:
            code = next(iter(error.recipients.values()))[0]
            kind = TransportBusy if code < 500 else MessageRefused
            raise kind(where=self._where, problem=f"the recipient is refused (code {code})") from None
        except smtplib.SMTPAuthenticationError as error:
            raise self._connection_failure(f"the log-in of {self._settings.user} is refused (code {error.smtp_code})") from None
        except smtplib.SMTPNotSupportedError:
            raise self._connection_failure(f"it does not offer {self._settings.security}, or no log-in that we know") from None
        except smtplib.SMTPResponseException as error:
            self._disconnect()
            kind = TransportBusy if error.smtp_code < 500 else MessageRefused
            raise kind(where=self._where, problem=f"it does not take the message (code {error.smtp_code})") from None
        except ssl.SSLCertVerificationError:
            raise self._connection_failure("its certificate cannot be trusted; see ca_file") from None
        except (smtplib.SMTPException, OSError) as error:
            raise self._connection_failure(
                f"it cannot be reached ({getattr(error, 'strerror', None) or type(error).__name__})"
            ) from None

    def _disconnect(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    def _connection_failure(self, problem: str) -> TransportDown:
        self._disconnect()
        return TransportDown(where=self._where, problem=problem)


def build_email(message: Message, sender: str) -> EmailMessage:
    """Return `message` as an e-mail: identical on each call, so that receivers recognize a repeat by its Message-ID."""
    mail = EmailMessage(policy=SMTP)
    mail["From"], mail["To"], mail["Subject"] = sender, message.to, _subject_line(message.subject)
    mail["Date"] = format_datetime(datetime.fromisoformat(message.created))
    mail["Message-ID"] = f"<{message.id}@{sender.rpartition('@')[2]}>"
    if message.reply_to:
        mail["Reply-To"] = message.reply_to
    mail["Auto-Submitted"] = "auto-generated"  # stops out-of-office replies
    mail.set_content(message.text)
    if message.html:
        mail.add_alternative(message.html, subtype="html")
    for name, kind, text in message.attachments:
        mail.add_attachment(text, subtype=kind.partition("/")[2], filename=name)
    return mail


def _subject_line(text: str) -> str:
    """Return `text` as one line that mail readers show literally.

    Text that resembles an encoded word would be decoded when the header is written, line breaks included: that could inject a
    header.
    """
    line = " ".join("".join(" " if unicodedata.category(sign) == "Cc" else sign for sign in text).split()).replace("=?", "= ?")
    return line if len(line) <= _MAX_SUBJECT_LENGTH else f"{line[: _MAX_SUBJECT_LENGTH - 1]}…"
