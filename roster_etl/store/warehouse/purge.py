"""Permanently delete personal data from the warehouse: the only exception to append-only history."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pyarrow as pa
import sqlalchemy as sa

from roster_etl.canonical.history import HISTORIES, history_table
from roster_etl.canonical.ledger import CHECKS, FINDINGS, IMPORT_FILES, IMPORTS, OVERRIDES, REJECTED_ROWS
from roster_etl.canonical.roster import TABLES
from roster_etl.frames.row_hashes import HASH, row_hash
from roster_etl.store.warehouse import (
    bulk_load,
    ledger_write,
    locks,
    people,
    purged_person,
    quarantine,
    reconciliation,
    roster_read,
    waiting_rows,
)
from roster_etl.store.warehouse.import_result import ImportResult
from roster_etl.store.warehouse.purged_person import KINDS_SHARING_ID_COLUMNS, USER_ID_COLUMNS

RecordLocation = tuple[int, str, int]
"""Import, file and row of a record."""
_PERSON_TEXT_COLUMNS = (("organizations", "principal_name"), ("organizations", "principal_email"), ("attendance", "teacher_name"))


@dataclass(frozen=True, kw_only=True)
class PurgeScope:
    """What to delete of a district: all of it, one ``person`` (kind and id), or what is older than ``before``.

    ``values``: values that identify the person in any cell; ``persons``: ID of a person that is the user's → the ID that stays of them;
    ``locations``: the source rows of the person; ``masked``: the
    person's id as findings mask it; ``imports``: imports whose findings and quarantine are deleted.
    """

    district_id: str
    person: tuple[str, str] | None = None
    values: frozenset[str] = frozenset()
    persons: Mapping[str, str] = field(default_factory=dict)
    locations: frozenset[RecordLocation] = frozenset()
    masked: str = ""
    before: datetime | None = None
    imports: frozenset[int] = frozenset()


def remove(connection: sa.Connection, scope: PurgeScope) -> dict[str, int]:
    """Delete what `scope` covers, in the transaction of `connection`. Returns the number of deleted versions by table."""
    locks.lock(
        connection, scope.district_id
    )  # a hold that is approved meanwhile waits, and is then refused: its plan has the removed data
    locks.lock_comparison(connection, scope.district_id)
    waiting_rows.forget_feeds(connection, scope.district_id)
    quarantine.forget_taken_out(connection, scope.district_id)
    if scope.person is not None:
        counts = _remove_person(connection, scope.district_id, *scope.person, scope.values)
        purged_person.remove_links(connection, scope.district_id, *scope.person, scope.persons)
        _remove_findings_of_records(connection, scope.locations)
        _clear_masked_keys(connection, scope.district_id, scope.masked)
        return counts
    if scope.before is not None:
        return _remove_closed_versions(connection, scope.district_id, scope.before, scope.imports)
    return _remove_district(connection, scope.district_id, scope.imports)


def person_values(connection: sa.Connection, district_id: str, kind: str, user_id: str) -> frozenset[str]:
    """Return values that identify a user in any cell, lower-cased: addresses, user names, first and last name together."""
    users = HISTORIES["users"].c
    query = sa.select(users.email, users.username, users.full_name, users.sortable_name, users.first_name, users.last_name)
    query = query.where(users.district_id == district_id, users.user_kind == kind, users.user_id == user_id)
    found: set[str] = set()
    rows = (row for which in roster_read.by_index(HISTORIES["users"]) for row in connection.execute(query.where(which)))
    for email, username, full, sortable, first, last in rows:
        pairs = (f"{first} {last}", f"{last}, {first}") if first and last else ()
        found |= {text.strip().casefold() for text in (email, username, full, sortable, *pairs) if text}
    return frozenset(text for text in found if len(text) > 3)


def mentions_person(connection: sa.Connection, district_id: str, kind: str, user_id: str) -> bool:
    """Return whether any version or override is about a user."""
    abouts = ((history, _user_condition(history, kind, user_id)) for history in HISTORIES.values())
    found = [
        sa.select(sa.literal(1)).where(h.c.district_id == district_id, about, which)
        for h, about in abouts
        if about is not None
        for which in roster_read.by_index(h)
    ]
    has_versions = any(connection.execute(query.limit(1)).first() is not None for query in found)
    return has_versions or purged_person.has_overrides(connection, district_id, kind, user_id)


def _remove_person(
    connection: sa.Connection, district_id: str, kind: str, user_id: str, values: Collection[str]
) -> dict[str, int]:
    """Delete all versions about a user, and blank the cells of others that name the user. Returns rows by table."""
    _clear_derived_section_names(connection, district_id, kind, user_id)
    counts = {}
    for name, history in HISTORIES.items():
        about = _user_condition(history, kind, user_id)
        if about is not None:
            counts[name] = _delete_versions(connection, history, history.c.district_id == district_id, about)
    for table, column in _PERSON_TEXT_COLUMNS if values else ():
        history = history_table(table)
        named = sa.and_(history.c.district_id == district_id, sa.func.lower(history.c[column]).in_(sorted(values)))
        _blank(connection, table, column, named)
    purged_person.remove_overrides(connection, district_id, kind, user_id)
    purged_person.remove_differences(connection, district_id, kind, user_id, values, _PERSON_TEXT_COLUMNS)
    purged_person.remove_decisions(connection, district_id, kind, user_id)
    reconciliation.forget_compared(connection, district_id)
    return {name: count for name, count in counts.items() if count}


def _clear_derived_section_names(connection: sa.Connection, district_id: str, kind: str, user_id: str) -> None:
    """Blank the names of sections that were derived from their teacher's name."""
    taught, sections = HISTORIES["enrollments"].c, HISTORIES["sections"].c
    taught_by = (taught.district_id == district_id, taught.user_kind == kind, taught.user_id == user_id, taught.role != "student")
    theirs = sa.union_all(
        *(sa.select(taught.section_id).where(*taught_by, which) for which in roster_read.by_index(HISTORIES["enrollments"]))
    )
    made = sections.derived.contains('"name"')
    _blank(connection, "sections", "name", sa.and_(sections.district_id == district_id, sections.section_id.in_(theirs), made))


