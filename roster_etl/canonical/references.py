"""References between canonical tables, for referential integrity. A NULL is not a reference."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class RecordReference:
    """A foreign key: ``columns`` of ``table`` match ``parent_columns``, the key of ``parent`` or the leading part of it."""

    table: str
    columns: tuple[str, ...]
    parent: str
    parent_columns: tuple[str, ...]


_USER = ("user_kind", "user_id")

REFERENCES: tuple[RecordReference, ...] = (
    RecordReference("enrollments", ("section_id",), "sections", ("section_id",)),
    RecordReference("enrollments", ("course_id",), "courses", ("course_id",)),
    RecordReference("enrollments", _USER, "users", _USER),
    RecordReference("enrollments", ("organization_id",), "organizations", ("organization_id",)),
    RecordReference("sections", ("course_id",), "courses", ("course_id",)),
    RecordReference("sections", ("home_course_id",), "courses", ("course_id",)),
    RecordReference("sections", ("term_id",), "terms", ("term_id",)),
    RecordReference("sections", ("organization_id",), "organizations", ("organization_id",)),
    RecordReference("section_terms", ("section_id",), "sections", ("section_id",)),
    RecordReference("section_terms", ("term_id",), "terms", ("term_id",)),
    RecordReference("courses", ("term_id",), "terms", ("term_id",)),
    RecordReference("courses", ("organization_id",), "organizations", ("organization_id",)),
    RecordReference("contacts", _USER, "users", _USER),
    RecordReference("student_profiles", _USER, "users", _USER),
    RecordReference("user_identifiers", _USER, "users", _USER),
    RecordReference("user_roles", _USER, "users", _USER),
    RecordReference("user_roles", ("organization_id",), "organizations", ("organization_id",)),
)

CASCADES: tuple[RecordReference, ...] = (
    *REFERENCES,
    RecordReference("contacts", ("contact_user_id",), "users", ("user_id",)),
)
"""Along which a removal is passed on: `REFERENCES`, and contacts who are users themselves (only formats with one space of IDs have such)."""

# Columns that are not part of a key and identify a user together.
_KIND_AND_ID_COLUMNS = frozenset({("logins", "user_kind"), ("logins", "user_id")})

# All columns that hold the ID of a record: in its own table and in referencing tables. An ID change updates all of them.
ID_COLUMNS: dict[str, tuple[tuple[str, str], ...]] = {
    "organizations": (
        ("organizations", "organization_id"),
        ("organizations", "parent_organization_id"),
        ("users", "primary_organization_id"),
        ("user_roles", "organization_id"),
        ("courses", "organization_id"),
        ("sections", "organization_id"),
        ("enrollments", "organization_id"),
        ("group_categories", "organization_id"),
        ("groups", "organization_id"),
        ("attendance", "organization_id"),
    ),
    "terms": (
        ("terms", "term_id"),
        ("terms", "parent_term_id"),
        ("term_dates", "term_id"),
        ("courses", "term_id"),
        ("sections", "term_id"),
        ("section_terms", "term_id"),
    ),
    "courses": (
        ("courses", "course_id"),
        ("courses", "blueprint_course_id"),
        ("sections", "course_id"),
        ("sections", "home_course_id"),
        ("enrollments", "course_id"),
        ("group_categories", "course_id"),
        ("groups", "course_id"),
    ),
    "sections": (("sections", "section_id"), ("section_terms", "section_id"), ("enrollments", "section_id")),
    "users": (
        ("users", "user_id"),
        ("user_identifiers", "user_id"),
        ("user_roles", "user_id"),
        ("student_profiles", "user_id"),
        ("contacts", "user_id"),
        ("contacts", "contact_user_id"),
        ("enrollments", "user_id"),
        ("enrollments", "associated_user_id"),
        ("logins", "user_id"),
        ("observers", "observer_id"),
        ("observers", "student_id"),
        ("group_memberships", "user_id"),
        ("attendance", "user_id"),
    ),
    "logins": (("logins", "login_user_id"), ("user_roles", "login_user_id")),
    "group_categories": (("group_categories", "group_category_id"), ("groups", "group_category_id")),
    "groups": (("groups", "group_id"), ("group_memberships", "group_id")),
}


def referenced_table(table: str, column: str) -> tuple[str, dict[str, str]] | None:
    """Return the table that `column` of `table` refers to, and the referencing columns: own column → its column.

    Users are identified by kind and ID, or by ID alone in tables without a column for the kind. None: `column` is no reference.
    """
    if (table, column) in _KIND_AND_ID_COLUMNS:
        return "users", dict(zip(_USER, _USER, strict=True))
    for parent, ((_, own), *others) in ID_COLUMNS.items():
        if (table, column) in others:
            return parent, {column: own}
    return None
