"""Why a connection failed, without anybody's text."""

from __future__ import annotations

import errno
import socket

import pytest

from roster_etl.store.files.connection_errors import connection_problem


class LibraryError(Exception):
    """An error of a library, which may quote anything."""


def chained(cause: Exception) -> Exception:
    error = LibraryError("secret")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "problem"),
    [
        (ConnectionRefusedError(errno.ECONNREFUSED, "secret"), "connection refused: h:22"),
        (OSError("Multiple exceptions: [Errno 111] secret, [Errno 111] secret"), "connection refused: h:22"),
        (socket.gaierror(-2, "secret"), "host not found: h:22"),
        (chained(OSError(errno.EHOSTUNREACH, "secret")), "no route to the host: h:22"),
        (ConnectionResetError(errno.ECONNRESET, "secret"), "the other side broke off the connection: h:22"),
        (LibraryError("secret"), "the connection failed or broke off (LibraryError)"),
    ],
)
def test_a_reason_is_in_our_words(error: Exception, problem: str) -> None:
    assert connection_problem(error, "h:22") == problem
