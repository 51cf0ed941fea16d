"""Read the roster: current versions, as-of queries, and all versions of a record."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa

from roster_etl.canonical.history import LEFT, history_name, history_table, key_expressions
from roster_etl.canonical.ledger import IMPORTS
from roster_etl.canonical.references import ID_COLUMNS, REFERENCES
from roster_etl.canonical.roster import TABLES, USER_KINDS, RosterTable
from roster_etl.canonical.sql_types import SQLITE_TIMESTAMP_FORMAT
from roster_etl.store.warehouse import bulk_load

VALUE_SEPARATOR = "\x1f"
_UNSURE = "user"
"""The kind of user whose current enrollments have an index by user."""
COURSE_NUMBER = "course_number"


def current_schema(table: RosterTable) -> pa.Schema:
    """Return the schema of `current_versions`: ``version_id``, key, school (if any), ``source_file``, ``row_hash``."""
    school = (table.school_column,) if table.school_column and table.school_column not in table.key else ()
    return pa.schema([table.full_schema.field(name) for name in ("version_id", *table.key, *school, "source_file", "row_hash")])


def _are_current(history: sa.Table, district_id: str, source: str) -> tuple[sa.ColumnElement[bool], ...]:
    """Return the conditions that versions are current ones of a feed."""
    return history.c.district_id == district_id, history.c.source == source, history.c.valid_to_import.is_(None)


def current_versions(connection: sa.Connection, district_id: str, source: str, name: str) -> pa.Table:
    """Return one row per current version; columns as in `current_schema`."""
    history, schema = history_table(name), current_schema(TABLES[name])
    query = sa.select(*_columns(connection, history, schema)).where(*_are_current(history, district_id, source))
    return bulk_load.fetch(connection, query, schema)


def current_keys(connection: sa.Connection, district_id: str, source: str, name: str, where: Mapping[str, object]) -> pa.Table:
    """Return the key and ``source_file`` of the current versions with these values in columns of the key, in no order."""
    history, full = history_table(name), TABLES[name].full_schema
    schema = pa.schema([full.field(column) for column in (*TABLES[name].key, "source_file")])
    query = sa.select(*_columns(connection, history, schema)).where(*_are_current(history, district_id, source))
    return bulk_load.fetch(connection, query.where(*(history.c[column] == value for column, value in where.items())), schema)


def current_records(connection: sa.Connection, district_id: str, source: str, name: str, columns: Sequence[str]) -> pa.Table:
    """Return `columns` of every current version, in no order."""
    history, full = history_table(name), TABLES[name].full_schema
    schema = pa.schema([full.field(column) for column in columns])
    query = _select(connection, name, schema).where(*_are_current(history, district_id, source))
    return bulk_load.fetch(connection, query, schema)


def current_records_by(
    connection: sa.Connection, district_id: str, source: str, name: str, wanted: Mapping[str, pa.Array], columns: Sequence[str]
) -> pa.Table:
    """Return `columns` of the current versions that have, in a column of `wanted`, one of the texts there.

    Several columns at once are joined by ``+``, and have lists of texts; records are found by the index of the first of them. With control
    characters in texts, records with other ones may be returned as well. ``course_number`` of a section is the number of its course.
    Grain: one row per record and entry of `wanted`, in no order. E-mail addresses are compared in lower case.
    """
    history, full = history_table(name), TABLES[name].full_schema
    schema = pa.schema([full.field(column) for column in columns])
    staged = bulk_load.stage(connection, f"wanted_{name}", pa.concat_tables([_wanted_rows(*one) for one in wanted.items()]))
    chosen = _select(connection, name, schema).where(*_are_current(history, district_id, source))
    arms = [chosen.where(_is_wanted(connection, TABLES[name], parts, (district_id, source))) for parts in wanted]
    return bulk_load.fetch(connection, sa.union_all(*arms) if len(arms) > 1 else arms[0], schema, staged)


def _wanted_rows(parts: str, texts: pa.Array) -> pa.Table:
    """Return what is staged of the wanted texts of a column, or of several: which, the whole text, its first part."""
    several = "+" in parts
    wanted, first = (pc.binary_join(texts, VALUE_SEPARATOR), pc.list_element(texts, 0)) if several else (texts, texts)
    return pa.table({"which": pa.array([parts] * len(texts), pa.string()), "wanted": wanted, "first": first})


def _is_wanted(connection: sa.Connection, table: RosterTable, parts: str, feed: tuple[str, str]) -> sa.ColumnElement[bool]:
    """Return the condition that a record has a text that is staged for `parts`, in the words of the index on the first of them."""
    history, names = history_table(table.name), parts.split("+")
    staged = f"wanted_{table.name} WHERE which = '{parts}'"
    first = "course_id" if names[0] == COURSE_NUMBER else names[0]
    condition = _found_by(connection, table, names[0], staged, feed)
    if names[0] == "email" or connection.dialect.name == "postgresql":  # else SQLite concludes it, and would read a range
        condition = sa.and_(history.c[first].is_not(None), condition)
    if len(names) > 1:
        separator = "chr(31)" if connection.dialect.name == "postgresql" else "char(31)"
        own = f" || {separator} || ".join(_part(table, name) for name in names)
        condition = sa.and_(condition, sa.text(_is_staged(connection, own, f"SELECT wanted FROM {staged}")))
    if table.key[0] == "user_kind" and names[0] == "user_id":  # the index of keys begins with the kind
        condition = sa.and_(history.c.user_kind.in_(USER_KINDS), condition)
    return condition


def _found_by(
    connection: sa.Connection, table: RosterTable, name: str, staged: str, feed: tuple[str, str]
) -> sa.ColumnElement[bool]:
    if name == COURSE_NUMBER:
        courses = history_table("courses")
        numbered = sa.text(_is_staged(connection, f"{courses.name}.number", f"SELECT first FROM {staged}"))
        found = sa.select(courses.c.course_id).where(*_are_current(courses, *feed), numbered)
        if connection.dialect.name == "postgresql":
            found = found.where(courses.c.number.is_not(None))
        course = f"{history_name(table.name)}.course_id"
        return sa.and_(sa.text(_is_staged(connection, course, bulk_load.literal(connection, found))))
    value = "lower(first)" if name == "email" else "first"
    return sa.and_(sa.text(_is_staged(connection, _part(table, name), f"SELECT {value} FROM {staged}")))


def _is_staged(connection: sa.Connection, own: str, texts: str) -> str:
    """Return the condition that `own` is one of the staged `texts`. PostgreSQL would compare each record with each: it reads an array first."""
    return f"{own} = ANY (ARRAY({texts}))" if connection.dialect.name == "postgresql" else f"{own} IN ({texts})"


def _part(table: RosterTable, name: str) -> str:
    """Return what a record has in a column as SQL."""
    own = history_name(table.name)
    if name == COURSE_NUMBER:
        same = " AND ".join(f"c.{column} = {own}.{column}" for column in ("district_id", "source", "course_id"))
        return f"(SELECT c.number FROM {history_name('courses')} AS c WHERE {same} AND c.valid_to_import IS NULL)"
    return "lower(email)" if name == "email" else f"{own}.{name}"


Place = tuple[str | None, str | None]
"""Of an enrollment: a section, or else a course, whose default section is meant."""


@dataclass(frozen=True, kw_only=True)
class WantedEnrollments:
    """Which enrollments are read: all of ``users`` (kind, ID) and ``sections``, those of the default section of ``courses``, and ``seats``.

    A seat is a place, `place_of`, and a user.
    """

    users: Collection[tuple[str, str]] = ()
    sections: Collection[str] = ()
    courses: Collection[str] = ()
    seats: Collection[tuple[Place, tuple[str, str]]] = ()

    def __bool__(self) -> bool:
        """Return whether anything is wanted."""
        return bool(self.users or self.sections or self.courses or self.seats)


def place_of(section_id: str | None, course_id: str | None) -> Place:
    """Return the section of an enrollment, or the course whose default section it is in."""
    return (None, course_id) if section_id is None else (section_id, None)


def current_enrollments(
    connection: sa.Connection, district_id: str, source: str, wanted: WantedEnrollments, columns: Sequence[str]
) -> pa.Table:
    """Return `columns` of current enrollments, each once, in no order.

    Costs what is found, by an index for each way of asking. But where users of other kinds than ``user`` are asked for, the feed's index
    of current enrollments is read once, and where courses are, its enrollments without a section.
    """
    history, full = history_table("enrollments"), TABLES["enrollments"].full_schema
    schema = pa.schema([full.field(column) for column in columns])
    staged = bulk_load.stage(connection, "wanted_seats", _seat_rows(wanted))
    feed = [bulk_load.literal(connection, sa.literal(own)) for own in (district_id, source)]
    arms = " UNION ALL ".join(_seat_arms(connection, wanted, feed))
    named = _is_staged(connection, f"{history.name}.version_id", arms)
    return bulk_load.fetch(connection, _select(connection, "enrollments", schema).where(sa.text(named)), schema, staged)


def ids_in_feeds(connection: sa.Connection, district_id: str, sources: Sequence[str], name: str, ids: pa.Array) -> pa.Array:
    """Return which of `ids`, without NULL, are those of current records of a table in each of some feeds.

    Args: name: a table whose key is one column.
    """
    (key,) = TABLES[name].key
    staged = bulk_load.stage(connection, "wanted_ids", pa.table({"id": ids}))
    joins = []
    for number, source in enumerate(sources):
        feed = [bulk_load.literal(connection, sa.literal(own)) for own in (district_id, source)]
        same = f"{_current(feed, f'e{number}.')} AND e{number}.{key} = w.id"
        joins.append(bulk_load.looked_up(connection, history_name(name), f"e{number}", f"e{number}.{key}", same))
    query: sa.Select[Any] = sa.select(sa.literal_column("w.id")).select_from(sa.text(f"{staged.name} AS w {' '.join(joins)}"))
    found = bulk_load.fetch(connection, query, pa.schema([("id", pa.string())]), staged)
    return found.column("id").combine_chunks()


def _seat_rows(wanted: WantedEnrollments) -> pa.Table:
    """Return what is staged of wanted enrollments: which way of asking, section (empty: none), course (of a default section), user."""
    rows: list[tuple[str, str, str | None, str | None, str | None]] = [("user", "", None, *user) for user in wanted.users]
    rows += [("seat", section or "", None if section else course, *user) for (section, course), user in wanted.seats]
    rows += [("section", one, None, None, None) for one in wanted.sections]
    rows += [("course", "", one, None, None) for one in wanted.courses]
    names = ("which", "section_id", "course_id", "user_kind", "user_id")
    columns = list(zip(*rows, strict=True)) or [() for _ in names]
    return pa.table({name: pa.array(texts, pa.string()) for name, texts in zip(names, columns, strict=True)})


def _seat_arms(connection: sa.Connection, wanted: WantedEnrollments, feed: Sequence[str]) -> Iterator[str]:
    """Yield queries of the numbers of wanted enrollments, each by an index. Args: feed: district and feed, as SQL."""
    separator = "chr(31)" if connection.dialect.name == "postgresql" else "char(31)"
    # SQLite uses an index on an expression only for comparisons with another expression.
    place, user = "coalesce(e.section_id, '') = coalesce(w.section_id, '')", "e.user_kind = w.user_kind AND e.user_id = w.user_id"
    kinds = {kind for kind, _ in wanted.users}
    if _UNSURE in kinds:
        same = f"e.user_kind = '{_UNSURE}' AND e.user_id = w.user_id"
        yield _for_each(connection, f"which = 'user' AND user_kind = '{_UNSURE}'", same, feed)
    if kinds - {_UNSURE}:
        own, staged = (
            f"user_kind || {separator} || user_id",
            f"FROM wanted_seats WHERE which = 'user' AND user_kind <> '{_UNSURE}'",
        )
        by_id = _is_staged(connection, "user_id", f"SELECT user_id {staged}")  # cheaper to compare than the whole text
        whole = _is_staged(connection, own, f"SELECT {own} {staged}")
        yield f"SELECT version_id FROM {history_name('enrollments')} WHERE {_current(feed)} AND {by_id} AND {whole}"
    if wanted.seats:
        course = "(w.course_id IS NULL OR e.course_id = w.course_id)"
        yield _for_each(connection, "which = 'seat'", f"{place} AND {user} AND {course}", feed)
    if wanted.sections:
        yield _for_each(connection, "which = 'section'", place, feed)
    if wanted.courses:
        yield _for_each(connection, "which = 'course'", f"{place} AND e.course_id = w.course_id", feed)


def _for_each(connection: sa.Connection, staged: str, same: str, feed: Sequence[str]) -> str:
    """Return the query of the current enrollments ``e`` that are the `same` as a `staged` row ``w``, looked up row by row."""
    condition = f"{_current(feed, 'e.')} AND {same}"
    found = bulk_load.looked_up(connection, history_name("enrollments"), "e", "e.version_id", condition)
    return f"SELECT e.version_id FROM (SELECT * FROM wanted_seats WHERE {staged}) AS w {found}"


def _current(feed: Sequence[str], prefix: str = "") -> str:
    district_id, source = feed
    return f"{prefix}district_id = {district_id} AND {prefix}source = {source} AND {prefix}valid_to_import IS NULL"


def current_hashes(connection: sa.Connection, district_id: str, source: str, name: str) -> pa.Table:
    """Return ``version_id`` and ``row_hash`` of every current version."""
    history = history_table(name)
    query = sa.select(history.c.version_id, history.c.row_hash).where(*_are_current(history, district_id, source))
    return bulk_load.fetch(connection, query, pa.schema([("version_id", pa.int64()), ("row_hash", pa.string())]))


def hashes_after_import(connection: sa.Connection, district_id: str, source: str, name: str, import_id: int) -> pa.Table:
    """Return ``row_hash`` of every version that was current right after import `import_id`."""
    history = history_table(name)
    known = (history.c.district_id == district_id, history.c.source == source, history.c.valid_from_import <= import_id)
    # Current and past versions have separate indexes, so they are queried separately.
    arms = (
        sa.select(history.c.row_hash).where(*known, history.c.valid_to_import.is_(None)),
        sa.select(history.c.row_hash).where(
            *known, history.c.valid_to_import.is_not(None), history.c.valid_to_import > import_id
        ),
    )
    return bulk_load.fetch(connection, sa.union_all(*arms), pa.schema([("row_hash", pa.string())]))


def current_by_school(connection: sa.Connection, district_id: str, source: str, name: str) -> dict[str, int]:
    """Return the number of current versions by school; empty for a table whose records have no school."""
    history, school = history_table(name), TABLES[name].school_column
    if school is None:
        return {}
    current = (*_are_current(history, district_id, source), history.c[school].is_not(None))
    query = sa.select(history.c[school], sa.func.count()).where(*current)
    return {row[0]: int(row[1]) for row in connection.execute(query.group_by(history.c[school]))}


def count_current(connection: sa.Connection, district_id: str, source: str, name: str) -> int:
    """Return the number of current versions."""
    history = history_table(name)
    query = sa.select(sa.func.count()).where(*_are_current(history, district_id, source))
    return int(connection.execute(query).scalar_one())


def versions(connection: sa.Connection, name: str, version_ids: pa.Array | pa.ChunkedArray) -> pa.Table:
    """Return the versions with these ids, with all columns, ordered by id."""
    history, schema = history_table(name), TABLES[name].full_schema
    staged = bulk_load.stage(connection, f"wanted_{name}", pa.table({"wanted": version_ids.cast(pa.int64())}))
    query = sa.select(*_columns(connection, history, schema))
    query = query.join_from(staged, history, staged.c.wanted == history.c.version_id).order_by(history.c.version_id)
    return bulk_load.fetch(connection, query, schema, staged)


def versions_by_key(
    connection: sa.Connection, district_id: str, source: str, name: str, keys: pa.Table, *, past: bool = False
) -> pa.Table:
    """Return the current versions of the records in `keys`, or their `past` ones, with all columns, by the index of either's keys."""
    table, history = TABLES[name], history_table(name)
    schema = pa.schema([table.arrow_schema.field(column) for column in table.key])
    staged = bulk_load.stage(connection, f"keys_{name}", keys.select(list(table.key)).cast(schema))
    pairs = zip(key_expressions(table, f"{staged.name}."), key_expressions(table, f"{history.name}."), strict=True)
    same = (sa.text(f"{ours} = {theirs}") for ours, theirs in pairs)
    version = sa.literal_column(f"{history.name}.version_id", sa.BigInteger())
    district, feed, closed = (
        sa.literal_column(f"{history.name}.{column}", sa.Text()) for column in ("district_id", "source", "valid_to_import")
    )
    # SQLite keeps the order of a CROSS JOIN. With other joins it scanned the whole history, which grows all year.
    both = sa.text(f"{staged.name} CROSS JOIN {history.name}")
    which = closed.is_not(None) if past else closed.is_(None)
    query = sa.select(version).select_from(both).where(district == district_id, feed == source, *same, which)
    found = bulk_load.fetch(connection, query, pa.schema([("version_id", pa.int64())]), staged)
    return versions(connection, name, found.column("version_id"))


