"""What else changes at once when a steward edits a value: what is derived from it, in the record itself and in sections that name it.

What they are is decided in ``engine.transform.derive_again``, and for delta formats in ``engine.changes.person_names``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from roster_etl.canonical.roster import TABLES, RosterTable
from roster_etl.engine.changes.person_names import NAME_COLUMNS, NAME_PARTS, derive_names
from roster_etl.engine.transform.derive_again import (
    common_grade_order,
    evaluate_expression,
    most_common,
    recompute_derived_values,
    section_names,
)
from roster_etl.engine.transform.overrides import parse_edit_value
from roster_etl.frames.row_hashes import HASH, row_hash
from roster_etl.pipeline.review.cleared_edits import SourceValue
from roster_etl.pipeline.workspace import Workspace
from roster_etl.vendors import Vendor, vendor

Feed = tuple[str, str]
Change = tuple[pa.Table, pa.Table]  # versions before, and after
Cell = tuple[str | None, str | None]  # a value before an edit, and after


def with_derived(workspace: Workspace, feed: Feed, table: RosterTable, after: pa.Table, field: str) -> pa.Table:
    """Return the edited version `after` (one row) with the values that are derived from its own columns."""
    made, record = vendor(feed[1]), after.to_pylist()[0]
    edited = {field, *_edited(workspace, feed, table, record)}
    if made.change_plan is None:
        values = recompute_derived_values(table, made.mappings, record, edited)
    else:
        values = _names_again(record, edited) if table.name == "users" and field in NAME_PARTS else {}
    return with_values(table, after, values)


def with_own_value(
    workspace: Workspace, feed: Feed, table: RosterTable, before: pa.Table, field: str, own: SourceValue
) -> pa.Table:
    """Return the version `before` (one row) with a column that is no longer edited, and what is derived from it."""
    record = before.to_pylist()[0]
    derived = sorted({*json.loads(record["derived"] or "[]"), *((field,) if own.derived else ())})
    values = {field: parse_edit_value(table, field, own.value), "derived": json.dumps(derived)}
    values |= dict(zip(("source_file", "source_row"), own.place or (), strict=False))
    after, made = with_values(table, before, values), vendor(feed[1])
    record, edited = after.to_pylist()[0], _edited(workspace, feed, table, record) - {field}
    if made.change_plan is None:
        again = recompute_derived_values(table, made.mappings, record, edited)
    else:
        names = table.name == "users" and field in (*NAME_PARTS, *NAME_COLUMNS)
        again = _names_again(record, edited) if names else {}
    return with_values(table, after, again)


def sections_after(workspace: Workspace, feed: Feed, table: str, before: pa.Table, after: pa.Table, field: str) -> Change | None:
    """Return the sections whose derived name or grade comes from the edited value, before and after; None where there are none."""
    made, old, new = vendor(feed[1]), before.to_pylist()[0], after.to_pylist()[0]
    if made.change_plan is not None or old[field] == new[field]:
        return None
    found: list[Change] = []
    for section in _sections_of(workspace, feed, table, old):
        record = section.to_pylist()[0]
        if (table, field) == ("student_profiles", "grade"):
            changed = _grade_after(workspace, feed, made, record, new)
        else:
            name = _name_after(workspace, feed, made, record, (table, field, old[field], new[field]))
            changed = {} if name is None else {"name": name}
        if changed:
            found.append((section, with_values(TABLES["sections"], section, changed)))
    return (pa.concat_tables([one for one, _ in found]), pa.concat_tables([two for _, two in found])) if found else None


def with_values(table: RosterTable, version: pa.Table, values: Mapping[str, Any]) -> pa.Table:
    """Return a version (one row) with other values, and its new row hash."""
    for name, value in values.items():
        column = pa.array([value], version.schema.field(name).type)
        version = version.set_column(version.schema.get_field_index(name), version.schema.field(name), column)
    hashed = row_hash(version, table) if values else version.column(HASH)
    return version.set_column(version.schema.get_field_index(HASH), version.schema.field(HASH), hashed)


def _names_again(record: Mapping[str, Any], edited: set[str]) -> dict[str, Any]:
    """Return the names of a person that were made of the parts, where no edit keeps them."""
    derived = set(json.loads(record["derived"] or "[]")) - edited
    known = {**record, **dict.fromkeys(derived & set(NAME_COLUMNS))}
    made = derive_names({part: record[part] for part in NAME_PARTS}, known, record["username"])
    return {name: made[name] for name in NAME_COLUMNS if name in derived and made[name] != record[name]}


def _edited(workspace: Workspace, feed: Feed, table: RosterTable, record: Mapping[str, Any]) -> set[str]:
    key = {name: record[name] for name in table.key}
    rows = workspace.warehouse.roster.overrides(*feed)
    return {row["field"] for row in rows if row["table_name"] == table.name and json.loads(row["key"]) == key}


def _sections_of(workspace: Workspace, feed: Feed, table: str, record: Mapping[str, Any]) -> Iterator[pa.Table]:
    """Yield the current sections that a person teaches or learns in, or that people of a course are in, one row each."""
    if table == "student_profiles":
        key = {"user_kind": record["user_kind"], "user_id": record["user_id"], "role": "student"}
    elif table == "users":
        key = {"user_kind": record["user_kind"], "user_id": record["user_id"], "role": "teacher"}
    elif table == "courses":
        key = {"course_id": record["course_id"]}
    else:
        return
    ids = pc.unique(pc.drop_null(_current(workspace, feed, "enrollments", key).column("section_id")))
    for id_ in ids.to_pylist():
        found = _current(workspace, feed, "sections", {"section_id": id_})
        if found.num_rows:
            yield found.slice(0, 1)


def _name_after(
    workspace: Workspace, feed: Feed, made: Vendor, section: Mapping[str, Any], edit: tuple[str, str, str | None, str | None]
) -> str | None:
    """Return the section's new name, where its name is the one that the parts made before the edit.

    Args: edit: table and column of the edited value, the value before, and after.
    """
    if "name" not in json.loads(section["derived"] or "[]") or "name" in _edited(workspace, feed, TABLES["sections"], section):
        return None
    (course,) = _current(workspace, feed, "courses", {"course_id": section["course_id"]}).to_pylist()[:1] or [{}]
    teachers = _teachers(workspace, feed, section["section_id"])
    known = {"sections": [section], "courses": [course], "users": teachers}
    for _, expression, parts in section_names(made.mappings):
        if any(edit[:2] in found for found in parts):
            for cells in product(*(_cells(found, known, edit) for found in parts)):
                if evaluate_expression(expression, [was for was, _ in cells]) == section["name"]:
                    name: str | None = evaluate_expression(expression, [now for _, now in cells])
                    return name
    return None


def _grade_after(
    workspace: Workspace, feed: Feed, made: Vendor, section: Mapping[str, Any], edited: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the section's new grade, where it is that of most of its students; `edited`: the profile after the edit."""
    order = common_grade_order(made.mappings)
    if not order or "grade" not in json.loads(section["derived"] or "[]"):
        return {}
    links = _current(workspace, feed, "enrollments", {"section_id": section["section_id"], "role": "student"}).to_pylist()
    keys = [{"user_kind": link["user_kind"], "user_id": link["user_id"]} for link in links]
    others = [key for key in keys if key["user_id"] != edited["user_id"]]
    profiles = [row for key in others for row in _current(workspace, feed, "student_profiles", key).to_pylist()]
    grade = most_common([row["grade"] for row in (*profiles, edited)], order)
    return {} if grade in (None, section["grade"]) else {"grade": grade}


def _cells(parts: set[tuple[str, str]], known: Mapping[str, Sequence[Mapping[str, Any]]], edit: tuple[Any, ...]) -> list[Cell]:
    """Return what one part of a section's name may be: the values before and after the edit, or those of the records `known`."""
    if edit[:2] in parts:
        return [(edit[2], edit[3])]
    for table, records in known.items():
        columns = [column for name, column in parts if name == table]
        if columns:
            return [(record.get(columns[0]), record.get(columns[0])) for record in records]
    return []


def _teachers(workspace: Workspace, feed: Feed, section_id: str) -> list[dict[str, Any]]:
    """Return the people who teach a section; one without names where there is nobody."""
    links = _current(workspace, feed, "enrollments", {"section_id": section_id, "role": "teacher"}).to_pylist()
    keys = [{"user_kind": link["user_kind"], "user_id": link["user_id"]} for link in links]
    return [row for key in keys for row in _current(workspace, feed, "users", key).to_pylist()] or [{}]


def _current(workspace: Workspace, feed: Feed, table: str, key: Mapping[str, Any]) -> pa.Table:
    found = workspace.warehouse.roster.trace(table, key, *feed)
    return found.filter(pc.is_null(found.column("valid_to_import")))