def _blank(connection: sa.Connection, table: str, column: str, where: sa.ColumnElement[bool]) -> None:
    """Blank a column of versions, whose hashes follow: else an upload that says the value again would be taken for what is there."""
    history, target = history_table(table), TABLES[table]
    chosen = [roster_read.select_column(connection, history.c[field.name], field.type) for field in target.full_schema]
    filled = history.c[column].is_not(None)
    arms = (sa.select(*chosen).where(where, filled, which) for which in roster_read.by_index(history))
    rows = bulk_load.fetch(connection, sa.union_all(*arms), target.full_schema)
    if not rows.num_rows:
        return
    at = rows.schema.get_field_index(column)
    hashes = row_hash(rows.set_column(at, rows.schema.field(at), pa.nulls(rows.num_rows, rows.schema.field(at).type)), target)
    staged = bulk_load.stage(connection, "blanked", pa.table({"version_id": rows.column("version_id"), "row_hash": hashes}))
    same = history.c.version_id == staged.c.version_id
    connection.execute(sa.update(history).where(same).values({column: None, HASH: staged.c.row_hash}))
    bulk_load.unstage(connection, staged)


def _user_condition(history: sa.Table, kind: str, user_id: str) -> sa.ColumnElement[bool] | None:
    """Return the condition that selects a user's versions in a history; None: the table has no data about users."""
    columns = history.c
    arms: list[sa.ColumnElement[bool]] = []
    for name in USER_ID_COLUMNS:
        if name not in columns:
            continue
        if name == "user_id" and "user_kind" in columns:
            arms.append(sa.and_(columns.user_kind == kind, columns.user_id == user_id))
        elif kind in KINDS_SHARING_ID_COLUMNS:
            arms.append(columns[name] == user_id)
    if "old_id" in columns and kind in KINDS_SHARING_ID_COLUMNS:
        arms.append(sa.and_(columns.entity == "users", sa.or_(columns.old_id == user_id, columns.new_id == user_id)))
    return sa.or_(*arms) if arms else None


def _remove_findings_of_records(connection: sa.Connection, locations: Collection[RecordLocation]) -> None:
    """Delete findings and quarantine of records; findings that these caused stay, without a cause."""
    for import_id, file, row in locations:
        for table in (REJECTED_ROWS, FINDINGS):
            at = (table.c.import_id == import_id, table.c.file == file, table.c.row == row)
            if table is FINDINGS:
                gone = sa.select(FINDINGS.c.id).where(*at)
                following = (FINDINGS.c.import_id == import_id, FINDINGS.c.cause_id.in_(gone))
                connection.execute(sa.update(FINDINGS).where(*following).values(cause_id=None))
            connection.execute(sa.delete(table).where(*at))
        waiting_rows.forget_row(connection, import_id, file, row)
    quarantine.unmark_quarantined(connection, {import_id for import_id, _, _ in locations})