@dataclass(frozen=True, kw_only=True)
class QueryColumn:
    """A column of a roster table with an alias, and constant values that the record needs in other columns."""

    table: str
    column: str
    name: str
    where: Mapping[str, str | bool | int] = field(default_factory=dict)


def distinct_values(connection: sa.Connection, district_id: str, source: str, columns: Sequence[QueryColumn]) -> pa.Table:
    """Return the distinct combinations of values of `columns` in current records, as text; incomplete ones are omitted.

    Columns of several tables are joined along the references between them. Raises ValueError if there is none.
    """
    names = list(dict.fromkeys(column.table for column in columns))
    histories = {name: history_table(name) for name in names}
    joined: Any = histories[names[0]]
    for position, name in enumerate(names[1:], start=1):
        joined = joined.join(histories[name], _join_condition(names[:position], name, histories))
    current = [condition for history in histories.values() for condition in _are_current(history, district_id, source)]
    chosen = {column.name: sa.cast(histories[column.table].c[column.column], sa.Text()) for column in columns}
    wanted = [histories[k.table].c[name] == value for k in columns for name, value in k.where.items()]
    labelled: list[sa.ColumnElement[Any]] = [value.label(name) for name, value in chosen.items()]
    query = sa.select(*labelled).distinct().select_from(joined)
    query = query.where(*current, *wanted, *(value.is_not(None) for value in chosen.values()))
    return bulk_load.fetch(connection, query, pa.schema([(name, pa.string()) for name in chosen]))


