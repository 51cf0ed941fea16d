"""The checks of single values in a district's TOML file: each returns the problem, or None.

The JSON schema of the file is made from the same checks (``projections.json_schemas``).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from roster_etl.store.files.urls import has_password
from roster_etl.store.registry.district import DISTRICT_ID
from roster_etl.store.settings import is_email_address, is_single_line

CALENDAR_OPTIONS = frozenset(
    {
        "delete_threshold_pct",
        "delete_threshold_min",
        "update_threshold_pct",
        "add_warning_pct",
        "refused_rows_pct",
        "refused_rows_min",
    }
)
"""The options that a calendar period may set: thresholds for the expected amount of change."""

_MAX_LINE_LENGTH = 200
_CRON_FIELDS = 5
_TIME_OF_DAY = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")


def check_time_zone(value: Any) -> str | None:
    """Return the problem with an IANA time zone; None: there is none."""
    try:
        ZoneInfo(value)
    except (KeyError, ValueError, TypeError, OSError):
        return "must be an IANA time zone such as America/Chicago"
    return None


def check_path(value: Any) -> str | None:
    """Return the problem with a path or URL without a password; None: there is none."""
    if not isinstance(value, str):
        return "must be text"
    return "must not hold a password; use password_env or password_file" if has_password(value) else None


def check_share(value: Any) -> str | None:
    """Return the problem with a share from 0 to 1; None: there is none."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return None if number and 0 <= value <= 1 else "must be a share from 0 to 1"


def one_of(allowed: Sequence[str]) -> partial[str | None]:
    """Return a check that a value is one of `allowed`, which stand in its ``args``."""
    return partial(_check_choice, tuple(allowed))


def _check_choice(allowed: tuple[str, ...], value: Any) -> str | None:
    return None if value in allowed else f"must be one of {', '.join(allowed)}"


def check_contact(value: Any) -> str | None:
    """Return the problem with a plain e-mail address; None: there is none."""
    return (
        None if isinstance(value, str) and is_email_address(value) else "must be a plain e-mail address such as data@example.org"
    )


def check_destination_name(value: Any) -> str | None:
    """Return the problem with the name of a destination; None: there is none."""
    fine = isinstance(value, str) and DISTRICT_ID.fullmatch(value)
    return None if fine else "must be 1 to 64 of a-z, 0-9, - and _, beginning with a letter or a digit"


def check_place(value: Any) -> str | None:
    """Return the problem with a place that an export is written to; None: there is none."""
    return check_text(value) or check_path(value)


def check_when(value: Any) -> str | None:
    """Return the problem with when a destination is sent to; None: there is none."""
    fine = isinstance(value, str) and (value == "after_import" or len(value.split()) == _CRON_FIELDS)
    return None if fine else 'must be "after_import" or a cron line of five fields, such as "30 2 * * 1-5"'


def check_percent(value: Any) -> str | None:
    """Return the problem with a whole percentage; None: there is none."""
    return None if type(value) is int and 0 <= value <= 100 else "must be a whole number from 0 to 100"


def check_count(value: Any) -> str | None:
    """Return the problem with a count; None: there is none."""
    return None if type(value) is int and value >= 0 else "must be a whole number, 0 or more"


def check_time_of_day(value: Any) -> str | None:
    """Return the problem with a time of day; None: there is none."""
    fine = isinstance(value, str) and _TIME_OF_DAY.fullmatch(value)
    return None if fine else "must be a time of day from 00:00 to 23:59, in quotes"


def check_hours(value: Any) -> str | None:
    """Return the problem with a number of hours; None: there is none."""
    return None if type(value) is int and 1 <= value <= 168 else "must be a whole number of hours from 1 to 168"


def check_text_table(value: Any) -> str | None:
    """Return the problem with a table of texts; None: there is none."""
    texts = isinstance(value, dict) and all(isinstance(item, str) for item in value.values())
    return None if texts else "must be a table of texts (put numbers and true/false in quotes)"


def check_calendar_options(value: Any) -> str | None:
    """Return the problem with the options of a calendar period; None: there is none."""
    if problem := check_text_table(value):
        return problem
    if strange := sorted(set(value) - CALENDAR_OPTIONS):
        return f"may set {', '.join(sorted(CALENDAR_OPTIONS))}; not {', '.join(strange)}"
    return None


def check_replacements(value: Any) -> str | None:
    """Return the problem with replace rules; None: there is none."""
    tables = isinstance(value, dict) and not any(check_text_table(item) for item in value.values())
    return None if tables else "must be tables of texts: column, then value = replacement"


def check_text_lists(value: Any) -> str | None:
    """Return the problem with a table of lists of texts; None: there is none."""
    lists = isinstance(value, dict) and all(
        isinstance(item, list) and item and all(isinstance(name, str) for name in item) for item in value.values()
    )
    return None if lists else 'must be a table of lists: table = ["column"]'


def check_line(value: Any) -> str | None:
    """Return the problem with a name or reason, which must fit on one line of lists, mails and pages; None: there is none."""
    fine = isinstance(value, str) and len(value) <= _MAX_LINE_LENGTH and is_single_line(value)
    return None if fine else f"must be text on one line, of at most {_MAX_LINE_LENGTH} signs"


def check_reason(value: Any) -> str | None:
    """Return the problem with a reason on one line; None: there is none."""
    return check_text(value) or check_line(value)


def check_text(value: Any) -> str | None:
    """Return the problem with a text that is not empty; None: there is none."""
    return None if isinstance(value, str) and value else "must be text"
