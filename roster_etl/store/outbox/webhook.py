"""Webhook transport: post an alert as ``{"text": …}``, as Slack and Mattermost accept it.

Belongs here: the one request, and translating its response. The URL is a secret: no error contains it.
"""

from __future__ import annotations

import json
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from roster_etl.spec.errors import SettingsError
from roster_etl.store.files.secrets import read_secret
from roster_etl.store.outbox.outbox import Message, MessageRefused, TransportBusy, TransportDown
from roster_etl.store.settings import AlertSettings

_SETTINGS_TABLE = "[alerts] in roster_etl.toml"


class _NoRedirect(HTTPRedirectHandler):
    """Reject redirects: the text is never posted to another URL without a person's decision."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


class Webhook:
    """Send messages to the webhook of the settings."""

    def __init__(self, settings: AlertSettings) -> None:
        self._settings = settings

    def __call__(self, message: Message) -> None:
        """Send `message`. Raises MessageRefused, TransportBusy, TransportDown, SettingsError."""
        url = webhook_url(self._settings)
        where = f"webhook at {urlsplit(url).hostname}"
        body = json.dumps({"text": message.text}, ensure_ascii=False).encode()
        request = Request(url, body, {"Content-Type": "application/json; charset=utf-8", "User-Agent": "roster-etl"})  # noqa: S310 - see webhook_url
        try:
            with build_opener(_NoRedirect).open(request, timeout=self._settings.timeout_seconds):
                return
        except HTTPError as error:
            error.close()
            kind = (
                MessageRefused
                if error.code in (400, 413, 422)
                else TransportBusy
                if error.code in (408, 425, 429)
                else TransportDown
            )
            raise kind(where=where, problem=f"it answered {error.code}") from None
        except (OSError, HTTPException, ValueError) as error:  # ValueError: an invalid header
            reason = getattr(error, "reason", error)
            problem = f"it cannot be reached ({getattr(reason, 'strerror', None) or type(reason).__name__})"
            raise TransportDown(where=where, problem=problem) from None


def webhook_url(settings: AlertSettings) -> str:
    """Return the URL. Raises SettingsError: it is missing, or not http(s)."""
    url = read_secret(_SETTINGS_TABLE, file=settings.webhook_file, variable=settings.webhook_env)
    try:
        parts = urlsplit(url)
        fine = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        fine = False
    if not fine or any(c.isspace() for c in url):
        raise SettingsError(where=_SETTINGS_TABLE, problem="what it names holds no URL that begins with https://")
    return url
