"""The first schema: the history tables of the roster, and the ledger.

Notation of columns: ``name``, ``name:type`` (default: text), and ``!`` for NOT NULL. They are listed here rather than taken from
the current declarations, because a revision records the schema of its time.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from roster_etl.canonical.sql_types import NUMBERED, JsonText, Timestamp

revision = "0001"
down_revision = None

_TYPES: dict[str, Any] = {
    "text": sa.Text(),
    "boolean": sa.Boolean(),
    "integer": sa.BigInteger(),
    "float": sa.Double(),
    "date": sa.Date(),
    "timestamp": Timestamp(),
    "json": JsonText(),
}

# Each history table: the key columns of its index, and its business columns.
_HISTORIES: dict[str, tuple[tuple[str, ...], str]] = {
    "organizations": (
        ("organization_id",),
        """
        organization_id! type name number state_id parent_organization_id low_grade high_grade principal_name
        principal_email street city state zip phone integration_id merge_with_id
        """,
    ),
    "terms": (
        ("term_id",),
        """
        term_id! name start_at:timestamp end_at:timestamp integration_id
        """,
    ),
    "term_dates": (
        ("term_id", "enrollment_type"),
        """
        term_id! enrollment_type! start_at:timestamp end_at:timestamp
        """,
    ),
    "users": (
        ("user_kind", "user_id"),
        """
        user_kind! user_id! number state_id integration_id first_name middle_name last_name preferred_first_name
        preferred_middle_name preferred_last_name full_name sortable_name short_name email username pronouns
        declared_user_type title phone status
        """,
    ),
    "user_roles": (
        ("user_kind", "user_id", "coalesce(organization_id, '')", "role"),
        """
        user_kind! user_id! organization_id role! is_primary:boolean title department
        """,
    ),
    "student_profiles": (
        ("user_kind", "user_id"),
        """
        user_kind! user_id! grade gender birth_date:date race hispanic:boolean home_language ell:boolean frl
        iep:boolean section_504:boolean gifted:boolean disability:boolean disability_type graduation_year:integer
        unweighted_gpa:float weighted_gpa:float street city state zip bus_route lunch_balance:float
        preferred_contact_method
        """,
    ),
    "contacts": (
        ("user_kind", "user_id", "contact_id"),
        """
        user_kind! user_id! contact_id! name relationship type phone phone_type email position:integer
        """,
    ),
    "courses": (
        ("course_id",),
        """
        course_id! organization_id term_id number short_name name description format blueprint_course_id
        is_homeroom:boolean start_at:timestamp end_at:timestamp integration_id status
        """,
    ),
    "sections": (
        ("section_id",),
        """
        section_id! course_id home_course_id organization_id term_id name number period subject grade
        start_at:timestamp end_at:timestamp integration_id
        """,
    ),
    "enrollments": (
        ("course_id", "coalesce(section_id, '')", "user_kind", "user_id", "role", "coalesce(associated_user_id, '')"),
        """
        course_id! section_id user_kind! user_id! role! associated_user_id is_primary:boolean organization_id
        start_at:timestamp end_at:timestamp limit_section_privileges:boolean status cause
        """,
    ),
    "logins": (
        ("login_user_id",),
        """
        login_user_id! user_kind user_id username integration_id authentication_provider_id email
        """,
    ),
    "observers": (
        ("observer_id", "student_id"),
        """
        observer_id! student_id!
        """,
    ),
    "group_categories": (
        ("group_category_id",),
        """
        group_category_id! name organization_id course_id
        """,
    ),
    "groups": (
        ("group_id",),
        """
        group_id! group_category_id name organization_id course_id
        """,
    ),
    "group_memberships": (
        ("group_id", "user_id"),
        """
        group_id! user_id! status
        """,
    ),
    "attendance": (
        ("organization_id", "user_id", "coalesce(period, '')", "date", "absence_code"),
        """
        organization_id! user_id! period date:date! absence_code! teacher_name
        """,
    ),
    "id_changes": (
        ("entity", "old_id", "new_id"),
        """
        entity! old_id! new_id!
        """,
    ),
}

_FEED = "district_id! source!"
_COMMON = """
    valid_from_import:integer! valid_to_import:integer valid_from:timestamp! valid_to:timestamp close_reason
    source_file source_row:integer row_hash! derived! extensions!
