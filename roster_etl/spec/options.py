"""Options that every feed has, how an option's text becomes a value, and the precedence of settings.

Options of one format are declared in its vendor's folder.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import NoReturn
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from roster_etl.spec.errors import PermanentError
from roster_etl.spec.formats import TIMING_OPTIONS, Excludes, FileSet, Format, Option, OptionRule
from roster_etl.spec.similar_names import similar_name

COMMON_OPTIONS = (
    Option(
        "delete_threshold_pct",
        default="10",
        kind="percent",
        meaning="Hold when more than this share of a table's current records would be closed because the upload leaves them out. 100 turns it off.",
    ),
    Option(
        "delete_threshold_min",
        default="5",
        kind="whole",
        meaning="Never hold for fewer removals than this; the removal of an organization always holds.",
    ),
    Option(
        "update_threshold_pct",
        default="75",
        kind="percent",
        meaning="Hold when more than this share of a table's current records, or of one school's part of it, would change. People, their "
        "profiles and contacts count for each school of the person. 100 turns it off.",
    ),
    Option(
        "add_warning_pct",
        default="50",
        kind="percent",
        meaning="Warn when a table, or a school's part of it, grows by more than this share. 100 turns it off.",
    ),
    Option(
        "hold_renames",
        default="false",
        kind="switch",
        meaning="Hold when people vanish and others who seem to be the same appear under new ids, until a person says whether they are.",
    ),
    Option(
        "refused_rows_pct",
        default="25",
        kind="percent",
        meaning="Hold when more than this share of a file's rows is refused, rows that follow from others included.",
    ),
    Option("refused_rows_min", default="10", kind="whole", meaning="Never hold for fewer refused rows than this."),
    Option(
        "refused_rise_pct",
        default="10",
        kind="percent",
        meaning="Hold when the share of refused rows of a file is more than this many points above that of the feed's last published "
        "upload. 100 turns it off.",
    ),
    Option(
        "refused_rise_min",
        default="8",
        kind="whole",
        meaning="Never hold for a rise of fewer refused rows than this; 5 are enough where the share rises by more than refused_rows_pct.",
    ),
    Option(
        "unreadable_cells_pct",
        default="10",
        kind="percent",
        meaning="Set a column aside, and keep its known values, when more than this share of its filled cells cannot be read. 100 turns "
        "it off.",
    ),
    Option(
        "unreadable_cells_min",
        default="5",
        kind="whole",
        meaning="Never set a column aside for fewer unreadable cells than this.",
    ),
    Option("min_interval", default="1h", kind="duration", meaning="Import no more often than this."),
    Option(
        "quiet_period",
        default="5m",
        kind="duration",
        meaning="An upload is settled once its listing has stood still for this long.",
    ),
    Option(
        "straggler_wait",
        default="30m",
        kind="duration",
        meaning="How long to wait for the rest when only some of the required files are new.",
    ),
    Option(
        "time_zone",
        default="UTC",
        kind="zone",
        meaning="The district's time zone, such as America/Chicago: where a date of the district begins.",
    ),
    Option(
        "encoding",
        default="utf-8",
        kind="encoding",
        meaning="The encoding of the district's files. Anything but UTF-8 is noted with each import.",
    ),
)

_DURATION = re.compile(r"(\d{1,6})\s*([smhd])", re.ASCII)
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_SWITCH = {"true": True, "false": False}


class UnknownOption(PermanentError):
    """A setting names an option that the format does not have."""

    code = "unknown_option"
    template = "format {format} has no option {names}{hint}"


class BadOption(PermanentError):
    """A setting's text is not a valid value of its option."""

    code = "bad_option"
    template = "option {option}: expected {expected}; its default is {default}"


class ContradictingOptions(PermanentError):
    """Two options of one import exclude each other, or one lacks another that it requires."""

    code = "contradicting_options"
    template = "{problem}"


def options_of(format_: Format) -> dict[str, Option]:
    """Return the options of `format_` by name: the common ones, those of its sets, then its own, which may replace a default."""
    of_sets = (option for file_set in format_.sets for option in _timing_options(file_set))
    return {option.name: option for option in (*COMMON_OPTIONS, *of_sets, *format_.options)}


def timing_option_names(format_: Format) -> frozenset[str]:
    """Return the names of the options that control when an upload is imported, including those of the sets."""
    return frozenset({*TIMING_OPTIONS, *(option.name for file_set in format_.sets for option in _timing_options(file_set))})


def _timing_options(file_set: FileSet) -> tuple[Option, ...]:
    common = {option.name: option for option in COMMON_OPTIONS}
    return tuple(
        replace(common[name], name=file_set.option(name), default=default, meaning=f"{common[name].meaning} For {file_set.name}.")
        for name, default in file_set.timing.items()
    )


