"""The root of the errors that this package raises on purpose.

Belongs here: the root class only. Errors with data of their own live beside what raises them.
"""

from __future__ import annotations


class RosterError(Exception):
    """Something that a person can act on: `message` says where, what was expected and found, and what to do."""

    def __init__(self, message: str, *, code: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