def _join_condition(before: Sequence[str], name: str, histories: Mapping[str, sa.Table]) -> sa.ColumnElement[bool]:
    """Return the join condition between `name` and an earlier table in `before`."""
    for reference in REFERENCES:
        if (reference.table in before and reference.parent == name) or (reference.parent in before and reference.table == name):
            child, parent = histories[reference.table], histories[reference.parent]
            pairs = zip(reference.columns, reference.parent_columns, strict=True)
            return sa.and_(*(child.c[one] == parent.c[other] for one, other in pairs))
    raise ValueError(f"nothing refers from {name} to {', '.join(before)}, or the other way")


def last_removed_versions(
    connection: sa.Connection, district_id: str, source: str, name: str, reverted: Sequence[int] = ()
) -> pa.Table:
    """Return, whole, the last version of each record that has no current one, in the order of their numbers.

    A record whose last version was replaced under another key (``changed``) is not gone, and what `reverted` imports closed had not left.
    Costs what ever went, not the whole history.
    """
    table, history = TABLES[name], history_table(name)
    feed = (history.c.district_id == district_id, history.c.source == source)
    query = sa.select(*_columns(connection, history, table.full_schema)).where(*feed, sa.text(_is_removed(table, reverted)))
    return bulk_load.fetch(connection, query.order_by(history.c.version_id), table.full_schema)