"""

# Each ledger table: its primary key, its columns, its index.
_LEDGER: dict[str, tuple[tuple[str, ...], str, dict[str, tuple[str, ...]]]] = {
    "imports": (
        ("import_id",),
        """
        import_id:number! kind! district_id! source! upload_id run_id status! received_at:timestamp
        started_at:timestamp! finished_at:timestamp options:json! summary:json!
        """,
        {"ix_imports_feed": ("district_id", "source", "status", "import_id")},
    ),
    "import_files": (
        ("import_id", "file"),
        """
        import_id:integer! file! kind sha256 bytes:integer rows_read:integer rows_accepted:integer
        rows_rejected:integer
        """,
        {},
    ),
    "findings": (
        ("import_id", "id"),
        """
        import_id:integer! id:integer! severity! code! file row:integer field key message! cause_id:integer
        count:integer!
        """,
        {},
    ),
    "rejected_rows": (
        (),
        """
        import_id:integer! file! row:integer! code! record!
        """,
        {"ix_rejected_rows_import_id": ("import_id",)},
    ),
    "holds": (
        ("import_id",),
        """
        import_id:integer! reason! plan_sha256! created_at:timestamp! decision decided_by decided_at:timestamp
        """,
        {},
    ),
    "overrides": (
        ("override_id",),
        """
        override_id:number! district_id! source! table_name! key! field! value set_by! set_at:timestamp!
        cleared_at:timestamp
        """,
        {"ix_overrides_feed": ("district_id", "source", "table_name")},
    ),
    "checks": (
        ("import_id", "name"),
        """
        import_id:integer! name! passed:boolean! severity! details:json!
        """,
        {},
    ),
}


def upgrade() -> None:
    """Create every table and index."""
    for name, (key, columns) in _HISTORIES.items():
        _create_history(f"{name}_history", key, columns)
    for name, (key, columns, indexes) in _LEDGER.items():
        primary = (sa.PrimaryKeyConstraint(*key, name=f"pk_{name}"),) if key else ()
        # An import id is never reused, not even after the newest row is deleted.
        options = {"sqlite_autoincrement": True} if name == "imports" else {}
        op.create_table(name, *_columns(columns), *primary, **options)
        for index, on in indexes.items():
            op.create_index(index, name, list(on))


def _columns(specification: str) -> list[sa.Column[Any]]:
    return [_column(word) for word in specification.split()]


def _column(word: str) -> sa.Column[Any]:
    name, _, kind = word.rstrip("!").partition(":")
    if kind == "number":
        return sa.Column(name, NUMBERED, sa.Identity(), nullable=False)
    return sa.Column(name, _TYPES[kind or "text"], nullable=not word.endswith("!"), autoincrement=False)


def _create_history(name: str, key: tuple[str, ...], columns: str) -> None:
    version = "version_id:number!"
    op.create_table(
        name, *_columns(f"{version} {_FEED} {columns} {_COMMON}"), sa.PrimaryKeyConstraint("version_id", name=f"pk_{name}")
    )
    on = [sa.text(expression) for expression in ("district_id", "source", *key)]
    current, closed = sa.text("valid_to_import IS NULL"), sa.text("valid_to_import IS NOT NULL")
    op.create_index(f"uq_{name}_current", name, on, unique=True, sqlite_where=current, postgresql_where=current)
    op.create_index(f"ix_{name}_opened", name, ["valid_from_import"])
    op.create_index(f"ix_{name}_past", name, on, sqlite_where=closed, postgresql_where=closed)
    op.create_index(f"ix_{name}_closed", name, ["valid_to_import"], sqlite_where=closed, postgresql_where=closed)
