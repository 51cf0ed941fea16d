"""Columns and tables for what OneRoster carries: types of terms, several terms, grades and subjects, further ids, dates of roles.

The new columns are NULL in versions of before, which therefore keep their hash.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from roster_etl.canonical.sql_types import NUMBERED, Timestamp

revision = "0005"
down_revision = "0004"

_TYPES: dict[str, Any] = {"text": sa.Text(), "integer": sa.BigInteger(), "timestamp": Timestamp()}

# The new columns of each table: ``name``, or ``name:type`` (default: text).
_ADDED: dict[str, str] = {
    "terms": "type parent_term_id school_year:integer",
    "users": "master_id sms primary_organization_id",
    "user_roles": "role_id start_at:timestamp end_at:timestamp login_user_id",
    "student_profiles": "grades sex races birth_country birth_state birth_city residence_status",
    "contacts": "contact_user_id",
    "courses": "grades subjects subject_codes",
    "sections": "class_type location grades subjects subject_codes",
    "enrollments": "enrollment_id",
}

# The new tables: their keys, and their other columns.
_TABLES: dict[str, tuple[tuple[str, ...], str]] = {
    "user_identifiers": (("user_kind", "user_id", "type"), "identifier"),
    "section_terms": (("section_id", "term_id"), "position:integer"),
}
_GONE = "valid_to_import IS NOT NULL AND close_reason <> 'changed'"


def upgrade() -> None:
    """Add the columns and the tables."""
    for name, columns in _ADDED.items():
        for word in columns.split():
            op.add_column(f"{name}_history", _column(word))
    for name, (key, columns) in _TABLES.items():
        _create_history(f"{name}_history", key, columns)


def _column(word: str, *, needed: bool = False) -> sa.Column[Any]:
    name, _, kind = word.partition(":")
    return sa.Column(name, _TYPES[kind or "text"], nullable=not needed, autoincrement=False)


def _create_history(name: str, key: tuple[str, ...], columns: str) -> None:
    op.create_table(
        name,
        sa.Column("version_id", NUMBERED, sa.Identity(), nullable=False),
        *(_column(word, needed=True) for word in ("district_id", "source", *key)),
        *map(_column, columns.split()),
        _column("valid_from_import:integer", needed=True),
        _column("valid_to_import:integer"),
        _column("valid_from:timestamp", needed=True),
        *map(_column, ("valid_to:timestamp", "close_reason", "source_file", "source_row:integer")),
        *(_column(word, needed=True) for word in ("row_hash", "derived", "extensions")),
        sa.PrimaryKeyConstraint("version_id", name=f"pk_{name}"),
    )
    on = [sa.text(expression) for expression in ("district_id", "source", *key)]
    current, closed, gone = map(sa.text, ("valid_to_import IS NULL", "valid_to_import IS NOT NULL", _GONE))
    op.create_index(f"uq_{name}_current", name, on, unique=True, sqlite_where=current, postgresql_where=current)
    op.create_index(f"ix_{name}_opened", name, ["valid_from_import"])
    op.create_index(f"ix_{name}_past", name, on, sqlite_where=closed, postgresql_where=closed)
    op.create_index(f"ix_{name}_closed", name, ["valid_to_import"], sqlite_where=closed, postgresql_where=closed)
    feed = ["district_id", "source", "version_id"]
    op.create_index(f"ix_{name}_gone", name, feed, sqlite_where=gone, postgresql_where=gone)
