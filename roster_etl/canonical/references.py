"""Which canonical record refers to which: what must not dangle.

Belongs here: pairs of tables and their columns. NULL refers to nothing.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class RecordReference:
    """``columns`` of ``table`` name a record of ``parent`` by its key (or the leading part of it) ``parent_columns``."""

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
    RecordReference("courses", ("term_id",), "terms", ("term_id",)),
    RecordReference("courses", ("organization_id",), "organizations", ("organization_id",)),
    RecordReference("contacts", _USER, "users", _USER),
    RecordReference("student_profiles", _USER, "users", _USER),
    RecordReference("user_roles", _USER, "users", _USER),
    RecordReference("user_roles", ("organization_id",), "organizations", ("organization_id",)),
)
