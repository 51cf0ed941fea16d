"""The TOML file of a district: parsed strictly, and edited without losing comments."""

from __future__ import annotations

import datetime
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, replace
from typing import Any, get_args

from roster_etl.spec.errors import RegistryError
from roster_etl.store.registry.district import (
    DAYS,
    Destination,
    District,
    Feed,
    Gate,
    GateSeverity,
    MailWhen,
    Reconcile,
    Window,
    check_id,
)
from roster_etl.store.registry.toml_checks import (
    check_calendar_options,
    check_contact,
    check_count,
    check_destination_name,
    check_hours,
    check_line,
    check_path,
    check_percent,
    check_place,
    check_reason,
    check_replacements,
    check_share,
    check_text,
    check_text_lists,
    check_text_table,
    check_time_of_day,
    check_time_zone,
    check_when,
    one_of,
)
from roster_etl.store.settings import spelling_hint


def parse_district(district_id: str, text: str) -> District:
    """Parse a district's file. Raises RegistryError with every problem and its place."""
    where = f"districts/{check_id(district_id)}.toml"
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RegistryError(where=where, problem=f"not a TOML file ({error})") from None
    if problems := list(_problems(values, DISTRICT_KEYS, "")):
        raise RegistryError(where=where, problem="; ".join(problems))
    feeds = tuple(_feed(feed) for feed in values.pop("feed", ()))
    contacts = tuple(values.pop("contacts", ()))
    calendar = tuple(_window(window) for window in values.pop("calendar", ()))
    sent = tuple(_destination(destination) for destination in values.pop("destination", ()))
    matched = _reconcile(values.pop("reconcile", {}))
    known = District(id=district_id, feeds=feeds, contacts=contacts, calendar=calendar, destinations=sent, **values)
    return replace(known, reconcile=matched)


def check_district(district: District) -> None:
    """Reject a district that could not be parsed again from its file. Raises RegistryError."""
    parse_district(district.id, edit_district("", district))


def edit_district(text: str, district: District) -> str:
    """Return the file `text` updated to `district`; unchanged keys and comments are preserved."""
    import tomlkit  # only an edit needs it; reading uses the standard library

    document = tomlkit.parse(text)
    _merge(document, _district_values(district))
    return tomlkit.dumps(document)


_Validator = Any  # a type, a nested table {key: check}, a list [check], or a function value → problem | None

_GATE: dict[str, _Validator] = {
    "expectation": check_text,
    "mostly": check_share,
    "severity": one_of(get_args(GateSeverity)),
    "reason": check_text,
    "date": datetime.date,
}
_FEED: dict[str, _Validator] = {
    "format": check_text,
    "path": check_path,
    "known_hosts": str,
    "key_file": str,
    "password_file": str,
    "password_env": str,
    "contacts": [check_contact],
    "options": check_text_table,
    "gate": [_GATE],
    "replacements": check_replacements,
    "expected_by": check_time_of_day,
    "expected_days": [one_of(DAYS)],
    "expected_hours": check_hours,
}
_DESTINATION: dict[str, _Validator] = {
    "name": check_destination_name,
    "format": check_text,
    "to": check_place,
    "source": str,
    "options": check_text_table,
    "schools": [str],
    "leave_out": [str],
    "enrolled_only": bool,
    "formulas": one_of(("guard", "keep", "refuse")),
    "strict": bool,
    "when": check_when,
    "shrink_pct": check_percent,
    "shrink_min": check_count,
    "known_hosts": str,
    "key_file": str,
    "password_file": str,
    "password_env": str,
}
_WINDOW: dict[str, _Validator] = {
    "from": datetime.date,
    "to": datetime.date,
    "reason": check_reason,
    "pause": bool,
    "options": check_calendar_options,
    "feeds": [str],
}
DISTRICT_KEYS: dict[str, _Validator] = {
    "name": check_line,
    "time_zone": check_time_zone,
    "paused": bool,
    "contacts": [check_contact],
    "mail": one_of(get_args(MailWhen)),
    "feed": [_FEED],
    "calendar": [_WINDOW],
    "destination": [_DESTINATION],
    "reconcile": {"match": check_text_lists, "ignore": check_text_lists},
}
_DEFAULT_MAIL, _DEFAULT_HOURS = District.mail, Feed.expected_hours
REQUIRED_KEYS = {
    id(_GATE): ("expectation", "reason", "date"),
    id(_FEED): ("format",),
    id(_WINDOW): ("from", "to", "reason"),
    id(_DESTINATION): ("name", "format", "to"),
}
_TYPES = {str: "text", bool: "true or false", datetime.date: "a date such as 2026-08-01"}


def _problems(values: Mapping[str, Any], checks: dict[str, _Validator], prefix: str) -> Iterator[str]:
    for key, value in values.items():
        if key in checks:
            yield from _value_problems(value, checks[key], f"{prefix}{key}")
        else:
            yield f'unknown key "{prefix}{key}"{spelling_hint(key, list(checks))}'
    for key in REQUIRED_KEYS.get(id(checks), ()):
        if key not in values:
            yield f'"{prefix}{key}" is missing'
    if checks is _GATE and not {"mostly", "severity"} & set(values):
        yield f'"{prefix}mostly" or "{prefix}severity" is needed'
    if checks is _FEED and {"expected_days", "expected_hours"} & set(values) and not values.get("expected_by"):
        yield f'"{prefix}expected_by" is missing: the time of day that "expected_days" and "expected_hours" go with'
    if checks is _WINDOW and not any(values.get(key) for key in ("pause", "options")):
        yield f'"{prefix}pause" or "{prefix}options" is needed'
    if (
        checks is _WINDOW
        and all(type(values.get(key)) is datetime.date for key in ("from", "to"))
        and values["to"] < values["from"]
    ):
        yield f'"{prefix}to" is before "{prefix}from"'
    if checks is DISTRICT_KEYS:
        yield from _feed_problems(values)