def id_changes_of(connection: sa.Connection, district_id: str, source: str, ids: pa.Array) -> pa.Table:
    """Return the current ID changes from or to one of `ids`, with all columns.

    They are looked up by the indexes of either ID; if the feed has fewer changes than `ids`, all are read, which costs less.
    """
    feed = (district_id, source)
    if _has_fewer_id_changes(connection, feed, len(ids)):
        every = versions(connection, "id_changes", current_hashes(connection, *feed, "id_changes").column("version_id"))
        old, new = (pc.is_in(every.column(name), value_set=ids) for name in ("old_id", "new_id"))
        return every.filter(pc.or_(old, new))
    history, own = history_name("id_changes"), [bulk_load.literal(connection, sa.literal(name)) for name in feed]
    staged = bulk_load.stage(connection, "wanted_ids", pa.table({"wanted": ids}))
    arms = []
    for column in ("old_id", "new_id"):
        same = f"{_current(own, 'e.')} AND e.{column} = w.wanted"
        found_by = bulk_load.looked_up(connection, history, "e", "e.version_id", same)
        arms.append(f"SELECT e.version_id FROM {staged.name} AS w {found_by}")
    rows = sa.text(f"({' UNION '.join(arms)}) AS found")
    query: sa.Select[Any] = sa.select(sa.literal_column("found.version_id")).select_from(rows)
    found = bulk_load.fetch(connection, query, pa.schema([("version_id", pa.int64())]), staged)
    return versions(connection, "id_changes", found.column("version_id"))


