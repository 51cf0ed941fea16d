"""Who is acting: the channel (command line, UI, daemon, program) and the OS account, for the audit log.

Belongs here: these two values, with the standard library alone, so that a command can record them without opening a database.
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
    """Set the channel through which people reach this process, for the block; a channel that is set already wins."""
    if _channel.get() is not None:
        yield
        return
    token = _channel.set(channel)
    try:
        yield
    finally:
        _channel.reset(token)


def current_channel() -> Channel:
    """Return the channel through which people reach this process; ``program`` where none was set."""
    return _channel.get() or "program"


def os_user() -> str:
    """Return the name of the OS account of this process, from the account database and never from the environment."""
    number = os.geteuid()
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:  # a container may have no name for it
        return f"uid {number}"
