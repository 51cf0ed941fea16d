"""Say why a connection failed, without the text of a library or a server, which is external input."""

from __future__ import annotations

import errno
import socket

_BY_NUMBER = {
    errno.ECONNREFUSED: "connection refused",
    errno.EHOSTUNREACH: "no route to the host",
    errno.ENETUNREACH: "no route to the host",
    errno.ETIMEDOUT: "no answer in time",
    errno.ECONNRESET: "the other side broke off the connection",
}


def connection_problem(error: BaseException, place: str = "") -> str:
    """Return why a connection failed: ``connection refused: sftp.example.org:22``. ``place``: host and port, if they are known."""
    problem = _known_problem(error)
    if problem is None:
        return f"the connection failed or broke off ({type(error).__name__})"
    return f"{problem}: {place}" if place else problem


def _known_problem(error: BaseException) -> str | None:
    link: BaseException | None = error
    while link is not None:
        if isinstance(link, socket.gaierror) or "DNS" in type(link).__name__:
            return "host not found"
        number = getattr(link, "errno", None)
        if number in _BY_NUMBER:
            return _BY_NUMBER[number]
        if isinstance(link, OSError) and f"[Errno {errno.ECONNREFUSED}]" in str(link):  # each address of a host refused it
            return _BY_NUMBER[errno.ECONNREFUSED]
        link = link.__cause__ or link.__context__
    return None
