"""OpenLineage transport: post an event to a lineage service, or add it as a line to a file.

Belongs here: the library's transports (the extra ``openlineage``), and translating their errors. No error contains the URL's password or the key.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from roster_etl.spec.errors import SettingsError
from roster_etl.store.files.secrets import read_secret
from roster_etl.store.outbox.outbox import Message, MessageRefused, TransportBusy, TransportDown
from roster_etl.store.settings import OpenLineageSettings

if TYPE_CHECKING:
    from openlineage.client.transport.transport import Transport

_SETTINGS_TABLE = "[openlineage] in roster_etl.toml"
_NO_RETRY = {"total": 0, "read": 0, "connect": 0}  # the outbox tries again


class OpenLineageSender:
    """Send events to where the settings say."""

    def __init__(self, settings: OpenLineageSettings) -> None:
        self._settings = settings

    def __call__(self, message: Message) -> None:
        """Send the event that `message` holds as JSON. Raises MessageRefused, TransportBusy, TransportDown, SettingsError."""
        transport = lineage_transport(self._settings)
        event: Any = json.loads(message.text)
        try:
            transport.emit(event)
        except Exception as error:  # noqa: BLE001 - the library lets those of requests and of files through
            raise _translated(error, self._settings) from None
        finally:
            transport.close()


def lineage_transport(settings: OpenLineageSettings) -> Transport:
    """Return the library's transport for the settings. Raises SettingsError: the extra is not installed, or the key cannot be read."""
    try:
        from openlineage.client.transport.file import FileConfig, FileTransport
        from openlineage.client.transport.http import ApiKeyTokenProvider, HttpConfig, HttpTransport
    except ImportError:
        raise SettingsError(
            where=_SETTINGS_TABLE, problem="openlineage-python is not installed; install roster-etl[openlineage]"
        ) from None
    if not settings.url.startswith(("http://", "https://")):
        return FileTransport(FileConfig(log_file_path=settings.url, append=True))
    config = HttpConfig(url=settings.url, endpoint=settings.endpoint, timeout=settings.timeout_seconds, retry=_NO_RETRY)
    if settings.api_key_file or settings.api_key_env:
        key = read_secret(_SETTINGS_TABLE, file=settings.api_key_file, variable=settings.api_key_env)
        config.auth = ApiKeyTokenProvider({"api_key": key})
    return HttpTransport(config)


def _translated(error: Exception, settings: OpenLineageSettings) -> MessageRefused | TransportBusy | TransportDown:
    """Return an error of the library as one of ours: refused (the event is not accepted), busy, or down."""
    host = urlsplit(settings.url).hostname
    where = f"OpenLineage at {host}" if host else "the OpenLineage file"
    code = getattr(getattr(error, "response", None), "status_code", None)
    if code is None:
        reason = getattr(error, "strerror", None) or type(error).__name__
        return TransportDown(
            where=where, problem=f"it cannot be reached ({reason})" if host else f"it cannot be written ({reason})"
        )
    kind = MessageRefused if code in (400, 413, 422) else TransportBusy if code in (408, 425, 429) else TransportDown
    return kind(where=where, problem=f"it answered {code}")