def _has_fewer_id_changes(connection: sa.Connection, feed: tuple[str, str], count: int) -> bool:
    """Return whether a feed has fewer than `count` current ID changes. Costs at most `count` of them."""
    current = _are_current(history_table("id_changes"), *feed)
    some = sa.select(sa.literal(1)).where(*current).limit(count).subquery()
    return int(connection.execute(sa.select(sa.func.count()).select_from(some)).scalar_one()) < count


def removed_versions_of(
    connection: sa.Connection, district_id: str, source: str, names: Sequence[str], ids: pa.Array, reverted: Sequence[int] = ()
) -> dict[str, pa.Table]:
    """Return, by table, those of `last_removed_versions` whose key begins with one of `ids` (before it, a kind of user).

    A user's id in the key must be among `ids`, too, unless the key has a section and it is empty. Costs what is asked for, not what
    ever went.
    """
    staged = bulk_load.stage(connection, "wanted_ids", pa.table({"wanted": ids}))
    numbers = {name: _removed_of(connection, (district_id, source), TABLES[name], staged, reverted) for name in names}
    bulk_load.unstage(connection, staged)
    return {
        name: versions(connection, name, found) if len(found) else TABLES[name].full_schema.empty_table()
        for name, found in numbers.items()
    }


def _removed_of(
    connection: sa.Connection, feed: tuple[str, str], table: RosterTable, staged: sa.TableClause, reverted: Sequence[int]
) -> pa.ChunkedArray:
    """Return the numbers of the versions, by the index of past keys."""
    history = history_name(table.name)
    first, *others = (column for column in table.key if column.endswith("_id"))
    wanted = [f"{history}.{first} = {staged.name}.wanted"]
    if table.key[0] == "user_kind":  # the index of keys begins with the kind
        wanted.append(f"{history}.user_kind IN ({', '.join(map(repr, USER_KINDS))})")
    if "user_id" in others:
        unless = f" OR {history}.section_id IS NULL" if "section_id" in table.optional_key else ""
        wanted.append(f"({history}.user_id IN (SELECT wanted FROM {staged.name}){unless})")
    version = sa.literal_column(f"{history}.version_id", sa.BigInteger())
    own = zip(("district_id", "source"), feed, strict=True)
    of_feed = (sa.literal_column(f"{history}.{column}", sa.Text()) == value for column, value in own)
    # SQLite keeps the order of a CROSS JOIN.
    both = sa.text(f"{staged.name} CROSS JOIN {history}")
    query = sa.select(version).select_from(both).where(*of_feed, *map(sa.text, (*wanted, _is_removed(table, reverted))))
    return bulk_load.fetch(connection, query, pa.schema([("version_id", pa.int64())])).column("version_id")


