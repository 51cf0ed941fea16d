"""Display forms of URLs and file names: without passwords and without control characters."""

from __future__ import annotations

import re
from pathlib import Path

_USERINFO = re.compile(r"(?<=://)[^/@:]*:[^/]*@")
_MAYBE_USERINFO = re.compile(r"(?<=://)([^/@:]*):.*@")  # up to the last @: people forget to escape / and @ in passwords
_QUERY_SECRET = re.compile(r"(?i)([?&][^=&]*(?:pass|secret|token|key|sig)[^=&]*=)[^&]*")
_SCHEME = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]*(?:://|::)")
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def redact(url: str) -> str:
    """Return `url` with passwords and tokens replaced by ``***``."""
    return _MAYBE_USERINFO.sub(r"\1:***@", _QUERY_SECRET.sub(r"\1***", url))


def has_password(url: str) -> bool:
    """Return whether `url` contains a password."""
    return _USERINFO.search(url) is not None


def is_url(text: str) -> bool:
    """Return whether `text` starts with a scheme (``sftp://…``); a plain path does not."""
    return _SCHEME.match(text) is not None


def scheme(text: str) -> str:
    """Return the scheme of a URL in lower case, ``file`` for a plain path."""
    match = _SCHEME.match(text)
    return match.group().rstrip(":/").casefold() if match else "file"


def local_path(text: str) -> Path | None:
    """Return the local path for `text` (a path or a ``file://`` URL), None for any other URL."""
    if not is_url(text):
        return Path(text).expanduser()
    return Path(text.split("://", 1)[1]) if scheme(text) in ("file", "local") else None


def join(base: str, name: str) -> str:
    """Return the URL (or path) of `name` in the folder `base`."""
    return f"{base.rstrip('/')}/{name}"


def printable_name(name: str) -> str:
    """Return a file name that can be stored and printed: bytes that are not UTF-8 and control characters are escaped."""
    readable = name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return _UNPRINTABLE.sub(lambda match: ascii(match.group())[1:-1], readable)
