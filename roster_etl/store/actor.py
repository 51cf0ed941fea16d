"""By which way people reach this process, and as whom it runs: what the audit says of who decided.

Belongs here: the two answers, with the standard library alone, so that a command need not open a database to say it.
"""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Literal

Channel = Literal["command", "ui", "daemon", "program"]
_channel: ContextVar[Channel | None] = ContextVar("via", default=None)


@contextmanager
def actor_channel(channel: Channel) -> Iterator[None]:
    """Say inside the block by which way people reach this process, unless that was said already."""
    if _channel.get() is not None:
        yield
        return
    token = _channel.set(channel)
    try:
        yield
    finally:
        _channel.reset(token)


def current_channel() -> Channel:
    """Return by which way people reach this process; ``program`` where nobody said."""
    return _channel.get() or "program"


def os_user() -> str:
    """Return the account that this process runs as: what the system says, not what the environment does."""
    number = os.geteuid()
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:  # a container may have no name for it
        return f"uid {number}"