def _is_removed(table: RosterTable, reverted: Sequence[int]) -> str:
    """Return the condition that a version is the last one of a record that has no current one, were it not for `reverted` imports."""
    history = history_name(table.name)
    same = " AND ".join(f"newer.{own} = {history}.{own}" for own in ("district_id", "source"))
    pairs = zip(key_expressions(table, "newer."), key_expressions(table, f"{history}."), strict=True)
    same = " AND ".join((same, *(f"{one} = {other}" for one, other in pairs)))
    later = (
        "newer.valid_to_import IS NULL",
        f"newer.valid_to_import IS NOT NULL AND newer.version_id > {history}.version_id{_but_not_by(reverted, 'newer')}",
    )
    none_later = (f"NOT EXISTS (SELECT 1 FROM {history} AS newer WHERE {same} AND {which})" for which in later)
    return " AND ".join((f"{LEFT}{_but_not_by(reverted, history)}", *none_later))


def _but_not_by(reverted: Sequence[int], versions_: str) -> str:
    """Return a further condition: that none of the `reverted` imports closed a version."""
    return f" AND {versions_}.valid_to_import NOT IN ({_listed(reverted)})" if reverted else ""


def _listed(imports: Sequence[int]) -> str:
    return ", ".join(map(str, imports))


def versions_before_rename(
    connection: sa.Connection, district_id: str, source: str, name: str, renames: pa.Table, reverted: Sequence[int] = ()
) -> pa.Table:
    """Return versions closed before their record's id changed, with all columns: another record may use the old id now.

    Args: renames: ``old_id``, and the import that changed it (``changed``); reverted: imports that were undone, and undos.
    """
    table, history = TABLES[name], history_table(name)
    column = next((column for entity, column in ID_COLUMNS.get(name, ()) if entity == name), None)
    if column is None or not renames.num_rows:
        return table.full_schema.empty_table()
    staged = bulk_load.stage(connection, "wanted_renames", renames.cast(_RENAMES))
    own = [
        f"e.{of} = {bulk_load.literal(connection, sa.literal(is_))}"
        for of, is_ in (("district_id", district_id), ("source", source))
    ]
    if table.key[0] == "user_kind":  # the index of keys begins with the kind
        own.append(f"e.user_kind IN ({', '.join(map(repr, USER_KINDS))})")
    older = [*own, f"e.{column} = w.old_id", "e.valid_from_import < w.changed"]
    counted = f" AND (e.valid_to_import >= w.changed OR e.valid_to_import NOT IN ({_listed(reverted)}))" if reverted else ""
    arms = []
    for which in ("e.valid_to_import IS NULL", f"e.valid_to_import IS NOT NULL{counted}"):  # indexed apart
        columns = "e.version_id, e.valid_to_import"
        found_by = bulk_load.looked_up(connection, history.name, "e", columns, " AND ".join((*older, which)))
        arms.append(f"SELECT w.old_id, w.changed, e.version_id, e.valid_to_import FROM {staged.name} AS w {found_by}")
    of_renames: sa.Select[Any] = sa.select(sa.literal_column(", ".join(_BEFORE_RENAME.names)))
    of_renames = of_renames.select_from(sa.text(f"({' UNION ALL '.join(arms)}) AS found"))
    found = bulk_load.fetch(connection, of_renames, _BEFORE_RENAME, staged)
    last = found.group_by(["old_id", "changed"]).aggregate([("version_id", "max")]).column("version_id_max")
    gone = pc.and_(
        pc.is_in(found.column("version_id"), value_set=last.combine_chunks()),
        pc.less(found.column("valid_to_import"), found.column("changed")),
    )
    return versions(connection, name, pc.unique(found.filter(gone).column("version_id")))