def _feed_problems(values: Mapping[str, Any]) -> Iterator[str]:
    """Yield problems: two feeds of one format, and calendar periods for feeds that the district does not have."""
    feeds, calendar = ([item for item in _as_list(values.get(key)) if isinstance(item, dict)] for key in ("feed", "calendar"))
    known = [feed["format"] for feed in feeds if isinstance(feed.get("format"), str)]
    names = [str(item.get("name")) for item in _as_list(values.get("destination")) if isinstance(item, dict)]
    yield from (f"two destinations have the name {name}" for name in sorted({name for name in names if names.count(name) > 1}))
    yield from (f"two feeds have the format {name}" for name in sorted({name for name in known if known.count(name) > 1}))
    for number, window in enumerate(calendar, start=1):
        for name in _as_list(window.get("feeds")):
            if name not in known:
                yield f'"calendar[{number}].feeds" names "{name}", of which the district has no feed{spelling_hint(str(name), known) if known else ""}'


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _value_problems(value: Any, check: _Validator, key_path: str) -> Iterator[str]:
    if isinstance(check, list):
        if not isinstance(value, list):
            yield f'"{key_path}" must be a list'
            return
        for number, item in enumerate(value, start=1):
            yield from _value_problems(item, check[0], f"{key_path}[{number}]")
    elif isinstance(check, dict):
        if isinstance(value, dict):
            yield from _problems(value, check, f"{key_path}.")
        else:
            yield f'"{key_path}" must be a table'
    elif isinstance(check, type):
        if type(value) is not check:
            yield f'"{key_path}" must be {_TYPES[check]}'
    elif problem := check(value):
        yield f'"{key_path}" {problem}'


def _feed(values: dict[str, Any]) -> Feed:
    gates = tuple(Gate(**gate) for gate in values.pop("gate", ()))
    lists = {name: tuple(values.get(name, ())) for name in ("contacts", "expected_days")}
    return Feed(**{**values, "gates": gates, **lists})


def _window(values: dict[str, Any]) -> Window:
    first, last = values.pop("from"), values.pop("to")
    return Window(first=first, last=last, **{**values, "feeds": tuple(values.get("feeds", ()))})


def _destination(values: dict[str, Any]) -> Destination:
    lists = {name: tuple(values.get(name, ())) for name in ("schools", "leave_out")}
    return Destination(**{**values, **lists})


def _destination_values(destination: Destination) -> dict[str, Any]:
    """Return what differs from the defaults, as plain values."""
    values = {f.name: getattr(destination, f.name) for f in fields(Destination)}
    usual = {f.name: f.default for f in fields(Destination)}
    kept = {name: value for name, value in values.items() if name in ("name", "format", "to") or value != usual[name]}
    return _without_empty(kept, empty=("", None, (), {}))


def _reconcile(values: dict[str, Any]) -> Reconcile:
    return Reconcile(
        **{name: {table: tuple(columns) for table, columns in values.get(name, {}).items()} for name in ("match", "ignore")}
    )


def _district_values(district: District) -> dict[str, Any]:
    """Return the file's content as plain values; unset fields are omitted."""
    plain = {
        f.name: getattr(district, f.name)
        for f in fields(District)
        if f.name not in ("id", "feeds", "calendar", "destinations", "reconcile")
    }
    plain |= {"mail": "" if district.mail == _DEFAULT_MAIL else district.mail}
    calendar = {"calendar": [_window_values(window) for window in district.calendar]} if district.calendar else {}
    sent = {"destination": [_destination_values(one) for one in district.destinations]} if district.destinations else {}
    return {
        **_without_empty(plain),
        "time_zone": district.time_zone,
        "feed": [_feed_values(feed) for feed in district.feeds],
        **calendar,
        **sent,
        **_reconcile_values(district.reconcile),
    }


def _reconcile_values(reconcile: Reconcile) -> dict[str, Any]:
    lists = {name: {table: list(columns) for table, columns in value.items()} for name, value in vars(reconcile).items() if value}
    return {"reconcile": lists} if lists else {}


def _feed_values(feed: Feed) -> dict[str, Any]:
    values = {f.name: getattr(feed, f.name) for f in fields(Feed) if f.name != "gates"}
    plain = _without_empty(values | {"expected_hours": None if feed.expected_hours == _DEFAULT_HOURS else feed.expected_hours})
    return plain | ({"gate": [_without_empty(vars(gate), empty=(None,)) for gate in feed.gates]} if feed.gates else {})


def _window_values(window: Window) -> dict[str, Any]:
    rest = {f.name: getattr(window, f.name) for f in fields(Window) if f.name not in ("first", "last")}
    return {"from": window.first, "to": window.last, **_without_empty(rest)}


def _without_empty(values: Mapping[str, Any], empty: Sequence[Any] = ("", None, False, (), {})) -> dict[str, Any]:
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


def _merge_tables(current: Any, wanted: list[Mapping[str, Any]]) -> None:
    for table, value in zip(current, wanted, strict=False):
        _merge(table, value)
    for value in wanted[len(current) :]:
        current.append(dict(value))
    while len(current) > len(wanted):
        del current[-1]
