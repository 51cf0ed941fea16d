"""Generate the JSON schemas of ``roster_etl.toml`` and of a district's file, for editors and for checks outside the program.

Belongs here: the keys, their types, and the options of each format, from the declarations that the program itself checks with. A rule
between two keys (a feed twice, a window that ends before it begins) is not in a schema: only the program checks those.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from roster_etl.spec.options import options_of
from roster_etl.store.registry import toml_checks, toml_file
from roster_etl.store.settings import setting_keys
from roster_etl.vendors import discover_vendors

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_TEXTS: dict[str, Any] = {"type": "object", "additionalProperties": {"type": "string"}}
_LINE = {"type": "string", "minLength": 1, "maxLength": 200, "pattern": "^[^\\n\\r]*$"}
_NAME = {"type": "string", "pattern": "^[a-z0-9][a-z0-9_-]{0,63}$"}
_BY_TYPE: dict[type, dict[str, Any]] = {
    str: {"type": "string"},
    bool: {"type": "boolean"},
    int: {"type": "integer", "exclusiveMinimum": 0},
    float: {"type": "number", "exclusiveMinimum": 0},
    list: {"type": "array", "items": {"type": "string"}},
    datetime.date: {"type": "string", "format": "date"},
}
_BY_CHECK: dict[Callable[..., Any], dict[str, Any]] = {
    toml_checks.check_time_zone: {"type": "string", "description": "An IANA time zone, such as America/Chicago."},
    toml_checks.check_path: {"type": "string", "description": "A folder or an fsspec URL, without a password."},
    toml_checks.check_place: {"type": "string", "minLength": 1},
    toml_checks.check_share: {"type": "number", "minimum": 0, "maximum": 1},
    toml_checks.check_contact: {"type": "string", "format": "email"},
    toml_checks.check_destination_name: _NAME,
    toml_checks.check_when: {"type": "string", "pattern": r"^(after_import|\s*\S+(\s+\S+){4}\s*)$"},
    toml_checks.check_percent: {"type": "integer", "minimum": 0, "maximum": 100},
    toml_checks.check_count: {"type": "integer", "minimum": 0},
    toml_checks.check_time_of_day: {"type": "string", "pattern": "^([01][0-9]|2[0-3]):[0-5][0-9]$"},
    toml_checks.check_hours: {"type": "integer", "minimum": 1, "maximum": 168},
    toml_checks.check_text_table: _TEXTS,
    toml_checks.check_replacements: {"type": "object", "additionalProperties": _TEXTS},
    toml_checks.check_text_lists: {
        "type": "object",
        "additionalProperties": {"type": "array", "minItems": 1, "items": {"type": "string"}},
    },
    toml_checks.check_line: _LINE | {"minLength": 0},
    toml_checks.check_reason: _LINE,
    toml_checks.check_text: {"type": "string", "minLength": 1},
    toml_checks.check_calendar_options: {
        "type": "object",
        "properties": {name: {"type": "string"} for name in sorted(toml_checks.CALENDAR_OPTIONS)},
        "additionalProperties": False,
    },
}


def generated_files() -> dict[str, str]:
    """Return the text of each schema by its path in the repository."""
    return {
        "docs/schemas/roster_etl.schema.json": _text(settings_schema()),
        "docs/schemas/district.schema.json": _text(district_schema()),
    }


def settings_schema() -> dict[str, Any]:
    """Return the schema of ``roster_etl.toml``."""
    tables = {
        table: _object({key: _of_types(types, choices) for key, (types, choices) in keys.items()})
        for table, keys in setting_keys().items()
    }
    return {"$schema": _DIALECT, "title": "roster_etl.toml", "description": "The settings of an installation.", **_object(tables)}


def district_schema() -> dict[str, Any]:
    """Return the schema of ``districts/<id>.toml``, with the options of each format."""
    schema = _of_check(toml_file.DISTRICT_KEYS)
    feed = schema["properties"]["feed"]["items"]
    formats = {name: vendor.format for name, vendor in sorted(discover_vendors().items())}
    feed["properties"]["format"] = {"enum": list(formats)}
    feed["allOf"] = [
        {
            "if": {"properties": {"format": {"const": name}}, "required": ["format"]},
            "then": {"properties": {"options": _options(format_)}},
        }
        for name, format_ in formats.items()
    ]
    return {"$schema": _DIALECT, "title": "districts/<id>.toml", "description": "The settings of a district.", **schema}


def _options(format_: Any) -> dict[str, Any]:
    known = {
        name: {"type": "string", "description": option.meaning, "default": str(option.default)}
        for name, option in sorted(options_of(format_).items())
    }
    return {"type": "object", "properties": known, "additionalProperties": False}


def _of_types(types: tuple[type, ...], choices: tuple[str, ...]) -> dict[str, Any]:
    kind = bool if bool in types else float if float in types else types[0]
    if not choices:
        return _BY_TYPE[kind]
    return {"type": "array", "items": {"enum": list(choices)}} if kind is list else {"enum": list(choices)}


def _of_check(check: Any) -> dict[str, Any]:
    """Return the schema of a check of ``toml_file``. Raises KeyError: a check that has no schema here yet."""
    if isinstance(check, list):
        return {"type": "array", "items": _of_check(check[0])}
    if isinstance(check, dict):
        required = toml_file.REQUIRED_KEYS.get(id(check), ())
        return _object({key: _of_check(inner) for key, inner in check.items()}, required)
    if isinstance(check, type):
        return _BY_TYPE[check]
    if isinstance(check, partial):
        return {"enum": list(check.args[0])}
    return _BY_CHECK[check]


def _object(properties: Mapping[str, Any], required: tuple[str, ...] = ()) -> dict[str, Any]:
    needed = {"required": list(required)} if required else {}
    return {"type": "object", "properties": dict(properties), "additionalProperties": False, **needed}


def _text(schema: Mapping[str, Any]) -> str:
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
