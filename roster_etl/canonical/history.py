"""The tables ``T_history``, with all versions of all records (SCD type 2), and the views ``T`` of the current ones."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa

from roster_etl.canonical.roster import COMMON, FEED, TABLES, RosterColumn, RosterTable
from roster_etl.canonical.sql_types import METADATA, NUMBERED, Timestamp

_TYPES: dict[str, type[sa.types.TypeEngine[Any]]] = {
    "text": sa.Text,
    "boolean": sa.Boolean,
    "integer": sa.BigInteger,
    "float": sa.Double,
    "date": sa.Date,
    "timestamp": Timestamp,
}
LEFT = "valid_to_import IS NOT NULL AND close_reason <> 'changed'"
"""SQL of the versions that no newer version of the same record replaced, in the words of the index that holds them."""
_FOUND_BY = {
    "users": ("state_id", "number", "email"),
    "courses": ("number",),
    "sections": ("course_id",),
    "id_changes": ("old_id", "new_id"),
}
"""Columns by which current records are found that share a value: feeds are compared by it, and ID changes are read by either ID."""
_CURRENT_KEY = {"enrollments": ("section_id", "user_kind", "user_id", "course_id", "role", "associated_user_id")}
"""The order of the key in the index of current keys, where it is not that of the table: feeds are compared by section and user."""
_REQUIRED_COLUMNS = {"district_id", "source", "valid_from_import", "valid_from", "row_hash", "derived", "extensions"}


def history_name(table: str) -> str:
    """Return the name of the table that holds all versions of `table`."""
    return f"{table}_history"


def history_table(name: str) -> sa.Table:
    """Return the table that holds all versions of roster table `name`. Raises KeyError."""
    return METADATA.tables[history_name(TABLES[name].name)]


def key_expressions(table: RosterTable, prefix: str = "") -> tuple[str, ...]:
    """Return the key of `table` as SQL expressions in which NULL equals NULL.

    An ID is never the empty text (a blank cell is NULL), so the empty text represents NULL. Comparisons must use exactly these
    expressions, or the database does not use the index on them.
    """
    return tuple(f"coalesce({prefix}{name}, '')" if name in table.optional_key else f"{prefix}{name}" for name in table.key)


def current_key(table: RosterTable) -> tuple[str, ...]:
    """Return the key of `table` in the order of the index of current keys."""
    return _CURRENT_KEY.get(table.name, table.key)


def searched_columns(name: str) -> tuple[str, ...]:
    """Return the columns of roster table `name` that have an index of their own, in which its rows are in another order than by key."""
    return _FOUND_BY.get(name, ())


def _column(column: RosterColumn, required: set[str]) -> sa.Column[Any]:
    return sa.Column(column.name, _TYPES[column.type](), nullable=column.name not in required, comment=column.comment)


def _indexes(table: RosterTable) -> Iterator[sa.Index]:
    """Yield the indexes of a history table: the unique index of current keys, and those for reading past versions.

    Of most tables only the first two have an entry for a current version, which keeps a first load fast.
    """
    name = history_name(table.name)
    feed, expressions = ("district_id", "source"), dict(zip(table.key, key_expressions(table), strict=True))
    key = [sa.text(expression) for expression in (*feed, *expressions.values())]
    found_by = [sa.text(expression) for expression in (*feed, *map(expressions.__getitem__, current_key(table)))]
    current, closed = sa.text("valid_to_import IS NULL"), sa.text("valid_to_import IS NOT NULL")
    yield sa.Index(f"uq_{name}_current", *found_by, unique=True, sqlite_where=current, postgresql_where=current)
    yield sa.Index(f"ix_{name}_opened", "valid_from_import")
    yield sa.Index(f"ix_{name}_past", *key, sqlite_where=closed, postgresql_where=closed)
    yield sa.Index(f"ix_{name}_closed", "valid_to_import", sqlite_where=closed, postgresql_where=closed)
    for column in searched_columns(table.name):
        on = ["district_id", "source", sa.text("lower(email)") if column == "email" else column]
        known = sa.text(f"valid_to_import IS NULL AND {column} IS NOT NULL")
        yield sa.Index(f"ix_{name}_{column}", *on, sqlite_where=known, postgresql_where=known)
    if table.name == "enrollments":
        unsure = sa.text("valid_to_import IS NULL AND user_kind = 'user'")
        yield sa.Index(f"ix_{name}_unsure", "district_id", "source", "user_id", sqlite_where=unsure, postgresql_where=unsure)
    gone = sa.text(LEFT)
    yield sa.Index(f"ix_{name}_gone", "district_id", "source", "version_id", sqlite_where=gone, postgresql_where=gone)


def _declare(table: RosterTable) -> sa.Table:
    required = _REQUIRED_COLUMNS | (set(table.key) - set(table.optional_key))
    version, *feed = FEED
    added = [column for column in table.columns if column.added]  # where a migration puts them: at the end
    first = [column for column in table.columns if not column.added]
    return sa.Table(
        history_name(table.name),
        METADATA,
        sa.Column(version.name, NUMBERED, sa.Identity(), primary_key=True, comment=version.comment),
        *(_column(column, required) for column in (*feed, *first, *COMMON, *added)),
        *_indexes(table),
        comment=f"{table.comment}: every version ever published",
    )


HISTORIES: dict[str, sa.Table] = {table.name: _declare(table) for table in TABLES.values()}


def current_view(table: RosterTable) -> str:
    """Return the SQL of the view of the current versions of `table`."""
    columns = ", ".join(column.name for column in (*FEED, *table.columns, *COMMON))
    return f"CREATE VIEW {table.name} AS SELECT {columns} FROM {history_name(table.name)} WHERE valid_to_import IS NULL"


def changes_view(dialect: str) -> str:
    """Return the SQL of the view ``changes``: the records that each import created, updated and deleted.

    Grain: one row per record and import. ``close_reason`` is that of the version that the import closed.
    """
    return "CREATE VIEW changes AS " + " UNION ALL ".join(
        arm for table in TABLES.values() for arm in (_opened_select(table, dialect), _deleted_select(table, dialect))
    )


def _same_key_condition(table: RosterTable, left: str, right: str) -> str:
    pairs = zip(key_expressions(table, f"{left}."), key_expressions(table, f"{right}."), strict=True)
    feed = (f"{left}.district_id = {right}.district_id", f"{left}.source = {right}.source")
    return " AND ".join((*feed, *(f"{a} = {b}" for a, b in pairs)))


def _key_json(table: RosterTable, alias: str, dialect: str) -> str:
    pairs = ", ".join(f"'{name}', {alias}.{name}" for name in table.key)
    return f"json_object({pairs})" if dialect == "sqlite" else f"CAST(json_build_object({pairs}) AS text)"


def _opened_select(table: RosterTable, dialect: str) -> str:
    name = history_name(table.name)
    return (
        f"SELECT o.valid_from_import AS import_id, o.district_id AS district_id, o.source AS source, '{table.name}' AS table_name, "
        f"{_key_json(table, 'o', dialect)} AS key, "
        "CASE WHEN c.version_id IS NULL THEN 'created' ELSE 'updated' END AS change, c.close_reason AS close_reason "
        f"FROM {name} AS o LEFT JOIN {name} AS c ON c.valid_to_import IS NOT NULL "
        f"AND c.valid_to_import = o.valid_from_import AND {_same_key_condition(table, 'c', 'o')}"
    )


def _deleted_select(table: RosterTable, dialect: str) -> str:
    name = history_name(table.name)
    # A newer version is current or past. Two subqueries, because each of the two partial indexes covers one of these cases.
    newer = " AND ".join(
        f"NOT EXISTS (SELECT 1 FROM {name} AS o WHERE o.valid_to_import {is_null} "
        f"AND o.valid_from_import = c.valid_to_import AND {_same_key_condition(table, 'o', 'c')})"
        for is_null in ("IS NULL", "IS NOT NULL")
    )
    return (
        f"SELECT c.valid_to_import AS import_id, c.district_id AS district_id, c.source AS source, '{table.name}' AS table_name, "
        f"{_key_json(table, 'c', dialect)} AS key, 'deleted' AS change, c.close_reason AS close_reason "
        f"FROM {name} AS c WHERE c.valid_to_import IS NOT NULL AND c.close_reason <> 'changed' AND {newer}"
    )
