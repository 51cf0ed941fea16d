"""Errors as reported to a person or a script: a code, one line, an exit code.

Another library's exception is reported without its text, which may hold a cell.
"""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import roster_etl
from roster_etl.cli.exit_codes import FAILED, USAGE_ERROR
from roster_etl.cli.global_options import UsageError
from roster_etl.spec.errors import RosterError

# Codes of usage errors: an argument is invalid, or refers to something that does not exist.
_USAGE_ERROR_CODES = frozenset(
    {
        "bad_cursor", "bad_district_id", "bad_edit", "bad_fault", "bad_home", "bad_leave_out", "bad_option", "bad_rename", "bad_replacements", "bad_vendor_name", "bad_words", "contradicting_options", "destination_exists", "district_exists", "key_exists", "needed", "no_delta", "no_home", "no_key", "no_open_hold", "no_roles", "nobody_to_purge", "not_archived", "not_confirmed", "not_edited", "not_empty", "not_undoable",
        "decided_otherwise", "no_outcomes", "nothing_archived", "nothing_judged", "nothing_left_out", "nothing_published", "nothing_to_purge", "nothing_to_verify", "older_upload", "one_feed", "one_record", "password_in_path", "paused", "several_feeds", "unknown_column", "unknown_destination", "unknown_difference", "unknown_district", "unknown_feed", "unknown_format", "unknown_import", "unknown_link", "unknown_option", "unknown_record", "unknown_role_name", "unknown_school", "unknown_table", "vendor_exists",
    }
)  # fmt: skip
_PACKAGE = Path(roster_etl.__path__[0]).resolve()


@dataclass(frozen=True, kw_only=True)
class Failure:
    """An error as it is reported."""

    code: str
    message: str
    exit_code: int

    def json_document(self) -> dict[str, dict[str, str]]:
        """Return the failure as the JSON document that ``--json`` prints."""
        return {"error": {"code": self.code, "message": self.message}}


def failure_of(error: BaseException) -> Failure:
    """Return the report of `error`: its message if the class is ours, else only its class and place."""
    if isinstance(error, RosterError):
        usage = isinstance(error, UsageError) or error.code in _USAGE_ERROR_CODES
        return Failure(code=error.code, message=error.message, exit_code=USAGE_ERROR if usage else FAILED)
    where = error_location(error.__traceback__)
    return Failure(code="failed", message=f"{type(error).__name__} in {where}; {_bug_report_request()}", exit_code=FAILED)


def _bug_report_request() -> str:
    """Return what to do about an error of ours: report it, with the versions."""
    from roster_etl.cli.versions import issues_url, versions

    numbers = ", ".join(f"{name} {number}" for name, number in versions().items())
    where = issues_url()
    return f"this is a bug in roster-etl: please report it{f' at {where}' if where else ''} with what --debug prints, and with {numbers}"


def error_location(trace: TracebackType | None) -> str:
    """Return file, line and function of the last frame in our own code in `trace`, else of the last one."""
    frames = traceback.extract_tb(trace)
    ours = [frame for frame in frames if Path(frame.filename).is_relative_to(_PACKAGE)]
    if not frames:
        return "an unknown place"
    frame = (ours or frames)[-1]
    path = Path(frame.filename)
    shown = path.relative_to(_PACKAGE.parent) if path.is_relative_to(_PACKAGE) else path.name
    return f"{shown}:{frame.lineno} ({frame.name})"


def debug_text(error: BaseException) -> str:
    """Return the traceback of `error` and of its causes, without the texts of other libraries' exceptions."""
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