_BEFORE_RENAME = pa.schema(
    [("old_id", pa.string()), ("changed", pa.int64()), ("version_id", pa.int64()), ("valid_to_import", pa.int64())]
)
_RENAMES = pa.schema([("old_id", pa.string()), ("changed", pa.int64())])


def by_index(history: sa.Table) -> tuple[sa.ColumnElement[bool], ...]:
    """Return the conditions of the two indexes that between them hold every version by key."""
    return history.c.valid_to_import.is_(None), history.c.valid_to_import.is_not(None)


def since(connection: sa.Connection, district_id: str, source: str, name: str, import_id: int) -> tuple[pa.Table, pa.Table]:
    """Return the versions that were current just before import `import_id` and no more, and those current only since."""
    place = (district_id, source, name, import_id)
    return versions_ended_since(connection, *place), versions_begun_since(connection, *place)


def versions_touched_by(
    connection: sa.Connection, district_id: str, source: str, name: str, import_id: int
) -> tuple[pa.Table, pa.Table]:
    """Return the versions that import `import_id` closed, and those that it opened, with all columns."""
    of = history_table(name).c
    feed = (of.district_id == district_id, of.source == source)
    closed = _versions_where(connection, name, *feed, of.valid_to_import == import_id)
    return closed, _versions_where(connection, name, *feed, of.valid_from_import == import_id)


def versions_ended_since(
    connection: sa.Connection, district_id: str, source: str, name: str, import_id: int, columns: Sequence[str] | None = None
) -> pa.Table:
    """Return the versions that were current just before import `import_id` and no longer are, with all columns, or with some."""
    history = history_table(name)
    ended = _by_imports_since(connection, history.c.valid_to_import, (district_id, source), import_id)
    return _versions_where(connection, name, history.c.valid_from_import < import_id, ended, columns=columns)


def versions_begun_since(
    connection: sa.Connection, district_id: str, source: str, name: str, import_id: int, columns: Sequence[str] | None = None
) -> pa.Table:
    """Return the current versions that import `import_id` or a later one opened, with all columns, or with some."""
    history = history_table(name)
    begun = _by_imports_since(connection, history.c.valid_from_import, (district_id, source), import_id)
    return _versions_where(connection, name, begun, history.c.valid_to_import.is_(None), columns=columns)


def _by_imports_since(
    connection: sa.Connection, column: sa.Column[Any], feed: tuple[str, str], import_id: int
) -> sa.ColumnElement[bool]:
    """Return the condition that `column` is one of the feed's imports from a number on.

    With a condition on the feed beside it, SQLite reads all versions of the feed; a range would hold the imports of all districts.
    """
    of = IMPORTS.c
    own = sa.select(of.import_id).where(of.district_id == feed[0], of.source == feed[1], of.import_id >= import_id)
    named = sa.and_(sa.text(_is_staged(connection, f"{column.table.name}.{column.name}", bulk_load.literal(connection, own))))
    # PostgreSQL does not conclude it, as the index of ended versions needs.
    return sa.and_(column.is_not(None), named) if connection.dialect.name == "postgresql" else named


def _versions_where(
    connection: sa.Connection, name: str, *chosen: sa.ColumnElement[bool], columns: Sequence[str] | None = None
) -> pa.Table:
    history, full = history_table(name), TABLES[name].full_schema
    schema = full if columns is None else pa.schema([full.field(column) for column in columns])
    query = _select(connection, name, schema).where(*chosen).order_by(history.c.version_id)
    return bulk_load.fetch(connection, query, schema)


def as_of(
    connection: sa.Connection,
    moment: datetime,
    name: str,
    district_id: str,
    source: str | None = None,
    *,
    order: Sequence[str] = ("version_id",),
    collect: bulk_load.Collect | None = None,
) -> pa.Table:
    """Return the versions that were known at `moment`, whole, in the order of some columns.

    ``collect``: makes the table of batches, so that it need not be in memory.
    """
    history, schema = history_table(name), TABLES[name].full_schema
    feed = [history.c.district_id == district_id, *([history.c.source == source] if source else [])]
    # Both databases compare timestamps with ISO text, rendered here.
    then: sa.ColumnElement[datetime] = sa.literal_column(f"'{moment.astimezone(UTC).strftime(SQLITE_TIMESTAMP_FORMAT)}'")
    known = [*feed, history.c.valid_from <= then]
    chosen = _columns(connection, history, schema)
    # Current and past versions have separate indexes, so they are queried separately.
    past = [*feed, history.c.valid_to_import.is_not(None)]
    if source is not None:  # its imports closed no other versions
        past = [closed_by_imports_after(history, district_id, source, then)]
    arms = (
        sa.select(*chosen).where(*known, history.c.valid_to_import.is_(None)),
        sa.select(*chosen).where(*past, history.c.valid_from <= then, history.c.valid_to > then),
    )
    if collect is not None:
        return collect(bulk_load.fetch_batches(connection, sa.union_all(*arms), schema), schema, order)
    return bulk_load.fetch(connection, sa.union_all(*arms), schema).sort_by([(column, "ascending") for column in order])