def parse_option(option: Option, text: str) -> object:
    """Return the value of `option` that `text` represents.

    Returns: bool (switch), str (choice, format, text, zone, encoding), int (whole), float (percent, up to 100), timedelta
    (duration), dict of texts (mapping, table), or any JSON value (json); None for an optional one that is empty.
    Raises: BadOption: names the option and what was expected, not the text, which may be a misplaced secret.
    """
    text = text.strip()
    if option.optional and not text:
        return None
    if option.max_bytes is not None and len(text.encode("utf-8", "replace")) > option.max_bytes:
        raise BadOption(option=option.name, expected=f"at most {option.max_bytes} bytes of text", default=option.default)
    try:
        return _OPTION_PARSERS[option.kind](option, text) if option.kind in _OPTION_PARSERS else _PARSERS[option.kind](text)
    except (ValueError, LookupError, OverflowError, OSError):
        raise BadOption(option=option.name, expected=_expected_text(option), default=option.default) from None


def resolve_options(format_: Format, *layers: Mapping[str, str]) -> dict[str, object]:
    """Return the value of every option of `format_`: its default, unless a layer sets it; later layers win.

    Raises: UnknownOption: lists all unknown names at once. BadOption: see `parse_option`. ContradictingOptions.
    """
    options = options_of(format_)
    texts = {name: option.default for name, option in options.items()}
    unknown = sorted({name for layer in layers for name in layer} - set(options))
    if unknown:
        raise UnknownOption(format=format_.name, names=", ".join(unknown), hint=_option_hint(unknown, options))
    for layer in layers:
        texts.update(layer)
    values = {name: parse_option(option, texts[name]) for name, option in options.items()}
    for rule in format_.option_rules:
        _check_rule(rule, values)
    return values


def _option_hint(unknown: Sequence[str], known: Iterable[str]) -> str:
    """Return what to write instead: the most similar options, or all of them if one name is like none."""
    names = list(known)
    close = [similar_name(name, names) for name in unknown]
    return f"; did you mean {', '.join(filter(None, close))}?" if all(close) else f"; its options: {', '.join(names)}"


def _check_rule(rule: OptionRule, values: Mapping[str, object]) -> None:
    if isinstance(rule, Excludes):
        given = [name for name in rule.options if values[name]]
        if len(given) > 1:
            raise ContradictingOptions(problem=f"options {' and '.join(given)} exclude each other; set one of them only")
    elif values[rule.option] and values[rule.required] is None:
        raise ContradictingOptions(problem=f"option {rule.option} needs option {rule.required}; set both")


def _switch(text: str) -> bool:
    return _SWITCH[text.lower()]


def _parse_choice(option: Option, text: str) -> str:
    return text if text in option.choices else _refuse()


def _mapping(option: Option, text: str) -> dict[str, str]:
    values = json.loads(text)
    if not isinstance(values, dict) or not all(isinstance(v, str) and v in option.choices for v in values.values()):
        raise ValueError
    return values


def _whole(option: Option, text: str) -> int:
    value = int(text) if text.isascii() and text.isdigit() else _refuse()
    return value if value >= option.minimum else _refuse()


def _percent(option: Option, text: str) -> float:
    if not re.fullmatch(r"\d{1,3}(\.\d{1,6})?", text, re.ASCII):
        raise ValueError
    value = float(text)
    return value if option.minimum <= value <= 100 else _refuse()


def parse_duration(text: str) -> timedelta:
    """Return the duration that a text such as 30s, 5m, 1h or 2d represents. Raises ValueError."""
    found = _DURATION.fullmatch(text.lower())
    if text == "0":
        return timedelta(0)
    return timedelta(seconds=int(found[1]) * _SECONDS[found[2]]) if found else _refuse()


def _table(text: str) -> dict[str, str]:
    found = json.loads(text)
    if not isinstance(found, dict) or not all(isinstance(value, str) and value.strip() for value in found.values()):
        raise ValueError
    return found


def _zone(text: str) -> str:
    try:
        return ZoneInfo(text).key
    except (ZoneInfoNotFoundError, ValueError):
        return _refuse()


def _encoding(text: str) -> str:
    "".encode(text)  # LookupError if the codec is not a text encoding
    return codecs.lookup(text).name


def _refuse() -> NoReturn:
    raise ValueError


_PARSERS: dict[str, Callable[[str], object]] = {
    "switch": _switch,
    "duration": parse_duration,
    "text": str,
    "json": json.loads,
    "table": _table,
    "zone": _zone,
    "encoding": _encoding,
}
_OPTION_PARSERS: dict[str, Callable[[Option, str], object]] = {
    "choice": _parse_choice,
    "format": _parse_choice,
    "mapping": _mapping,
    "whole": _whole,
    "percent": _percent,
}


def _expected_text(option: Option) -> str:
    return {
        "switch": "true or false",
        "choice": f"one of {', '.join(option.choices)}",
        "format": f"the name of another format: {', '.join(option.choices)}",
        "whole": f"a whole number, {option.minimum} or more",
        "percent": f"a share from {option.minimum} to 100, such as 10 or 2.5",
        "duration": "a time such as 30s, 5m, 1h, 2d or 0",
        "zone": "a time zone such as America/Chicago",
        "encoding": "an encoding such as utf-8 or cp1252",
        "json": "JSON",
        "mapping": f"a JSON object of names, each with one of {', '.join(option.choices)}",
        "table": 'a JSON object of texts, such as {"Lincoln High School": "10"}',
        "text": "text",
    }[option.kind]
