"""A district's file as people write it: TOML, read strictly and edited without losing a comment.

Belongs here: the keys of the file, what each may hold, and both directions between the file and a ``District``.
Does not belong here: where the files lie (``districts``), or whether an option exists in a format (its spec says).
"""

from __future__ import annotations

import datetime
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any, get_args
from zoneinfo import ZoneInfo

from roster_etl.spec.errors import RegistryError
from roster_etl.store.files.urls import has_password
from roster_etl.store.registry.district import DAYS, District, Feed, Gate, MailWhen, Raised, Window, check_id
from roster_etl.store.settings import is_address, is_line, nearest


def parse_district(district_id: str, text: str) -> District:
    """Read a district from its file. Raises RegistryError with every problem and its place."""
    where = f"districts/{check_id(district_id)}.toml"
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RegistryError(where=where, problem=f"not a TOML file ({error})") from None
    if problems := list(_problems(values, _DISTRICT, "")):
        raise RegistryError(where=where, problem="; ".join(problems))
    feeds = tuple(_feed(feed) for feed in values.pop("feed", ()))
    contacts = tuple(values.pop("contacts", ()))
    calendar = tuple(_window(window) for window in values.pop("calendar", ()))
    return District(id=district_id, feeds=feeds, contacts=contacts, calendar=calendar, **values)


def check_district(district: District) -> None:
    """Refuse a district whose file could not be read back. Raises RegistryError."""
    parse_district(district.id, edit_district("", district))


def edit_district(text: str, district: District) -> str:
    """Return the file `text` changed to say what `district` says; what need not change stays, comments included."""
    import tomlkit  # only an edit needs it; reading is the standard library's

    document = tomlkit.parse(text)
    _merge(document, _plain(district))
    return tomlkit.dumps(document)


# ── keys of the file, and what each may hold ──

EXPECTATIONS = frozenset(
    {
        "delete_threshold_pct",
        "delete_threshold_min",
        "update_threshold_pct",
        "add_warning_pct",
        "refused_rows_pct",
        "refused_rows_min",
    }
)
"""The options that a time of the calendar may set: how much change is expected."""

_LONGEST_LINE = 200
_CLOCK = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")
_Check = Any  # a type, a nested table {key: check}, a list [check], or a function value → problem | None


def _zone(value: Any) -> str | None:
    try:
        ZoneInfo(value)
    except (KeyError, ValueError, TypeError, OSError):
        return "must be an IANA time zone such as America/Chicago"
    return None


def _path(value: Any) -> str | None:
    if not isinstance(value, str):
        return "must be text"
    return "must not hold a password; use password_env or password_file" if has_password(value) else None


def _share(value: Any) -> str | None:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return None if number and 0 <= value <= 1 else "must be a share from 0 to 1"


def _one_of(allowed: Sequence[str]) -> Callable[[Any], str | None]:
    return lambda value: None if value in allowed else f"must be one of {', '.join(allowed)}"


def _contact(value: Any) -> str | None:
    return None if isinstance(value, str) and is_address(value) else "must be a plain e-mail address such as data@example.org"


def _clock(value: Any) -> str | None:
    fine = isinstance(value, str) and _CLOCK.fullmatch(value)
    return None if fine else "must be a time of day from 00:00 to 23:59, in quotes"


def _hours(value: Any) -> str | None:
    return None if type(value) is int and 1 <= value <= 168 else "must be a whole number of hours from 1 to 168"


def _texts(value: Any) -> str | None:
    texts = isinstance(value, dict) and all(isinstance(item, str) for item in value.values())
    return None if texts else "must be a table of texts (put numbers and true/false in quotes)"


def _planned(value: Any) -> str | None:
    if problem := _texts(value):
        return problem
    if strange := sorted(set(value) - EXPECTATIONS):
        return f"may set {', '.join(sorted(EXPECTATIONS))}; not {', '.join(strange)}"
    return None


def _replacements(value: Any) -> str | None:
    tables = isinstance(value, dict) and not any(_texts(item) for item in value.values())
    return None if tables else "must be tables of texts: column, then value = replacement"


def _line(value: Any) -> str | None:
    """Names and reasons stand in lists, mails and pages."""
    fine = isinstance(value, str) and len(value) <= _LONGEST_LINE and is_line(value)
    return None if fine else f"must be text on one line, of at most {_LONGEST_LINE} signs"


def _reason(value: Any) -> str | None:
    return _file(value) or _line(value)


def _file(value: Any) -> str | None:
    return None if isinstance(value, str) and value else "must be text"


_GATE: dict[str, _Check] = {
    "expectation": _file,
    "mostly": _share,
    "severity": _one_of(get_args(Raised)),
    "reason": _file,
    "date": datetime.date,
}
_FEED: dict[str, _Check] = {
    "format": _file,
    "path": _path,
    "known_hosts": str,
    "key_file": str,
    "password_file": str,
    "password_env": str,
    "contacts": [_contact],
    "options": _texts,
    "gate": [_GATE],
    "replacements": _replacements,
    "expected_by": _clock,
    "expected_days": [_one_of(DAYS)],
    "expected_hours": _hours,
}
_WINDOW: dict[str, _Check] = {
    "from": datetime.date,
    "to": datetime.date,
    "reason": _reason,
    "pause": bool,
    "options": _planned,
    "feeds": [str],
}
_DISTRICT: dict[str, _Check] = {
    "name": _line,
    "time_zone": _zone,
    "paused": bool,
    "contacts": [_contact],
    "mail": _one_of(get_args(MailWhen)),
    "feed": [_FEED],
    "calendar": [_WINDOW],
}
_USUAL_MAIL, _USUAL_HOURS = District.mail, Feed.expected_hours
_NEEDED = {id(_GATE): ("expectation", "reason", "date"), id(_FEED): ("format",), id(_WINDOW): ("from", "to", "reason")}
_TYPES = {str: "text", bool: "true or false", datetime.date: "a date such as 2026-08-01"}