def _clear_masked_keys(connection: sa.Connection, district_id: str, masked: str) -> None:
    """Blank the masked keys of findings that may be a user's."""
    of_district = sa.select(IMPORTS.c.import_id).where(IMPORTS.c.district_id == district_id)
    if not masked.strip("•"):  # an id this short is masked completely
        return
    named = FINDINGS.c.key.contains(masked, autoescape=True)
    connection.execute(sa.update(FINDINGS).where(FINDINGS.c.import_id.in_(of_district), named).values(key=None))


def _remove_closed_versions(
    connection: sa.Connection, district_id: str, before: datetime, imports: Collection[int]
) -> dict[str, int]:
    """Delete the versions closed before a time, and the findings and quarantine of `imports`. Returns rows by table."""
    counts = {
        name: _delete_versions(connection, history, history.c.district_id == district_id, history.c.valid_to < before)
        for name, history in HISTORIES.items()
    }
    _delete_import_rows(connection, imports, (FINDINGS, REJECTED_ROWS))
    reconciliation.remove_differences(connection, district_id, before=before)
    reconciliation.forget_compared(connection, district_id)
    people.remove_links(connection, district_id, before=before)
    return {name: count for name, count in counts.items() if count}


def _remove_district(connection: sa.Connection, district_id: str, imports: Collection[int]) -> dict[str, int]:
    """Remove every version of a district, and all that was found in its `imports`. Returns rows by table."""
    counts = {
        name: _delete_versions(connection, history, history.c.district_id == district_id) for name, history in HISTORIES.items()
    }
    _delete(connection, OVERRIDES, OVERRIDES.c.district_id == district_id)
    reconciliation.remove_differences(connection, district_id)
    reconciliation.remove_decisions(connection, district_id)
    reconciliation.forget_compared(connection, district_id)
    people.remove_links(connection, district_id)
    _delete_import_rows(connection, imports, (FINDINGS, REJECTED_ROWS, IMPORT_FILES, CHECKS))
    return {name: count for name, count in counts.items() if count}


def conclude_purges(connection: sa.Connection, import_results: Iterable[ImportResult]) -> None:
    """Conclude the imports of kind ``purge``, in the transaction of the deletion."""
    for conclusion in import_results:
        ledger_write.lock_import(connection, conclusion.import_id, "running")
        ledger_write.conclude(connection, conclusion)


def versions(connection: sa.Connection, district_id: str, source: str, name: str) -> pa.Table:
    """Return all versions of a table for a feed, without version id, ordered by it."""
    history, schema = history_table(name), TABLES[name].full_schema
    chosen = [roster_read.select_column(connection, history.c[field.name], field.type) for field in schema]
    feed = (history.c.district_id == district_id, history.c.source == source)
    arms = (sa.select(*chosen).where(*feed, which) for which in roster_read.by_index(history))
    return bulk_load.fetch(connection, sa.union_all(*arms), schema).sort_by("version_id").drop_columns("version_id")


def restore_versions(connection: sa.Connection, name: str, rows: pa.Table) -> None:
    """Insert versions copied from another warehouse; they get new ids."""
    if rows.num_rows:
        bulk_load.insert(connection, history_table(name), rows)


def _delete_import_rows(connection: sa.Connection, imports: Collection[int], tables: Iterable[sa.Table]) -> None:
    for some in ledger_write.batched_ids(imports):
        for table in tables:
            connection.execute(sa.delete(table).where(table.c.import_id.in_(some)))
        waiting_rows.forget_imports(connection, some)
    quarantine.unmark_quarantined(connection, imports)


def _delete_versions(connection: sa.Connection, history: sa.Table, *where: sa.ColumnElement[bool]) -> int:
    """Delete versions, current and past ones apart, as they are indexed. Returns how many."""
    return sum(_delete(connection, history, *where, which) for which in roster_read.by_index(history))


def _delete(connection: sa.Connection, table: sa.Table, *where: sa.ColumnElement[bool]) -> int:
    found: Any = connection.execute(sa.select(sa.func.count()).select_from(table).where(*where)).scalar_one()
    if found:
        connection.execute(sa.delete(table).where(*where))
    return int(found)