def closed_by_imports_after(
    history: sa.Table, district_id: str, source: str, moment: sa.ColumnElement[datetime]
) -> sa.ColumnElement[bool]:
    """Return the condition that a version was closed by an import of a feed, after a moment: however many were closed before.

    A condition on the feed beside it would have all of the feed's past versions read.
    """
    columns = IMPORTS.c
    later = sa.select(columns.import_id).where(
        columns.district_id == district_id,
        columns.source == source,
        columns.status == "published",
        columns.finished_at > moment,
    )
    return history.c.valid_to_import.in_(later)


_MAX_IDS = 500  # of one statement


def school_names(
    connection: sa.Connection, district_id: str, source: str, school_ids: Sequence[str], import_id: int
) -> dict[str, str]:
    """Return the names that schools had after import `import_id`, or last before it; those that had none then are left out."""
    history = history_table("organizations")
    feed = (history.c.district_id == district_id, history.c.source == source, history.c.valid_from_import <= import_id)
    chosen = (history.c.organization_id, history.c.name, history.c.version_id)
    found: dict[str, tuple[int, str]] = {}
    for first in range(0, len(school_ids), _MAX_IDS):
        some = history.c.organization_id.in_(school_ids[first : first + _MAX_IDS])
        for index in by_index(history):
            for school, name, version in connection.execute(sa.select(*chosen).where(*feed, some, index)):
                found[school] = max(found.get(school, (0, "")), (version, name or ""))
    return {school: name for school, (_, name) in found.items() if name}


def trace(
    connection: sa.Connection, name: str, key: Mapping[str, object], district_id: str, source: str | None = None
) -> pa.Table:
    """Return every version of the records whose key columns have the values of `key`, oldest first.

    Key columns that `key` omits may have any value; None means NULL. Raises KeyError for a column that is not in the key.
    """
    table, history = TABLES[name], history_table(name)
    if unknown := set(key) - set(table.key):
        raise KeyError(f"{name} has no key column {', '.join(sorted(unknown))}")
    same = [history.c.district_id == district_id, *([history.c.source == source] if source else [])]
    for column, expression in zip(table.key, key_expressions(table), strict=True):
        if column in key:
            given = key[column]
            same.append(_equal(history.c[column], expression, given))
    arms = (
        sa.select(*(history.c[field] for field in table.full_schema.names)).where(*same, ended)
        for ended in (history.c.valid_to_import.is_(None), history.c.valid_to_import.is_not(None))
    )
    rows = [dict(row) for arm in arms for row in connection.execute(arm).mappings()]
    return pa.Table.from_pylist(sorted(rows, key=lambda row: row["version_id"]), schema=table.full_schema)


def _equal(column: sa.Column[Any], expression: str, value: object) -> sa.ColumnElement[bool]:
    """Return the condition that `column` has `value`, in exactly the expression of the indexes."""
    if expression == column.name:
        return column == value
    return sa.literal_column(expression, sa.Text()) == ("" if value is None else value)


def _columns(connection: sa.Connection, history: sa.Table, schema: pa.Schema) -> list[sa.ColumnElement[Any]]:
    return [select_column(connection, history.c[field.name], field.type) for field in schema]


def _select(connection: sa.Connection, name: str, schema: pa.Schema) -> sa.Select[Any]:
    """Return the query of the columns of `schema` of all versions, for `bulk_load.fetch`, which takes columns by position.

    Their SQL is rendered once in a process: a comparison of feeds asks for the columns of a table many times.
    """
    history, known = history_table(name), (connection.dialect.name, name, tuple(schema.names))
    if known not in _RENDERED:
        columns = _columns(connection, history, schema)
        _RENDERED[known] = ", ".join(bulk_load.literal(connection, column) for column in columns)
    return sa.select(sa.literal_column(_RENDERED[known])).select_from(history)


_RENDERED: dict[tuple[str, str, tuple[str, ...]], str] = {}
"""Dialect, table and columns → the SQL of the columns."""


def select_column(connection: sa.Connection, column: sa.Column[Any], kind: pa.DataType) -> sa.ColumnElement[Any]:
    """Return `column` as `bulk_load.fetch` needs it in a query."""
    if connection.dialect.name == "postgresql" and pa.types.is_timestamp(kind):
        written = sa.func.to_char(sa.func.timezone("UTC", column), 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
        return written.label(column.name)
    return column
