"""Who teaches a section now, as a person reads it.

Belongs here: the order in which several teachers are listed. Tables promise no order.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from unicodedata import combining, normalize

from roster_etl.pipeline.workspace import Workspace

_SHOWN = ("user_kind", "user_id", "first_name", "last_name", "full_name")


def teachers_of(workspace: Workspace, district_id: str, source: str, section_id: str) -> list[dict[str, Any]]:
    """Return the current teachers of a section, in the order of the alphabet: last name, first name, id.

    Source: Dyknow's article, the note on Sections.csv: several teachers are displayed in alphabetical order.
    """
    key = {"section_id": section_id, "role": "teacher"}
    enrollments = workspace.warehouse.trace("enrollments", key, district_id, source).to_pylist()
    now = [row for row in enrollments if row["valid_to_import"] is None]
    return sorted((_teacher(workspace, district_id, row) for row in now), key=alphabetical)


def alphabetical(person: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what people are sorted by; case and accents do not count."""
    return tuple(_letters(person[name]) for name in ("last_name", "first_name", "user_id"))


def _teacher(workspace: Workspace, district_id: str, enrollment: Mapping[str, Any]) -> dict[str, Any]:
    key = {name: enrollment[name] for name in ("user_kind", "user_id")}
    versions = workspace.warehouse.trace("users", key, district_id, enrollment["source"]).to_pylist()
    person: dict[str, Any] = next((version for version in versions if version["valid_to_import"] is None), {})
    return {**{name: person.get(name) for name in _SHOWN}, **key, "is_primary": enrollment["is_primary"]}


def _letters(text: str | None) -> str:
    plain = "".join(letter for letter in normalize("NFKD", text or "") if not combining(letter))
    return plain.casefold()