def _problems(values: Mapping[str, Any], checks: dict[str, _Check], place: str) -> Iterator[str]:
    for key, value in values.items():
        if key in checks:
            yield from _value_problems(value, checks[key], f"{place}{key}")
        else:
            yield f'unknown key "{place}{key}"{nearest(key, list(checks))}'
    for key in _NEEDED.get(id(checks), ()):
        if key not in values:
            yield f'"{place}{key}" is missing'
    if checks is _GATE and not {"mostly", "severity"} & set(values):
        yield f'"{place}mostly" or "{place}severity" is needed'
    if checks is _FEED and {"expected_days", "expected_hours"} & set(values) and not values.get("expected_by"):
        yield f'"{place}expected_by" is missing: the time of day that "expected_days" and "expected_hours" go with'
    if checks is _WINDOW and not any(values.get(key) for key in ("pause", "options")):
        yield f'"{place}pause" or "{place}options" is needed'
    if (
        checks is _WINDOW
        and all(type(values.get(key)) is datetime.date for key in ("from", "to"))
        and values["to"] < values["from"]
    ):
        yield f'"{place}to" is before "{place}from"'
    if checks is _DISTRICT:
        yield from _feed_problems(values)


def _feed_problems(values: Mapping[str, Any]) -> Iterator[str]:
    """Yield formats of two feeds, and times of the calendar about feeds that the district does not have: they would never be in force."""
    feeds, calendar = ([item for item in _listed(values.get(key)) if isinstance(item, dict)] for key in ("feed", "calendar"))
    known = [feed["format"] for feed in feeds if isinstance(feed.get("format"), str)]
    yield from (f"two feeds have the format {name}" for name in sorted({name for name in known if known.count(name) > 1}))
    for number, window in enumerate(calendar, start=1):
        for name in _listed(window.get("feeds")):
            if name not in known:
                yield f'"calendar[{number}].feeds" names "{name}", of which the district has no feed{nearest(str(name), known) if known else ""}'


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _value_problems(value: Any, check: _Check, place: str) -> Iterator[str]:
    if isinstance(check, list):
        if not isinstance(value, list):
            yield f'"{place}" must be a list'
            return
        for number, item in enumerate(value, start=1):
            yield from _value_problems(item, check[0], f"{place}[{number}]")
    elif isinstance(check, dict):
        if isinstance(value, dict):
            yield from _problems(value, check, f"{place}.")
        else:
            yield f'"{place}" must be a table'
    elif isinstance(check, type):
        if type(value) is not check:
            yield f'"{place}" must be {_TYPES[check]}'
    elif problem := check(value):
        yield f'"{place}" {problem}'


def _feed(values: dict[str, Any]) -> Feed:
    gates = tuple(Gate(**gate) for gate in values.pop("gate", ()))
    lists = {name: tuple(values.get(name, ())) for name in ("contacts", "expected_days")}
    return Feed(**{**values, "gates": gates, **lists})


def _window(values: dict[str, Any]) -> Window:
    first, last = values.pop("from"), values.pop("to")
    return Window(first=first, last=last, **{**values, "feeds": tuple(values.get("feeds", ()))})


def _plain(district: District) -> dict[str, Any]:
    """Return the file's content as plain values; what is unset is left out."""
    plain = {f.name: getattr(district, f.name) for f in fields(District) if f.name not in ("id", "feeds", "calendar")}
    plain |= {"mail": "" if district.mail == _USUAL_MAIL else district.mail}
    calendar = {"calendar": [_plain_window(window) for window in district.calendar]} if district.calendar else {}
    return {**_given(plain), "time_zone": district.time_zone, "feed": [_plain_feed(feed) for feed in district.feeds], **calendar}


def _plain_feed(feed: Feed) -> dict[str, Any]:
    values = {f.name: getattr(feed, f.name) for f in fields(Feed) if f.name != "gates"}
    plain = _given(values | {"expected_hours": None if feed.expected_hours == _USUAL_HOURS else feed.expected_hours})
    return plain | ({"gate": [_given(vars(gate), empty=(None,)) for gate in feed.gates]} if feed.gates else {})


def _plain_window(window: Window) -> dict[str, Any]:
    rest = {f.name: getattr(window, f.name) for f in fields(Window) if f.name not in ("first", "last")}
    return {"from": window.first, "to": window.last, **_given(rest)}


def _given(values: Mapping[str, Any], empty: Sequence[Any] = ("", None, False, (), {})) -> dict[str, Any]:
    kept = {key: value for key, value in values.items() if not any(value == e and type(value) is type(e) for e in empty)}
    return {key: list(value) if isinstance(value, tuple) else value for key, value in kept.items()}


def _merge(table: Any, wanted: Mapping[str, Any]) -> None:
    for key in [key for key in table if key not in wanted]:
        del table[key]
    for key, value in wanted.items():
        held = table.get(key)
        if isinstance(held, dict) and isinstance(value, Mapping):
            _merge(held, value)
        elif _is_tables(held) and _is_tables(value):
            _merge_tables(held, value)
        elif _is_tables(value):
            table[key] = [dict(item) for item in value]
        elif held is None or held != value:
            table[key] = value


def _is_tables(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, Mapping) for item in value)


def _merge_tables(held: Any, wanted: list[Mapping[str, Any]]) -> None:
    for table, value in zip(held, wanted, strict=False):
        _merge(table, value)
    for value in wanted[len(held) :]:
        held.append(dict(value))
    while len(held) > len(wanted):
        del held[-1]
