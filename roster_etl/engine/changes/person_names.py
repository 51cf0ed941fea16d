"""Derive a person's names: full, sortable and display name, from whichever are given."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from functools import cache
from typing import Any

_SUFFIX = re.compile(r"(?:jr|sr|ii|iii|iv|v|vi|esq|esquire)\.?", re.IGNORECASE)
NAME_COLUMNS = ("full_name", "sortable_name", "short_name")
NAME_PARTS = ("first_name", "last_name")


def derive_names(given: Mapping[str, Any], before: Mapping[str, Any] | None, login: str | None) -> dict[str, Any]:
    """Return the names of a person, and which of them were derived.

    Args:    given: the row's names, without blank ones; before: the person's current values; login: the last resort.
    Returns: ``full_name``, ``sortable_name``, ``short_name`` and ``derived`` (JSON list).
    """
    known = before or {}
    made = set(_parse_name_list(known.get("derived") or "[]"))
    names: dict[str, Any] = {name: known.get(name) for name in NAME_COLUMNS}
    parts = [given[name] for name in NAME_PARTS if given.get(name)]
    surname = (known.get("sortable_name") or "").partition(", ")[0] or None
    if given.get("full_name"):
        _set(names, made, "full_name", given["full_name"], derived=False)
        _set(names, made, "sortable_name", to_sortable_name(given["full_name"], surname), derived=True)
    elif parts:
        _set(names, made, "full_name", " ".join(parts), derived=True)
        _set(names, made, "sortable_name", ", ".join(reversed(parts)), derived=True)
    elif not names["full_name"]:
        _set(names, made, "full_name", given.get("sortable_name") or given.get("short_name") or login, derived=True)
    if given.get("sortable_name"):
        _set(names, made, "sortable_name", given["sortable_name"], derived=False)
    if given.get("short_name"):
        _set(names, made, "short_name", given["short_name"], derived=False)
    if not names["sortable_name"] and names["full_name"]:
        _set(names, made, "sortable_name", to_sortable_name(names["full_name"], surname), derived=True)
    if not names["short_name"]:
        _set(names, made, "short_name", names["full_name"], derived=True)
    return {**names, "derived": _dump_name_list(tuple(sorted(made)))}


def names_with_edits(given: Mapping[str, Any], before: Mapping[str, Any], edited: Collection[str]) -> dict[str, Any]:
    """Return a row's names, with overridden names taken from `before`: the others are derived from the displayed ones."""
    shown = {name: before[name] if name in edited and name in NAME_PARTS else value for name, value in given.items()}
    if "full_name" in edited and any(given.get(name) for name in ("full_name", *NAME_PARTS)):
        shown = {name: value for name, value in shown.items() if name not in NAME_PARTS} | {"full_name": before["full_name"]}
    return shown


@cache
def _parse_name_list(text: str) -> tuple[str, ...]:
    return tuple(json.loads(text))


@cache
def _dump_name_list(names: tuple[str, ...]) -> str:
    return json.dumps(names)


def _set(names: dict[str, Any], made: set[str], name: str, value: str | None, *, derived: bool) -> None:
    names[name] = value
    (made.add if derived else made.discard)(name)


def to_sortable_name(full: str, surname: str | None = None) -> str:
    """Return "Surname, Given Suffix". The surname is `surname` if the name ends with it, else the last word."""
    words = full.replace(",", " ").split() if "," in full and _SUFFIX.fullmatch(full.rsplit(maxsplit=1)[-1]) else full.split()
    suffix = words.pop() if len(words) > 2 and _SUFFIX.fullmatch(words[-1]) else None
    name = " ".join(words)
    if surname and name.endswith(f" {surname}"):
        first, last = name[: -len(surname) - 1], surname
    else:
        first, _, last = name.rpartition(" ")
    rest = " ".join(part for part in (first, suffix) if part)
    return f"{last}, {rest}" if rest else last
