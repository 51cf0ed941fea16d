"""Errors as a person at a prompt, or a script, is told about them: a code, one line, an exit code.

Belongs here: which errors are about the words of the call, and how a foreign exception is told without its text, which may
hold a cell. Does not belong here: the errors themselves (``spec.errors`` and the rooms that raise them).
"""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from roster_etl.spec.errors import RosterError

FAILED, USAGE_ERROR, REJECTED, HELD, INTERRUPTED = 1, 2, 3, 4, 130

# Errors that say: the call names something that is not there, or cannot be.
_USAGE_ERROR_CODES = frozenset(
    {
        "bad_cursor", "bad_district_id", "bad_edit", "bad_fault", "bad_home", "bad_leave_out", "bad_option", "bad_rename", "bad_replacements", "bad_vendor_name", "bad_words", "contradicting_options", "district_exists", "no_open_hold", "no_roles", "nobody_to_purge", "not_archived", "not_edited", "not_empty", "not_undoable", "nothing_archived", "nothing_judged", "nothing_left_out", "nothing_to_purge",
        "older_upload", "password_in_path", "paused", "unknown_column", "unknown_district", "unknown_feed", "unknown_format", "unknown_import", "unknown_option", "unknown_record", "unknown_role_name", "unknown_table", "vendor_exists",
    }
)  # fmt: skip
_PACKAGE = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, kw_only=True)
class Failure:
    """What is said about an error."""

    code: str
    message: str
    exit_code: int

    def json_document(self) -> dict[str, dict[str, str]]:
        """Return the failure as the JSON document that ``--json`` prints."""
        return {"error": {"code": self.code, "message": self.message}}


def failure_of(error: BaseException) -> Failure:
    """Return what is said about `error`: our own words where it is ours, else its class and its place only."""
    if isinstance(error, RosterError):
        return Failure(
            code=error.code, message=error.message, exit_code=USAGE_ERROR if error.code in _USAGE_ERROR_CODES else FAILED
        )
    where = error_location(error.__traceback__)
    return Failure(code="failed", message=f"{type(error).__name__} in {where}; --debug shows the way there", exit_code=FAILED)


def error_location(trace: TracebackType | None) -> str:
    """Return file, line and function of the last frame of ours in `trace`, or of the last one at all."""
    frames = traceback.extract_tb(trace)
    ours = [frame for frame in frames if Path(frame.filename).is_relative_to(_PACKAGE)]
    if not frames:
        return "an unknown place"
    frame = (ours or frames)[-1]
    path = Path(frame.filename)
    shown = path.relative_to(_PACKAGE.parent) if path.is_relative_to(_PACKAGE) else path.name
    return f"{shown}:{frame.lineno} ({frame.name})"


def debug_text(error: BaseException) -> str:
    """Return the traceback of `error` and of what caused it, without the text of foreign exceptions."""
    parts: list[str] = []
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        said = f": {link.message}" if isinstance(link, RosterError) else ""
        parts.append(
            "".join(traceback.format_tb(link.__traceback__)) + f"{type(link).__module__}.{type(link).__qualname__}{said}"
        )
        link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)
    return "\n\nwhich followed from\n\n".join(parts)
